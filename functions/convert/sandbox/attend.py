"""The parent's side of one child: serves its ranges, receives its messages, and keeps the deadline."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from typing import Any

from functions.convert.conversion.source import RangeSource
from functions.convert.errors import ProtocolViolation, TimedOut
from functions.convert.sandbox.channel import take_message, take_request

__all__ = ["TICK_SECONDS", "OnMessage", "attend"]

TICK_SECONDS = 0.25
_READ_BYTES = 256 * 1024

OnMessage = Callable[[dict[str, Any], bytes], None]


def attend(
    ranges: socket.socket,
    messages: socket.socket,
    source: RangeSource,
    on_message: OnMessage,
    tick: Callable[[], None],
    deadline: float,
) -> None:
    """Serve the child at the other ends of these two sockets until it has closed both.

    `tick` is called at the start and then every TICK_SECONDS, as far as `source` and `on_message` return in time.
    Raises: TimedOut at `deadline` (monotonic seconds), ProtocolViolation, and what `source`, `on_message` and `tick`
    raise.
    """
    next_tick = 0.0
    with selectors.DefaultSelector() as selector:
        for side in (_RangeServer(ranges, source), _MessageReceiver(messages, on_message)):
            side.socket.setblocking(False)
            selector.register(side.socket, selectors.EVENT_READ, side)
        while selector.get_map():
            now = time.monotonic()
            if now > deadline:
                raise TimedOut
            if now >= next_tick:
                tick()
                next_tick = now + TICK_SECONDS
            _serve_ready(selector, max(0.0, min(next_tick, deadline) - now))


def _serve_ready(selector: selectors.BaseSelector, timeout: float) -> None:
    for key, _ in selector.select(timeout):
        try:
            wanted = key.data.serve()
        except BlockingIOError:
            continue
        except ConnectionError:
            wanted = 0
        if not wanted:
            selector.unregister(key.fileobj)
        elif wanted != key.events:
            selector.modify(key.fileobj, wanted, key.data)


class _RangeServer:
    """Answers one request after the other: while a reply is not sent, it reads no further request."""

    def __init__(self, socket: socket.socket, source: RangeSource) -> None:
        self.socket = socket
        self._source = source
        self._asked = bytearray()
        self._reply = memoryview(b"")

    def serve(self) -> int:
        """Read or write what is possible now. Returns: what to wait for next (EVENT_…), 0 at the end."""
        if not self._reply:
            data = self.socket.recv(_READ_BYTES)
            if not data:
                return 0
            self._asked += data
            self._take()
        if self._reply:
            self._reply = self._reply[self.socket.send(self._reply) :]
        return selectors.EVENT_WRITE if self._reply else selectors.EVENT_READ

    def _take(self) -> None:
        request = take_request(self._asked, self._source.size)
        if request is None:
            return
        # The child asks anew when it has its reply.
        if self._asked:
            raise ProtocolViolation("a request before the reply to the last one")
        reply = self._source.fetch(request)
        if len(reply) != sum(length for _, length in request):
            raise ValueError(f"the source gave {len(reply)} bytes for {request[:3]}…")
        self._reply = memoryview(reply)


class _MessageReceiver:
    def __init__(self, socket: socket.socket, on_message: OnMessage) -> None:
        self.socket = socket
        self._on_message = on_message
        self._received = bytearray()

    def serve(self) -> int:
        """Read what is there and pass whole messages on. Returns: as `_RangeServer.serve`."""
        data = self.socket.recv(_READ_BYTES)
        self._received += data
        while (whole := take_message(self._received)) is not None:
            self._on_message(*whole)
        return selectors.EVENT_READ if data else 0
