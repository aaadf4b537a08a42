"""The bytes of a request's body on their way to where threads write them; all uploads of a process share one buffer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from starlette.requests import Request

from functions.upload.threads import blocking

__all__ = ["Disconnected", "Sink", "pause_seconds", "pieces"]

# What all uploads hold on the event loop; a few of them twice: one batch is written while the next one comes.
BUFFER_BYTES = 16 * 1024 * 1024
MAX_BATCH_BYTES, MIN_BATCH_BYTES = 1024 * 1024, 16 * 1024
# Where a batch is smaller than that, there are so many uploads that the next one is not read before it is written.
AHEAD_BYTES = 128 * 1024
# Of a slow client, a batch is written after so long.
BATCH_SECONDS = 1.0

# Chores beside the bytes (a lease is looked after, what arrived is recorded) are done so often by all uploads together.
CHORES_A_SECOND = 50

_sinks = 0


class Disconnected(Exception):
    """The client went before the body's end."""


async def pieces(request: Request, tick: float | None = None) -> AsyncIterator[bytes]:
    """The body, as it comes; with `tick`, an empty piece after so many seconds in which nothing came.

    Raises: Disconnected.
    """
    more = True
    while more:
        try:
            async with asyncio.timeout(tick):
                message = await request.receive()
        except TimeoutError:
            yield b""
            continue
        if message["type"] == "http.disconnect":
            raise Disconnected
        more = message.get("more_body", False)
        if body := message.get("body"):
            yield body


class Sink:
    """Takes bytes in, and has them written in threads, batch after batch. Use it as an async context.

    `write` gets a batch: a list of bytes. What it raises is raised by the next call.
    """

    def __init__(self, write: Callable[[list[bytes]], None]) -> None:
        self._write = write
        self._batch: list[bytes] = []
        self._size = 0
        self._began = time.monotonic()
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Sink:
        global _sinks
        _sinks += 1
        return self

    async def __aexit__(self, *_error: object) -> None:
        global _sinks
        _sinks -= 1
        if self._writing:
            # Whoever closes what is written to must not do so under the writer. An error is told already.
            with suppress(Exception):
                await self._settled()

    async def put(self, data: bytes) -> None:
        """Take some bytes; none at all only looks whether the batch is due."""
        if data:
            self._batch.append(data)
            self._size += len(data)
        if self._size >= _share() or time.monotonic() - self._began >= BATCH_SECONDS:
            await self._begin()
        if _share() < AHEAD_BYTES:
            await self._settled()

    async def end(self) -> None:
        """Return when all that was taken is written."""
        await self._begin()
        await self._settled()

    async def _begin(self) -> None:
        await self._settled()
        batch, self._batch, self._size, self._began = self._batch, [], 0, time.monotonic()
        self._writing = asyncio.ensure_future(blocking(self._write, batch))

    async def _settled(self) -> None:
        writing, self._writing = self._writing, None
        if writing:
            await writing


def pause_seconds(least: float, most: float) -> float:
    """How long each upload of this process waits between two chores: longer, the more uploads there are."""
    return min(most, max(least, _sinks / CHORES_A_SECOND))


def _share() -> int:
    """How large a batch may become."""
    return max(MIN_BATCH_BYTES, min(MAX_BATCH_BYTES, BUFFER_BYTES // max(1, _sinks)))
