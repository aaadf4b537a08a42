"""Plain functions beside the event loop: they run in threads, as many as a process handles requests at a time.

The threads are kept for the life of the process. Those of anyio end when they are idle, and what is started from a
thread with PR_SET_PDEATHSIG is killed when that *thread* ends (prctl(2)), not the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

from functions.shared import settings
from functions.shared.once import once

__all__ = ["each_in_thread", "in_thread", "on_loop", "run_in"]

Arguments = ParamSpec("Arguments")
Made = TypeVar("Made")

_loop: ContextVar[asyncio.AbstractEventLoop] = ContextVar("loop")


async def in_thread(function: Callable[Arguments, Made], *args: Arguments.args, **named: Arguments.kwargs) -> Made:
    """What a plain function returns or raises. It sees the caller's context variables, such as the current trace.

    While all threads are taken, it waits.
    """
    return await run_in(_pool(), function, *args, **named)


async def run_in(
    pool: ThreadPoolExecutor, function: Callable[Arguments, Made], *args: Arguments.args, **named: Arguments.kwargs
) -> Made:
    """As `in_thread`, in threads of one's own."""
    loop, context = asyncio.get_running_loop(), copy_context()
    context.run(_loop.set, loop)
    return await loop.run_in_executor(pool, partial(context.run, function, *args, **named))


async def each_in_thread(iterator: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces of an iterator that blocks, each had in a thread."""
    while (piece := await in_thread(next, iterator, None)) is not None:
        yield piece


def on_loop(coroutine: Coroutine[Any, Any, Made]) -> Made:
    """Within `in_thread`: what a coroutine gives that runs on the caller's event loop, while this thread waits."""
    return asyncio.run_coroutine_threadsafe(coroutine, _loop.get()).result()


@once
def _pool() -> ThreadPoolExecutor:
    # One more than the requests: one whose client is gone may still be at its end when the next one comes.
    return ThreadPoolExecutor(settings.number("CONCURRENCY") + 1, "handler")
