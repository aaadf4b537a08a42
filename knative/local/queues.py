"""The durable queues of the broker: one per Trigger, all in one SQLite file."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from events.wire import Envelope

__all__ = ["QueuedEvent", "Queues"]

Result = TypeVar("Result")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    trigger_name TEXT NOT NULL,
    attributes TEXT NOT NULL,
    data BLOB NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    dead INTEGER NOT NULL DEFAULT 0,
    due_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_due ON messages (trigger_name, due_at);
"""
_INSERT = "INSERT INTO messages (trigger_name, attributes, data, due_at) VALUES (?, ?, ?, ?)"
_NEXT = """
SELECT id, attributes, data, attempts, dead, due_at FROM messages WHERE trigger_name = ? ORDER BY due_at, id LIMIT ?
"""
_POSTPONE = "UPDATE messages SET attempts = ?, due_at = ? WHERE id = ?"
_BURY = "UPDATE messages SET attributes = ?, attempts = 0, dead = 1, due_at = ? WHERE id = ?"
_DELETE = "DELETE FROM messages WHERE id = ?"


@dataclass(frozen=True)
class QueuedEvent:
    """An event in a queue. `attempts` have failed; `dead` ones are for the dead-letter sink."""

    id: int
    envelope: Envelope
    attempts: int
    dead: bool


class Queues:
    """Use as an async context manager. What a method has done is on the disk when it returns.

    Which messages are being delivered is known only in memory: after a crash they are delivered again.
    Every method raises sqlite3.Error when the disk is full or fails.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="queues")
        self._epoch = time.time() - _uptime()

    async def __aenter__(self) -> Queues:
        self._connection = await self._run(self._open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._run(self._connection.close)
        self._thread.shutdown()

    def now(self) -> float:
        """The time by which messages are due, in seconds since the epoch: it goes on when the clock is set."""
        return self._epoch + _uptime()

    async def put(self, triggers: Collection[str], envelope: Envelope) -> None:
        """Add the event to the queues of these Triggers: to all of them, or on an error to none."""
        attributes = json.dumps(dict(envelope.attributes))
        rows = [(trigger, attributes, envelope.data, self.now()) for trigger in triggers]
        await self._write(lambda: self._connection.executemany(_INSERT, rows))

    async def next(self, trigger: str, claimed: Collection[int]) -> tuple[QueuedEvent | None, float | None]:
        """The message that has been due the longest, and is not in `claimed`; None when none is due yet.

        Also gives the time at which the next one is due (as `now` has it), None when the queue is empty.
        """
        rows = await self._run(lambda: self._connection.execute(_NEXT, (trigger, len(claimed) + 1)).fetchall())
        for id, attributes, data, attempts, dead, due_at in rows:
            if id in claimed:
                continue
            if due_at > self.now():
                return None, due_at
            return QueuedEvent(id, Envelope(json.loads(attributes), data), attempts, bool(dead)), due_at
        return None, None

    async def acknowledge(self, message: QueuedEvent) -> None:
        """Delivered, or not wanted any more: take it out of its queue."""
        await self._write(lambda: self._connection.execute(_DELETE, (message.id,)))

    async def postpone(self, message: QueuedEvent, seconds: float) -> None:
        """One more attempt has failed; the next is due in so many seconds."""
        row = (message.attempts + 1, self.now() + seconds, message.id)
        await self._write(lambda: self._connection.execute(_POSTPONE, row))

    async def bury(self, message: QueuedEvent, envelope: Envelope) -> None:
        """All attempts have failed: `envelope` is due at the dead-letter sink now."""
        row = (json.dumps(dict(envelope.attributes)), self.now(), message.id)
        await self._write(lambda: self._connection.execute(_BURY, row))

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(_SCHEMA)
        return connection

    async def _write(self, change: Callable[[], object]) -> None:
        def transaction() -> None:
            with self._connection:
                change()

        await self._run(transaction)

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _uptime() -> float:
    # Nobody sets this one, and it goes on while a machine sleeps (clock_gettime(2)).
    return time.clock_gettime(time.CLOCK_BOOTTIME)
