"""What one can ask of audiolift: each call says what to send, and how to read the answer. Nothing is sent here.

    job = client.do(calls.job("0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01"))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from .models import Account, ApiKeyList, Job, JobPage, MadeApiKey, Token

__all__ = [
    "Call",
    "account",
    "api_keys",
    "cancel",
    "delete",
    "job",
    "jobs",
    "make_api_key",
    "renew",
    "retry",
    "revoke_api_key",
    "sign_in",
    "sign_out",
]

T = TypeVar("T")


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request (`send` are httpx's arguments), and what makes a T of the bytes of its answer."""

    method: str
    path: str
    read: Callable[[bytes], T]
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


def _reader(kind: type[T]) -> Callable[[bytes], T]:
    return msgspec.json.Decoder(kind).decode


def _nothing(_body: bytes) -> None:
    return None
