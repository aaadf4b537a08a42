"""Background tasks whose end is noticed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

__all__ = ["supervised"]

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 1


async def supervised(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Await `run()`, and again each time that it raises: a bug or a full disk ends nothing for good, nor in silence.

    Returns when `run` returns; to be cancelled before that.
    """
    while True:
        try:
            return await run()
        except Exception:
            log.exception("%s has ended; it is started again in %d s", name, _PAUSE_SECONDS)
        await asyncio.sleep(_PAUSE_SECONDS)
