"""Whether this process has been told to stop: long streams end then, and their clients reconnect elsewhere.

What is still to be finished after the answers to requests are out is held here: the process waits for it.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

__all__ = ["begin", "begun", "finished", "hold"]

_begun = False
_held: set[Future[Any]] = set()


def begin() -> None:
    """The process has got its SIGTERM."""
    global _begun
    _begun = True


def begun() -> bool:
    """Whether the process is about to stop."""
    return _begun


def hold(work: Future[Any]) -> None:
    """Let the process go on until this is done, for as long as its requests may take."""
    _held.add(work)
    work.add_done_callback(_held.discard)


async def finished(seconds: float) -> None:
    """Wait for what is held, so many seconds at most."""
    if waiting := [asyncio.wrap_future(each) for each in tuple(_held)]:
        await asyncio.wait(waiting, timeout=max(0.0, seconds))
