"""What a function holds in memory more after some jobs than before them: a short form of tests/benchmarks/memory.py.

    python -m tests.unit.held upload DIRECTORY

It is a process of its own, in which nothing else, as another test, leaves anything meanwhile. It prints a line for each
thing that there is more of by one for each job.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import re
import sys
import weakref
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests import asgi
from tests.benchmarks.drills import DRILLS, Ground, ground

__all__ = ["JOBS", "grown"]

BEFORE, JOBS = 55, 60
# A cache for fewer than that holds what a process has one of.
BOUND = 50
CONTAINERS = (dict, list, set, deque)


class Held:
    """What this process holds: objects by type, and the length of each container."""

    def __init__(self) -> None:
        _empty_caches()
        gc.collect()
        # SQLite's driver has a list of these, for each cursor and statement, which it looks through now and then.
        found = [each for each in gc.get_objects() if type(each) is not weakref.ReferenceType]
        self.types = Counter(type(each) for each in found)
        # A dict of texts and numbers alone is none of those that the collector knows.
        reached = [each for each in gc.get_referents(*found) if issubclass(type(each), CONTAINERS)]
        self.lengths = {id(each): len(each) for each in reached if not _is_of_weak_ones(each)}

    def more(self, before: Held) -> list[str]:
        """What there is more of by one for each job: kinds of objects, and items of one container."""
        kinds = [f"{count} more of {kind}" for kind, count in (self.types - before.types).items() if count >= JOBS]
        grown = {key: length - before.lengths.get(key, length) for key, length in self.lengths.items()}
        return kinds + [f"a container by {count}" for count in grown.values() if count >= JOBS]


def _is_of_weak_ones(container: Any) -> bool:
    return type(container) is list and bool(container) and type(container[0]) is weakref.ReferenceType


def _empty_caches() -> None:
    """Those that have a bound fill up to it; by type, not by isinstance, which would import what is imported late."""
    for cache in [each for each in gc.get_objects() if type(each) is functools._lru_cache_wrapper]:
        if (cache.cache_info().maxsize or 0) > BOUND:
            cache.cache_clear()
    re.purge()


class Inside(httpx.BaseTransport):
    """A client's way to a function in this process."""

    def __init__(self, name: str) -> None:
        self._transport = httpx.ASGITransport(asgi.app_of(name))
        self._loop = asyncio.Runner()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """What the function answers."""
        return self._loop.run(self._answered(request))

    def close(self) -> None:
        """End its event loop."""
        self._loop.close()

    async def _answered(self, request: httpx.Request) -> httpx.Response:
        answer = await self._transport.handle_async_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


def grown(given: Ground, one: Callable[[int], None]) -> list[str]:
    """What there is more of after so many jobs than before them."""
    # To look for the first time leaves something, too.
    Held()
    held = []
    for start, stop in ((0, BEFORE), (BEFORE, BEFORE + JOBS)):
        for number in range(start, stop):
            one(number)
        # What the tests' own servers have kept.
        for kept in (given.sink.requests, given.sink.received, given.receiver.got, given.receiver.paths):
            kept.clear()
        given.origin.asked.clear()
        held.append(Held())
    return held[1].more(held[0])


def main(name: str, directory: Path) -> None:
    """Have a function do its jobs in this process."""
    with (
        ground(directory, f"sqlite:///{directory}/audiolift.db") as given,
        httpx.Client(transport=Inside(name), base_url="http://inside") as client,
    ):
        print(*grown(given, DRILLS[name](given, client)), sep="\n", end="")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
