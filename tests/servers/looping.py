"""Servers of the tests' own that are coroutines: in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

__all__ = ["InLoop"]

Result = TypeVar("Result")

# The loop takes a connection in, and is done with what a task leaves to it, in fewer.
_TURNS = 20


class InLoop:
    """Listens on a free `port` of `address` from the beginning of a `with` block to its end.

    A subclass says in `_listen` what answers. It leaves no task: one, or a connection, that nobody ends is collected
    as garbage later, and fails the test that runs by then.
    """

    address = "127.0.0.1"
    port: int

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(self._listen())
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        raise NotImplementedError

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What comes of work that is done in the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _stop(self) -> None:
        # asyncio leaves open what it takes in while a server is closed: no more is taken in, and what was has its task.
        for listener in self._server.sockets:
            self._loop.remove_reader(listener)
        await self._turn()
        self._server.close()
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._turn()

    @staticmethod
    async def _turn() -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
