"""Counters that all gateways share, by the library `limits` in MongoDB; or those of this process (LIMITS_URL).

While MongoDB is away, each process counts by itself: with so many processes, so many times the quota may pass. Nobody
is turned away for the loss of a counter, and nobody can try passwords without end. MongoDB is asked again after
AWAY_SECONDS. So it is while a process that has just started gets to know MongoDB: no request waits for that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from functions.gateway.limits.memory import Memory
from functions.shared import settings
from functions.shared.once import once

if TYPE_CHECKING:
    from limits.storage import Storage

__all__ = ["CONNECTIONS", "Counters", "counters"]

log = logging.getLogger(__name__)

CONNECTIONS = 4
# A request waits for it: a counter that is late is worth less than the answer.
PATIENCE_SECONDS, AWAY_SECONDS = 1.0, 10.0
DATABASE = "audiolift"
_MILLISECONDS = int(PATIENCE_SECONDS * 1000)
NAMES: dict[str, Any] = {"counter_collection_name": "limits.counters", "window_collection_name": "limits.windows"}
OPTIONS: dict[str, Any] = {
    "maxPoolSize": CONNECTIONS,
    "waitQueueTimeoutMS": _MILLISECONDS,
    "serverSelectionTimeoutMS": _MILLISECONDS,
    "connectTimeoutMS": _MILLISECONDS,
    "socketTimeoutMS": _MILLISECONDS,
}


class Counters:
    """What was counted, by key."""

    def __init__(self, url: str) -> None:
        self._here = Memory()
        self._shared: Storage | None = None
        self._away_until = 0.0
        if not url.startswith("memory:"):
            self._threads = ThreadPoolExecutor(CONNECTIONS, "limits")
            self._threads.submit(self._connect, url)

    @property
    def shared(self) -> bool:
        """Whether others are counted in, as far as is known."""
        return self._shared is not None and time.monotonic() >= self._away_until

    async def add(self, key: str, seconds: int, amount: int) -> int:
        """Count, under a key that is forgotten after so many seconds. Returns: how much it is now. Never raises."""
        if self._shared is not None and self.shared:
            try:
                return await self._add_shared(self._shared, key, seconds, amount)
            except Exception as error:
                # Its text may have addresses in it, and is long.
                log.warning("limits are counted in this process for %d s: %s", AWAY_SECONDS, type(error).__name__)
                self._away_until = time.monotonic() + AWAY_SECONDS
        return self._here.incr(key, seconds, amount)

    async def _add_shared(self, shared: Storage, key: str, seconds: int, amount: int) -> int:
        loop = asyncio.get_running_loop()
        adding = loop.run_in_executor(self._threads, shared.incr, key, seconds, amount)
        return await asyncio.wait_for(adding, PATIENCE_SECONDS)

    def _connect(self, url: str) -> None:
        # Late: a process that waits for its first request needs none of it.
        from limits.storage import MongoDBStorage

        try:
            database = urlsplit(url).path.strip("/") or DATABASE
            self._shared = MongoDBStorage(url, database_name=database, **NAMES, **OPTIONS)
        except Exception:
            log.exception("limits are counted in each process: LIMITS_URL cannot be used")


@once
def counters() -> Counters:
    """Those of this process."""
    return Counters(settings.text("LIMITS_URL"))
