"""Threads for what an upload waits for: a few, however many uploads there are.

Database and blob store have fewer connections than that. Who comes in handlers beside them waits on the event loop.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from functions.shared.once import once
from functions.shared.threads import run_in

__all__ = ["blocking"]

THREADS = 8
Arguments = ParamSpec("Arguments")
Made = TypeVar("Made")


async def blocking(function: Callable[Arguments, Made], *args: Arguments.args, **named: Arguments.kwargs) -> Made:
    """What a function returns or raises that waits for a store."""
    return await run_in(_pool(), function, *args, **named)


@once
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, "intake")
