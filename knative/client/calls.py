"""What one can ask of audiolift: each call says what to send, and how to read the answer. Nothing is sent here.

job = client.do(calls.job("0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01"))
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import httpx
import msgspec

from .models import (
    Account,
    ApiKeyList,
    Job,
    JobPage,
    MadeApiKey,
    OidcDevice,
    OidcPending,
    OidcProvider,
    OidcStart,
    Token,
)

__all__ = [
    "Call",
    "account",
    "api_keys",
    "append",
    "audio",
    "begin_by_browser",
    "begin_by_device",
    "begin_upload",
    "cancel",
    "delete",
    "finish_by_browser",
    "finish_by_device",
    "job",
    "jobs",
    "make_api_key",
    "provider",
    "renew",
    "retry",
    "revoke_api_key",
    "sign_in",
    "sign_out",
    "upload_offset",
    "watched",
]

TUS = {"Tus-Resumable": "1.0.0"}

T = TypeVar("T")


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request (`send` are httpx's arguments), and what makes a T of its answer."""

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    send: dict[str, Any] = field(default_factory=dict)
    signed_in: bool = True


def sign_in(email: str, password: str) -> Call[Token]:
    """Trade a password in for tokens (RFC 6749, section 4.3)."""
    form = {"grant_type": "password", "username": email, "password": password}
    return Call("POST", "/v1/token", _reader(Token), {"data": form}, signed_in=False)


def renew(refresh_token: str) -> Call[Token]:
    """Trade a refresh token in for new tokens; it is good once."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return Call("POST", "/v1/token", _reader(Token), {"data": form}, signed_in=False)


def provider() -> Call[OidcProvider]:
    """By whom people can sign in there, beside a password."""
    return Call("GET", "/v1/oidc", _reader(OidcProvider), signed_in=False)


def begin_by_device() -> Call[OidcDevice]:
    """Begin a sign-in by any other device (RFC 8628)."""
    return Call("POST", "/v1/oidc/device", _reader(OidcDevice), signed_in=False)


def finish_by_device(device_code: str) -> Call[Token | OidcPending]:
    """Trade a device code in for tokens, once somebody has signed in."""
    return Call("POST", "/v1/oidc/device/token", _pending, {"json": {"device_code": device_code}}, signed_in=False)


def begin_by_browser(port: int) -> Call[OidcStart]:
    """Begin a sign-in by a browser of this machine, which comes back to this port of 127.0.0.1 (RFC 8252)."""
    return Call("POST", "/v1/oidc/loopback", _reader(OidcStart), {"json": {"port": str(port)}}, signed_in=False)


def finish_by_browser(started: OidcStart, port: int, code: str, iss: str | None) -> Call[Token]:
    """Trade in for tokens what the browser came back with."""
    kept = {"nonce": started.nonce, "code_verifier": started.code_verifier, "loopback_port": str(port)}
    back = {"code": code, **({} if iss is None else {"iss": iss})}
    return Call("POST", "/v1/oidc/callback", _reader(Token), {"json": {**kept, **back}}, signed_in=False)


def sign_out(refresh_token: str) -> Call[None]:
    """End a session (RFC 7009)."""
    return Call("POST", "/v1/token/revoke", _nothing, {"data": {"token": refresh_token}}, signed_in=False)


def account() -> Call[Account]:
    """Whose token or key this is."""
    return Call("GET", "/v1/me", _reader(Account))


def jobs(state: str | None = None, cursor: str | None = None, limit: int | None = None) -> Call[JobPage]:
    """A page of jobs, newest first; `cursor` is the next_cursor of the page before."""
    given = {"state": state, "cursor": cursor, "limit": limit}
    return Call(
        "GET", "/v1/jobs", _reader(JobPage), {"params": {name: value for name, value in given.items() if value}}
    )


def job(job_id: str) -> Call[Job]:
    """One job."""
    return Call("GET", f"/v1/jobs/{job_id}", _reader(Job))


def cancel(job_id: str) -> Call[Job]:
    """Stop a job."""
    return Call("POST", f"/v1/jobs/{job_id}/cancel", _reader(Job))


def retry(job_id: str) -> Call[Job]:
    """Queue a failed or cancelled job again."""
    return Call("POST", f"/v1/jobs/{job_id}/retry", _reader(Job))


def delete(job_id: str) -> Call[None]:
    """Delete a job with its files."""
    return Call("DELETE", f"/v1/jobs/{job_id}", _nothing)


def api_keys() -> Call[ApiKeyList]:
    """The account's API keys."""
    return Call("GET", "/v1/api-keys", _reader(ApiKeyList))


def make_api_key(name: str, scopes: Sequence[str], expires_at: str | None = None) -> Call[MadeApiKey]:
    """Make an API key; `expires_at` as in RFC 3339."""
    body: dict[str, Any] = {"name": name, "scopes": list(scopes)}
    return Call(
        "POST", "/v1/api-keys", _reader(MadeApiKey), {"json": body | ({"expires_at": expires_at} if expires_at else {})}
    )


def revoke_api_key(key_id: str) -> Call[None]:
    """Revoke an API key."""
    return Call("DELETE", f"/v1/api-keys/{key_id}", _nothing)


def watched(job_id: str, etag: str | None, seconds: int) -> Call[tuple[Job, str | None] | None]:
    """A job with its entity tag, once it differs from `etag` or `seconds` are over (RFC 7240, section 4.3).

    None when there is nothing new.
    """
    known = {"If-None-Match": etag} if etag else {}
    return Call("GET", f"/v1/jobs/{job_id}", _watched, {"headers": {"Prefer": f"wait={seconds}", **known}})


def begin_upload(size: int, metadata: Mapping[str, str]) -> Call[str]:
    """Begin a resumable upload of `size` bytes (tus 1.0.0, creation); its id is the job's."""
    headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": _metadata(metadata)}
    return Call("POST", "/v1/uploads", _id, {"headers": headers})


def upload_offset(upload_id: str) -> Call[int]:
    """How many bytes of an upload have arrived (tus 1.0.0, core)."""
    return Call("HEAD", f"/v1/uploads/{upload_id}", _offset, {"headers": TUS})


def append(upload_id: str, offset: int, content: Iterable[bytes]) -> Call[int]:
    """Send what comes after the first `offset` bytes; gives the new offset (tus 1.0.0, core)."""
    headers = {**TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    return Call("PATCH", f"/v1/uploads/{upload_id}", _offset, {"headers": headers, "content": content})


def audio(job_id: str, start: int = 0, etag: str | None = None) -> Call[None]:
    """The MP3 of a job, from byte `start` on if it still has `etag` (RFC 9110, section 13.1.5). To be streamed."""
    headers = {"Range": f"bytes={start}-", "If-Range": etag} if start and etag else {}
    return Call("GET", f"/v1/jobs/{job_id}/audio", _nothing, {"headers": headers})


def _metadata(pairs: Mapping[str, str]) -> str:
    return ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in pairs.items())


def _reader(kind: type[T]) -> Callable[[httpx.Response], T]:
    decode = msgspec.json.Decoder(kind).decode
    return lambda answer: decode(answer.content)


def _pending(answer: httpx.Response) -> Token | OidcPending:
    kind: type[Token | OidcPending] = OidcPending if answer.status_code == httpx.codes.ACCEPTED else Token
    return msgspec.json.decode(answer.content, type=kind)


def _watched(answer: httpx.Response) -> tuple[Job, str | None] | None:
    if answer.status_code == httpx.codes.NOT_MODIFIED:
        return None
    return msgspec.json.decode(answer.content, type=Job), answer.headers.get("ETag")


def _id(answer: httpx.Response) -> str:
    return str(answer.headers["Location"].rpartition("/")[2])


def _offset(answer: httpx.Response) -> int:
    return int(answer.headers["Upload-Offset"])


def _nothing(_answer: httpx.Response) -> None:
    return None
