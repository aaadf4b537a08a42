"""Threads for what an upload waits for: a few, however many uploads there are.

Database and blob store have fewer connections than that. Who comes in handlers beside them waits on the event loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager
from typing import ParamSpec, TypeVar

from functions.shared.once import once
from functions.shared.threads import run_in

__all__ = ["blocking", "entered"]

THREADS = 8
Arguments = ParamSpec("Arguments")
Made = TypeVar("Made")


async def blocking(function: Callable[Arguments, Made], *args: Arguments.args, **named: Arguments.kwargs) -> Made:
    """What a function returns or raises that waits for a store."""
    return await run_in(_pool(), function, *args, **named)


@asynccontextmanager
async def entered(context: AbstractContextManager[Made]) -> AsyncIterator[Made]:
    """A context that waits for a store when it is entered and left."""
    value = await blocking(context.__enter__)
    try:
        yield value
    except BaseException as error:
        if not await blocking(context.__exit__, type(error), error, error.__traceback__):
            raise
    else:
        await blocking(context.__exit__, None, None, None)


@once
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, "intake")
