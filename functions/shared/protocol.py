"""HTTP/1.1 as uvicorn speaks it over httptools, with bounds: its parser has none for what is not a body."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from functions.shared.crowd import Crowd
from functions.shared.incoming import PIECE, Incoming
from functions.shared.lingering import LINGER_SECONDS
from functions.shared.outgoing import Outgoing
from functions.shared.pace import Pace
from functions.shared.problems import Problem
from functions.shared.reading import Reading

__all__ = ["GRACE_SECONDS", "MAX_HEAD_BYTES", "MAX_WAITING", "BoundedProtocol"]

# What the broker's ingress and the queue-proxy let through (Go's net/http: 1 MiB for all headers), and what is added on
# the way. A server that refuses it does so by a 4xx of its own, on which the dispatcher drops the event.
MAX_HEAD_BYTES = 2 * 1024 * 1024
# How long a connection without a request is kept after SIGTERM: its first one may be on the way.
GRACE_SECONDS = 3.0
# Requests that may wait on a connection for the one before them. All that have come are read in one turn of the event
# loop, while nobody else has one; a client that sends more is answered these, and asks again for the rest by another
# connection, as any client that sends ahead must be able to (RFC 9112, section 9.3.2).
MAX_WAITING = 16
# What all connections hold of bodies that nobody has read yet, beside what is waiting in the kernel and comes at once.
# Of a thousand, each has little; one has no more than stays in the processor's cache until it is read.
HELD_BYTES, MIN_HELD_BYTES, MAX_HELD_BYTES = 16 * 1024 * 1024, 16 * 1024, 1024 * 1024


class _Malformed(Exception):
    """Raised in a callback of the parser, which hands it on as an error of the request."""


class BoundedProtocol(HttpToolsProtocol):
    """Refuses heads (and trailers) of more than MAX_HEAD_BYTES, and what is no HTTP/1.1; ends what makes no progress.

    At SIGTERM it takes what is on its way.
    """

    pace = Pace()
    # Of the process: made with its first connection, when it may have as many as it ever may.
    crowd: Crowd | None = None

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        # Since the request's first byte, the fields; since the last piece of a body, all bytes that are part of none.
        self._field_bytes = self._pending_bytes = 0
        self._refused = self._last = False
        self._watch = self.pace.watch(self)
        self._crowd = type(self).crowd = type(self).crowd or Crowd()
        self._incoming: Incoming
        # Between requests and in a head; not in a body.
        self.expects_head = True
        self.body_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Also a first request is not waited for without end."""
        super().connection_made(transport)
        transport.set_protocol(Reading(self))
        if self._share() < PIECE:
            # The kernel doubles it (socket(7)), and no more than that comes at once.
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._share() // 2)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        self._crowd.waits(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """There is nothing to watch any more."""
        self._watch.end()
        self._crowd.left(self)
        super().connection_lost(exc)

    def data_received(self, data: memoryview) -> None:  # type: ignore[override]
        """Count what leads nowhere yet."""
        if self._refused:
            return
        self._pending_bytes += len(data)
        super().data_received(data)  # type: ignore[arg-type]
        if self._pending_bytes > MAX_HEAD_BYTES:
            self._refuse(_too_large())
        if not self._refused:
            self._watch.goes_on(self._pending_bytes)
            self._crowd.holds(self, self._pending_bytes)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._field_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a field."""
        self._field_bytes += len(name) + len(value)
        if self._field_bytes > MAX_HEAD_BYTES:
            raise _Malformed
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there."""
        if len(self.pipeline) >= MAX_WAITING or not _is_sound(self.parser.get_http_version(), self.headers):
            raise _Malformed
        self._pending_bytes = self.body_bytes = 0
        self.expects_head = False
        self._crowd.goes_on(self)
        super().on_headers_complete()
        # Before its task has run for the first time.
        self._incoming = Incoming(self.cycle)
        self.cycle.transport = Outgoing(self.transport, self.loop)  # type: ignore[assignment]
        # What comes after a request that asks for another protocol would not be read as requests.
        if self._last or self.parser.should_upgrade():
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A piece of the body is there."""
        self._pending_bytes = 0
        self.body_bytes += len(body)
        if self.cycle.response_complete:
            return
        self._incoming.add(body)
        if self._incoming.size_bytes > self._share():
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        """All of the request is there."""
        self._pending_bytes = 0
        self.expects_head = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The connection waits for the next request, if there is none yet."""
        super().on_response_complete()
        if not self.pipeline and not self.transport.is_closing():
            self._crowd.waits(self)

    def crowded_out(self) -> None:
        """The connection is needed for others."""
        self._flush()
        self.transport.close()
        # An answer that is still on its way has so long to be taken.
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has taken what was written."""
        self._watch.was_read()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What the parser does not take is answered 400, what is too large 431; nothing of it is said again."""
        self._refuse(_too_large() if self._field_bytes > MAX_HEAD_BYTES else _no_http())

    def too_slow(self) -> None:
        """The client makes no progress: it is told, if that is still possible, and the connection ends."""
        if self.flow.write_paused:
            # Closing would wait until it has taken what is written.
            return self.transport.abort()
        return self._refuse(Problem("too-slow", "Send the request again, by a faster connection."))

    def shutdown(self) -> None:
        """The process is to end: so does the connection, after a request that is under way, or just coming."""
        self._flush()
        if self.cycle is None or self._pending_bytes:
            self._last = True
            self.loop.call_later(GRACE_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def _share(self) -> int:
        """How many bytes of a body this connection may hold, of what all may."""
        return min(MAX_HELD_BYTES, max(MIN_HELD_BYTES, HELD_BYTES // max(1, len(self.connections))))

    def _refuse(self, problem: Problem) -> None:
        """Take nothing more. Requests that were whole before are answered; nothing else is after that."""
        if self._refused:
            return
        self._refused = True
        self._watch.end()
        if self.cycle is None or self.cycle.response_complete:
            return self._say(problem)
        if not self.cycle.more_body:
            self.cycle.keep_alive = False
        elif self.cycle.response_started or self.pipeline:
            self.transport.close()
        else:
            # As if the client had gone: what the handler still says is not sent.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._say(problem)
        return None

    def _say(self, problem: Problem) -> None:
        body = problem.body()
        named = {**problem.headers, "Content-Length": str(len(body)), "Connection": "close"}
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        self._flush()
        self.transport.write(f"HTTP/1.1 {problem.status} \r\n{head}\r\n".encode() + body)
        # Until the client ends it: lingering.py says why.
        self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _flush(self) -> None:
        """Send what an answer holds back for the next moment."""
        if self.cycle:
            self.cycle.transport.flush()  # type: ignore[attr-defined]


def _too_large() -> Problem:
    return Problem("headers-too-large", f"A request's head may have {MAX_HEAD_BYTES:,} bytes.")


def _no_http() -> Problem:
    return Problem("bad-request", "What was sent is no request of HTTP/1.1 (RFC 9112).")


def _is_sound(version: str, headers: list[tuple[bytes, bytes]]) -> bool:
    """What the parser does not see to: version, Host (RFC 9112, 3.2), and that `chunked` alone frames a body (6.1)."""
    hosts = sum(name == b"host" for name, _ in headers)
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if version == "1.0":
        return hosts <= 1 and not codings
    return version == "1.1" and hosts == 1 and codings in ([], [b"chunked"])
