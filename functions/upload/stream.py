"""The bytes of a request's body on their way to where threads write them; all uploads of a process share one buffer."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from starlette.requests import Request

from functions.upload.threads import blocking

__all__ = ["Disconnected", "Sink", "pause_seconds", "pieces"]

# What all uploads hold, but for a few of them: while one batch is written, so many come.
BUFFER_BYTES = 16 * 1024 * 1024
MAX_BATCH_BYTES, MIN_BATCH_BYTES = 1024 * 1024, 16 * 1024
AHEAD = 2
# Where a batch is smaller than that, there are so many uploads that no more than one comes while one is written.
AHEAD_BYTES = 128 * 1024
# So many batches are written before another upload has the thread.
BATCHES = 16
# Of a slow client, a batch is written after so long.
BATCH_SECONDS = 1.0

# Chores beside the bytes (a lease is looked after, what arrived is recorded) are done so often by all uploads together.
CHORES_A_SECOND = 50

# The last batches that were written are held on to for a while. Their memory would be used for the next bytes at once,
# and to write into what another core has just read takes four times as long, until its cache has forgotten that.
_cooling: deque[list[bytes]] = deque(maxlen=6)

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
    """Takes bytes in, and has them written in a thread, batch after batch. Use it as an async context.

    `write` gets a batch: a list of bytes. What it raises is raised by one of the next calls.
    """

    def __init__(self, write: Callable[[list[bytes]], None]) -> None:
        self._write = write
        # Filled on the event loop, emptied in the thread.
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._began = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Sink:
        global _sinks
        _sinks += 1
        return self

    async def __aexit__(self, *_error: object) -> None:
        global _sinks
        _sinks -= 1
        if not _sinks:
            _cooling.clear()
        # Whoever closes what is written to must not do so under the writer. An error is told already.
        with suppress(Exception):
            await self._settled()

    async def put(self, data: bytes) -> None:
        """Take some bytes; none at all only looks whether a batch is due."""
        if data:
            self._pieces.append(data)
            self._held += len(data)
        if self._held >= _share() or time.monotonic() - self._began >= BATCH_SECONDS:
            await self._go_on()
        while self._held > _most():
            self._news.clear()
            await self._go_on()
            await self._news.wait()

    async def end(self) -> None:
        """Return when all that was taken is written."""
        await self._go_on()
        await self._settled()
        while self._pieces:
            await self._go_on()
            await self._settled()

    async def _go_on(self) -> None:
        """Have somebody write, unless somebody does."""
        if self._writing and not self._writing.done():
            return
        await self._settled()
        self._began = time.monotonic()
        self._writing = asyncio.ensure_future(blocking(self._write_batches))
        self._writing.add_done_callback(lambda _: self._news.set())

    async def _settled(self) -> None:
        writing, self._writing = self._writing, None
        if writing:
            await writing

    def _write_batches(self) -> None:
        """Write as long as there is something: waking a thread takes as long as writing a batch. Others wait, too."""
        for _ in range(BATCHES):
            batch = self._batch()
            self._write(batch)
            _cooling.append(batch)
            self._loop.call_soon_threadsafe(self._written, sum(map(len, batch)))
            if not self._pieces:
                return

    def _batch(self) -> list[bytes]:
        batch: list[bytes] = []
        size = 0
        while self._pieces and size < _share():
            batch.append(self._pieces.popleft())
            size += len(batch[-1])
        return batch

    def _written(self, size: int) -> None:
        self._held -= size
        self._news.set()


def pause_seconds(least: float, most: float) -> float:
    """How long each upload of this process waits between two chores: longer, the more uploads there are."""
    return min(most, max(least, _sinks / CHORES_A_SECOND))


def _most() -> int:
    """How much may be held before the client has to wait."""
    share = _share()
    return share if share < AHEAD_BYTES else AHEAD * share


def _share() -> int:
    """How large a batch may become."""
    return max(MIN_BATCH_BYTES, min(MAX_BATCH_BYTES, BUFFER_BYTES // max(1, _sinks)))
