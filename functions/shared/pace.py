"""How slow a client may be, before its connection is needed for others.

A head has to come within a time. A body and an answer have to go on: a client is cut off after some windows of time in
a row in which it was waited for, and sent too little or took nothing. While we do not read, it is not the client's
fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functions.shared.protocol import BoundedProtocol

__all__ = ["Pace"]


@dataclass(frozen=True)
class Pace:
    """The bounds: seconds for a head, and of a window; bytes of a body in each; how many windows in a row are too many.

    Of an answer nothing may be taken for longer: a player reads no further than it plays.
    """

    head_seconds: float = 20
    window_seconds: float = 20
    body_bytes: int = 10_240
    body_windows: int = 3
    answer_windows: int = 15

    def watch(self, connection: BoundedProtocol) -> _Watch:
        """The watch over a connection that was just made."""
        return _Watch(self, connection)


class _Watch:
    """Looks at a connection when a head has begun, and once in every window of a request that is under way."""

    def __init__(self, pace: Pace, connection: BoundedProtocol) -> None:
        self._pace, self._connection = pace, connection
        self._timer: asyncio.TimerHandle | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._slow, self._seen, self._unread = 0, 0, 0
        self._read = False

    def goes_on(self, pending_bytes: int) -> None:
        """Bytes have come; `pending_bytes` of them lead nowhere yet."""
        begun = self._connection.expects_head and pending_bytes > 0
        if begun and self._head_timer is None:
            self._head_timer = self._later(self._pace.head_seconds, self._connection.too_slow)
        if not begun and self._head_timer:
            self._head_timer.cancel()
            self._head_timer = None
        if self._timer is None and not begun:
            self._timer = self._later(self._pace.window_seconds, self._look)

    def was_read(self) -> None:
        """The client has taken most of what was written."""
        self._read = True

    def end(self) -> None:
        """Look no more."""
        for timer in (self._timer, self._head_timer):
            if timer:
                timer.cancel()

    def _look(self) -> None:
        self._timer = None
        connection = self._connection
        most = self._pace.answer_windows if connection.flow.write_paused else self._pace.body_windows
        self._slow = self._slow + 1 if self._stands_still() else 0
        self._seen, self._read = connection.body_bytes, False
        self._unread = connection.transport.get_write_buffer_size()
        if self._slow >= most:
            connection.too_slow()
        elif connection.cycle and not connection.cycle.response_complete:
            self._timer = self._later(self._pace.window_seconds, self._look)

    def _stands_still(self) -> bool:
        """Whether the client was waited for in this window, and did too little."""
        connection, cycle = self._connection, self._connection.cycle
        if cycle is None or cycle.response_complete:
            return False
        if connection.flow.write_paused:
            return not self._read and connection.transport.get_write_buffer_size() >= self._unread > 0
        waits = not connection.expects_head and not connection.flow.read_paused and not cycle.waiting_for_100_continue
        return waits and connection.body_bytes - self._seen < self._pace.body_bytes

    def _later(self, seconds: float, act: Callable[[], None]) -> asyncio.TimerHandle:
        return self._connection.loop.call_later(seconds, act)
