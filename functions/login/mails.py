"""Mails about accounts, as far as login has to do with them: notify makes and sends them.

Each is written in the transaction of what it tells of, and its event is sent after the answer, by threads of their own:
so no answer tells whether there was one, nor waits for the broker. What cannot be sent now, sweep sends.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from starlette.background import BackgroundTask

from functions.shared import mail, outbox, settings
from functions.shared.once import once

__all__ = ["are_needed", "posting"]

THREADS = 2
# Beyond these, events are left to sweep.
_room = threading.BoundedSemaphore(100)


def are_needed() -> bool:
    """Whether an address must be confirmed by mail before its account works."""
    chosen = settings.text("VERIFY_EMAIL")
    return chosen == "on" or (chosen == "auto" and not mail.is_kept())


def posting(event_id: str | None) -> BackgroundTask | None:
    """What a response's `background` is when an event, if any, is to be sent after it. Never raises."""
    return BackgroundTask(_post, event_id) if event_id else None


async def _post(event_id: str) -> None:
    if not _room.acquire(blocking=False):
        return
    try:
        await asyncio.get_running_loop().run_in_executor(_postmen(), outbox.send, event_id)
    finally:
        _room.release()


@once
def _postmen() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, "mail")
