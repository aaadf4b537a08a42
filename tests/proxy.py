"""Proxies of TCP connections."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from tests.servers.looping import InLoop

__all__ = ["PIECE", "Proxy", "Relay"]

# So much at a time is passed on.
PIECE = 16 * 1024


class Proxy(InLoop):
    """A subclass says in `_serve` what becomes of a connection; one whose `_serve` has ended is reset."""

    async def _listen(self) -> asyncio.Server:
        self._tasks: set[asyncio.Task[None]] = set()
        return await asyncio.start_server(self._take, self.address, 0)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._serve(reader, writer))
        # The loop has only a weak reference to a task: one that stalls could be collected as garbage.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Even of a task that is cancelled before its first line.
        task.add_done_callback(lambda _: writer.transport.abort())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError


class Relay(Proxy):
    """Passes everything on to port `target` of this machine's loopback; `taken` counts the connections."""

    def __init__(self, target: int, address: str = "127.0.0.1") -> None:
        self.target, self.address, self.taken = target, address, 0
        self._flowing = asyncio.Event()
        self._flowing.set()

    def hang(self) -> None:
        """Take connections and bytes, and pass nothing on: a server that is there and does not answer."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def flow(self) -> None:
        """Pass on what was held back, and all that comes."""
        self._loop.call_soon_threadsafe(self._flowing.set)

    def cut(self) -> None:
        """Reset every connection, in the middle of whatever is under way."""
        self._run(self._cut())

    async def _cut(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        with suppress(OSError, asyncio.CancelledError):
            back, there = await asyncio.open_connection("127.0.0.1", self.target)
            try:
                await _until_one_ends(self._carry(reader, there), self._carry(back, writer))
                # What is on its way arrives.
                there.close()
                writer.close()
                await asyncio.gather(there.wait_closed(), writer.wait_closed(), return_exceptions=True)
            finally:
                there.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(PIECE):
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()


async def _until_one_ends(*ways: Coroutine[Any, Any, None]) -> None:
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
