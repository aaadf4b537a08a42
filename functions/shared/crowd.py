"""How many connections there are, and what heads that are not whole yet hold of the memory: both have bounds.

Without them, whoever opens enough connections has all file descriptors: nobody else is let in then, and the gateway
reaches no function. When there are too many, the one that has waited longest for a request ends, as nginx has it; when
heads hold too much, the connection with the longest head.
"""

from __future__ import annotations

import resource
from typing import Protocol

__all__ = ["Crowd", "allow_many"]

# Some 10 kB each.
MAX_CONNECTIONS, MAX_HEADS_BYTES = 10_000, 64 * 1024 * 1024


class _Connection(Protocol):
    def crowded_out(self) -> None: ...


class Crowd:
    """The connections of a process. Used by one thread, that of the event loop."""

    def __init__(self, most: int | None = None, most_bytes: int = MAX_HEADS_BYTES) -> None:
        # A request takes two descriptors where it is passed on.
        self._most = most or min(MAX_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        self._most_bytes, self._bytes = most_bytes, 0
        self._open: set[_Connection] = set()
        # By how long they have waited, the longest first; and what each one's head holds.
        self._waiting: dict[_Connection, None] = {}
        self._heads: dict[_Connection, int] = {}

    def waits(self, connection: _Connection) -> None:
        """A connection, new or not, begins to wait for a request."""
        self._open.add(connection)
        self._waiting[connection] = None
        while len(self._open) > self._most and self._waiting:
            self._end(next(iter(self._waiting)))

    def holds(self, connection: _Connection, count: int) -> None:
        """A connection has so many bytes of a head that is not whole, or none."""
        self._bytes += count - self._heads.pop(connection, 0)
        if count:
            self._heads[connection] = count
        while self._bytes > self._most_bytes:
            self._end(max(self._heads, key=self._heads.__getitem__))

    def goes_on(self, connection: _Connection) -> None:
        """Its request is there."""
        self._waiting.pop(connection, None)
        self.holds(connection, 0)

    def left(self, connection: _Connection) -> None:
        """It has ended."""
        self._open.discard(connection)
        self.goes_on(connection)

    def _end(self, connection: _Connection) -> None:
        self.left(connection)
        connection.crowded_out()


def allow_many() -> None:
    """Let this process have as many files and connections as it may: what it is given at first is often 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
