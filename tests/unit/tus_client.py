"""A client of resumable uploads: the function upload, called in this process with a token."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
from starlette.types import ASGIApp, Receive, Send

from functions.shared import blobs
from functions.upload.uploads import pieces_of
from tests.asgi import Answered, app_of, received, scope_of
from tests.unit import rows

__all__ = ["BYTES", "Client", "content_of", "metadata"]

BYTES = "application/offset+octet-stream"


class Client:
    """Somebody with an account; `secrets` must be in the environment."""

    def __init__(self) -> None:
        self.user_id = rows.user()

    def ask(self, method: str, path: str, body: bytes | Sequence[bytes] = b"", **headers: str) -> Answered:
        """The answer to a request whose body comes in pieces."""
        return self._ask(method, path, body, True, headers)

    def _ask(
        self, method: str, path: str, body: bytes | Sequence[bytes], whole: bool, headers: Mapping[str, str]
    ) -> Answered:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = {"Content-Type": BYTES} if body else {}
        pieces = [body] if isinstance(body, bytes) else body
        length = {} if not whole else {"Content-Length": str(sum(map(len, pieces)))}
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        always = {"Authorization": f"Bearer {self.token()}", "Tus-Resumable": "1.0.0", **length}
        scope = scope_of(method, path, {**always, **kind, **named})
        asyncio.run(_served(scope, received([each for each in pieces if each], whole=whole), send))
        start, *rest = sent
        told = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
        return Answered(start["status"], told, b"".join(message.get("body", b"") for message in rest))

    def create(self, size: int | None, body: bytes = b"", **headers: str) -> str:
        """Begin an upload. Returns: its path."""
        said = {"Upload_Defer_Length": "1"} if size is None else {"Upload_Length": str(size)}
        answer = self._ask("POST", "/v1/uploads", body, True, {**said, **headers})
        assert answer.status == 201, answer.body
        return answer.headers["location"]

    def patch(
        self, path: str, offset: int, body: bytes | Sequence[bytes], *, whole: bool = True, **headers: str
    ) -> Answered:
        """The answer to the next bytes; unless the request is `whole`, the client goes before its end."""
        headers = {"Content_Type": BYTES, "Upload_Offset": str(offset), **headers}
        return self._ask("PATCH", path, body, whole, headers)

    def offset(self, path: str) -> int:
        """How much has arrived."""
        answer = self.ask("HEAD", path)
        assert answer.status == 200
        return int(answer.headers["upload-offset"])

    def token(self, seconds: float = 60) -> str:
        """An access token that is good for so long."""
        key, now = json.loads(os.environ["SIGNING_KEY"]), int(time.time())
        claims = {"iss": "audiolift", "aud": "audiolift", "sub": self.user_id, "iat": now, "exp": now + seconds}
        return jwt.encode(claims, jwt.PyJWK(key).key, "ES256", headers={"kid": key["kid"], "typ": "at+jwt"})


@functools.cache
def _app() -> ASGIApp:
    return app_of("upload")


async def _served(scope: Any, receive: Receive, send: Send) -> None:
    await _app()(scope, receive, send)


def content_of(path: str) -> bytes:
    """What has arrived of an upload, or is the video of its job."""
    job_id = path.rpartition("/")[2]
    video, store = rows.read(job_id).video, blobs.store()
    parts = [video] if video else [piece.name for piece in pieces_of(job_id)]
    return b"".join(data for name in parts for data in store.read(name, 0, store.size(name)))


def metadata(**pairs: str) -> str:
    """Upload-Metadata."""
    return ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in pairs.items())
