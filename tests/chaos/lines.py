"""Connections that can be cut off half-way, or be slow: a proxy in front of a server, which passes TCP on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from knative.local.process import LOCALHOST
from tests.proxy import PIECE, Proxy

__all__ = ["Line"]

# Of a connection that is made while connections are cut off: so many bytes get through, in both directions together.
MOST_BYTES = 6000
SLOW_SECONDS = 0.1


class Line(Proxy):
    """Leads from a port of its own to that of a server, which may come and go. Use it as a context.

    `port` is its own; `cut` counts the connections that were cut off.
    """

    def __init__(self, name: str, to_port: int, seed: int) -> None:
        self.name, self.cut = name, 0
        self._to_port, self._random = to_port, random.Random(seed)
        self._is_cut, self._pause = False, 0.0
        self._open: set[_Connection] = set()

    def leads(self, url: str) -> str:
        """The URL, by way of this line."""
        return url.replace(f":{self._to_port}", f":{self.port}")

    @contextmanager
    def cutting(self) -> Iterator[None]:
        """What is open is reset at once; during the block, each new connection after some bytes."""
        self._is_cut = True
        self._run(self._cut_all())
        try:
            yield
        finally:
            self._is_cut = False

    @contextmanager
    def slow(self) -> Iterator[None]:
        """During the block, each piece of what is passed on takes a while."""
        self._pause = SLOW_SECONDS
        try:
            yield
        finally:
            self._pause = 0.0

    async def _cut_all(self) -> None:
        for connection in list(self._open):
            self.cut += 1
            connection.reset()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            back, there = await asyncio.open_connection(LOCALHOST, self._to_port)
            connection = _Connection(writer, there, self._random.randrange(MOST_BYTES))
            self._open.add(connection)
            try:
                both = (self._pass_on(reader, there, connection), self._pass_on(back, writer, connection))
                await asyncio.gather(*both)
            finally:
                self._open.discard(connection)
                there.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, of: _Connection) -> None:
        while data := await reader.read(PIECE):
            of.left -= len(data)
            if self._is_cut and of.left < 0:
                self.cut += 1
                of.reset()
                return
            if self._pause:
                await asyncio.sleep(self._pause)
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


class _Connection:
    """Both sides of one; `left` is how many bytes get through while connections are cut off."""

    def __init__(self, here: asyncio.StreamWriter, there: asyncio.StreamWriter, left: int) -> None:
        self.left = left
        self._abort: list[Callable[[], None]] = [here.transport.abort, there.transport.abort]

    def reset(self) -> None:
        for abort in self._abort:
            abort()
