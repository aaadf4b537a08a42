"""Starts ahead: what a request will lead to starts while it is still under way, and not one after the other.

Each route declares which functions these are. A wake-up is a GET /healthz, which costs a running function nothing.
Nobody waits for it, and nothing depends on it.
"""

from __future__ import annotations

import asyncio
import logging
import time

from functions.shared import settings

__all__ = ["EVERY_SECONDS", "expect"]

log = logging.getLogger(__name__)

# Well below the time for which Knative lets a function idle (a minute, and scale-down-delay).
EVERY_SECONDS = 30.0
# A cold start on a busy node.
PATIENCE_SECONDS = 60.0

_last: dict[str, float] = {}
_tasks: set[asyncio.Task[None]] = set()


def expect(*services: str) -> None:
    """Wake these functions, each twice a minute at most. Returns at once."""
    for service in services:
        now = time.monotonic()
        if now - _last.get(service, -EVERY_SECONDS) >= EVERY_SECONDS:
            _last[service] = now
            task = asyncio.ensure_future(_wake(service))
            _tasks.add(task)
            task.add_done_callback(_tasks.discard)


async def _wake(service: str) -> None:
    # Late, as in main: who comes here imports it for the request anyway.
    from functions.shared.proxy import Forwarder

    try:
        async with asyncio.timeout(PATIENCE_SECONDS), Forwarder(keep_alive=False) as forwarder:
            url = settings.text(f"{service.upper()}_URL") + "/healthz"
            async with forwarder.send("GET", url, []) as answer:
                log.debug("woke %s: %d", service, answer.status)
    except Exception as error:
        log.debug("could not wake %s: %s", service, error)
