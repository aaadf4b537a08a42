"""An HTTP server that a video is fetched from, with ranges (RFC 9110, section 14), and what goes wrong in between."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate

from tests.patience import PATIENCE
from tests.servers.listening import Listening, Quiet

__all__ = ["Origin", "Pieces", "Turn"]

# What is done instead of an answer; True when that was one.
Turn = Callable[["_Handler"], bool]


class Origin(Listening):
    """Serves `content`. `turns` are taken one by one, a request each; after them all requests are answered properly.

    `validator` is etag, modified, weak or none; `asked` has the Range of each request ("" for none).
    """

    def __init__(self, content: bytes, address: str = "127.0.0.1", validator: str = "etag", port: int = 0) -> None:
        super().__init__(_Handler, address, port)
        self.content, self.validator, self.ranges = content, validator, True
        self.turns: list[Turn] = []
        self.asked: list[str] = []
        self.modified = time.time() - 3600
        self.url += "/talk.mp4"

    @property
    def etag(self) -> str:
        """Of the content."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:16]}"'

    def cut(self, after: int) -> None:
        """Let the next answer end after so many bytes of its body."""
        self.turns.append(lambda handler: handler.answer(after))

    def stall(self, after: int, until: threading.Event) -> None:
        """Let the next answer stop after so many bytes of its body, and say nothing more before `until`."""
        self.turns.append(lambda handler: handler.answer(after, until))

    def status(self, status: int, **headers: str) -> None:
        """Let the next answer have this status."""
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.turns.append(lambda handler: handler.head(status, [*named, ("Content-Length", "0")]))

    def act(self, change: Callable[[], object]) -> None:
        """Do something before the next request is answered."""

        def turn(handler: _Handler) -> bool:
            change()
            return handler.answer()

        self.turns.append(turn)


class Pieces:
    """A sink that keeps what came, and counts how often it came anew."""

    def __init__(self) -> None:
        self.content, self.restarts = bytearray(), 0

    def write(self, data: bytes) -> None:
        """The next bytes."""
        self.content += data

    def restart(self) -> None:
        """From the beginning."""
        self.content.clear()
        self.restarts += 1


class _Handler(Quiet):
    server: Origin
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        origin = self.server
        origin.asked.append(self.headers.get("Range", ""))
        with suppress(ConnectionError):
            turn = origin.turns.pop(0) if origin.turns else _Handler.answer
            turn(self)

    def answer(self, cut_after: int | None = None, until: threading.Event | None = None) -> bool:
        content, start = self.server.content, self._start()
        body = content[start:]
        headers = [("Content-Length", str(len(body))), *self._validators()]
        if start:
            headers.append(("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}"))
        self.head(206 if start else 200, headers)
        self.wfile.write(body[:cut_after])
        if until:
            until.wait(PATIENCE)
        self.close_connection = self.close_connection or cut_after is not None
        return True

    def head(self, status: int, headers: list[tuple[str, str]]) -> bool:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        return True

    def _start(self) -> int:
        wanted, condition = self.headers.get("Range", ""), self.headers.get("If-Range")
        current = [value for name, value in self._validators() if name in ("ETag", "Last-Modified")]
        if not self.server.ranges or not wanted or condition not in current:
            return 0
        return int(wanted.removeprefix("bytes=").partition("-")[0])

    def _validators(self) -> list[tuple[str, str]]:
        origin = self.server
        if origin.validator == "modified":
            return [("Last-Modified", formatdate(origin.modified, usegmt=True))]
        etag = {"etag": origin.etag, "weak": f"W/{origin.etag}"}.get(origin.validator)
        return [("ETag", etag)] if etag else []
