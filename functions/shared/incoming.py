"""A request's body on its way into the process: pieces as they came, until a handler asks for them.

The server would put them together, and copy them out again: for a fast upload, that is a good part of what it costs.
"""

from __future__ import annotations

from collections import deque

from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

__all__ = ["PIECE", "Incoming"]

# As much as comes at once.
PIECE = 1024 * 1024


class Incoming:
    """What has come of the body of one request, and is not read yet. Used by one thread, that of the event loop."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._pieces: deque[bytes] = deque()
        self.size_bytes = 0
        # The server reads it when a handler asks for the body.
        cycle.receive = self.receive  # type: ignore[method-assign, assignment]

    def add(self, piece: bytes) -> None:
        """A piece has come."""
        self._pieces.append(piece)
        self.size_bytes += len(piece)
        self._cycle.message_event.set()

    async def receive(self) -> Message:
        """The next bytes, as ASGI has it. The client may send more once there are none left.

        The first call of a request that waits to be asked for its body asks for it (RFC 9110, section 10.1.1).
        """
        cycle = self._cycle
        if cycle.waiting_for_100_continue and not cycle.transport.is_closing():
            cycle.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            cycle.waiting_for_100_continue = False
        if not self._pieces and not self._is_over:
            cycle.flow.resume_reading()
            await cycle.message_event.wait()
        return {"type": "http.disconnect"} if self._is_over else self._message()

    @property
    def _is_over(self) -> bool:
        return self._cycle.disconnected or self._cycle.response_complete

    def _message(self) -> Message:
        body = self._next()
        self.size_bytes -= len(body)
        if not self._pieces:
            self._cycle.message_event.clear()
        return {"type": "http.request", "body": body, "more_body": bool(self._pieces) or self._cycle.more_body}

    def _next(self) -> bytes:
        """A large piece as it came; small ones put together, as long as they are no large one."""
        taken: list[bytes] = []
        size = 0
        while self._pieces and (not taken or size + len(self._pieces[0]) <= PIECE):
            taken.append(self._pieces.popleft())
            size += len(taken[-1])
        return taken[0] if len(taken) == 1 else b"".join(taken)
