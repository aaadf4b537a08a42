"""A proxy that cuts connections at random: what is sent through it seldom gets through at once."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from urllib.parse import urlsplit

from tests.proxy import PIECE, Proxy

__all__ = ["CuttingProxy"]


class CuttingProxy(Proxy):
    """Passes TCP connections on to `url`, and cuts each once it has carried so many bytes towards it: some of `bounds`.

    It cuts `cuts` of them, then it lets everything through. Where it `stalls`, it passes nothing more on instead, and
    leaves them open. It waits for `pause` seconds after every 16 KiB.
    `url` is the proxy's own, `cut` how many it has cut so far, `sent` how many bytes went towards `url`. Use it as a
    context.
    """

    def __init__(
        self, url: str, cuts: int, bounds: tuple[int, int], seed: int, pause: float = 0, *, stalls: bool = False
    ) -> None:
        place = urlsplit(url)
        self._upstream = (place.hostname or "", place.port or 80)
        self._random = random.Random(seed)
        self._bounds, self._left, self.cut, self.sent = bounds, cuts, 0, 0
        self._pause, self._stalls = pause, stalls

    @property
    def url(self) -> str:
        """Its own."""
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # What is left at the end of a test ends.
        with suppress(OSError, asyncio.CancelledError):
            up_reader, up_writer = await asyncio.open_connection(*self._upstream)
            try:
                await self._both(reader, up_writer, up_reader, writer)
            finally:
                # Aborted, a connection is reset, and what is on its way is lost.
                up_writer.transport.abort()

    async def _both(
        self,
        reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        limit = self._random.randint(*self._bounds) if self._left else None
        there = asyncio.create_task(self._pass_on(reader, up_writer, limit, counts=True))
        back = asyncio.create_task(self._pass_on(up_reader, writer, None))
        done, _ = await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
        if not (there in done and there.result()):
            await asyncio.wait((there, back), timeout=5)
        there.cancel()
        back.cancel()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int | None, *, counts: bool = False
    ) -> bool:
        """Returns: whether it was cut."""
        carried = 0
        with suppress(OSError):
            while data := await reader.read(PIECE):
                carried += len(data)
                self.sent += len(data) * counts
                if limit is not None and carried > limit and self._left:
                    self._left -= 1
                    self.cut += 1
                    if self._stalls:
                        await asyncio.Event().wait()
                    return True
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(self._pause)
            if writer.can_write_eof():
                writer.write_eof()
        return False
