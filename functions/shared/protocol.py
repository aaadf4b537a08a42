"""HTTP/1.1 as uvicorn speaks it over httptools, with bounds: its parser has none for what is not a body."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from functions.shared.lingering import LINGER_SECONDS
from functions.shared.problems import Problem

__all__ = ["GRACE_SECONDS", "MAX_HEAD_BYTES", "BoundedProtocol"]

# What the broker's ingress and the queue-proxy let through (Go's net/http: 1 MiB for all headers), and what is added on
# the way. A server that refuses it does so by a 4xx of its own, on which the dispatcher drops the event.
MAX_HEAD_BYTES = 2 * 1024 * 1024
# How long a connection without a request is kept after SIGTERM: its first one may be on the way.
GRACE_SECONDS = 3.0


class _TooLarge(Exception):
    pass


class BoundedProtocol(HttpToolsProtocol):
    """Refuses heads (and trailers) of more than MAX_HEAD_BYTES with 431; at SIGTERM takes what is on its way."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        # Since the request's first byte, the fields; since the last piece of a body, all bytes that are part of none.
        self._field_bytes = self._pending_bytes = 0
        self._refused = self._last = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Also a first request is not waited for without end."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        """Count what leads nowhere yet."""
        if self._refused:
            return
        self._pending_bytes += len(data)
        super().data_received(data)
        if self._pending_bytes > MAX_HEAD_BYTES and not self._refused:
            self._refuse()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._field_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a field; the parser hands an exception on as an error of the request."""
        self._field_bytes += len(name) + len(value)
        if self._field_bytes > MAX_HEAD_BYTES:
            raise _TooLarge
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._pending_bytes = 0
        super().on_headers_complete()
        if self._last:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A piece of the body is there."""
        self._pending_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of the request is there."""
        self._pending_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What the parser does not take is answered 400, what is too large 431."""
        if self._field_bytes > MAX_HEAD_BYTES:
            self._refuse()
        else:
            super().send_400_response(msg)

    def shutdown(self) -> None:
        """The process is to end: so does the connection, after a request that is under way, or just coming."""
        if self.cycle is None or self._pending_bytes:
            self._last = True
            self.loop.call_later(GRACE_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def _refuse(self) -> None:
        self._refused = True
        if self.cycle is not None and not self.cycle.response_complete:
            return self.transport.close()
        problem = Problem("headers-too-large", f"A request's head may have {MAX_HEAD_BYTES:,} bytes.")
        body = problem.body()
        named = {**problem.headers, "Content-Length": str(len(body)), "Connection": "close"}
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        self.transport.write(f"HTTP/1.1 {problem.status} \r\n{head}\r\n".encode() + body)
        # Until the client ends it: lingering.py says why.
        self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)
        return None
