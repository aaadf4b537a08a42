"""Streams of jobs for the tests: what comes by one, read as a browser reads it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, NamedTuple

from functions.download import live
from functions.shared.scopes import Caller
from tests.patience import PATIENCE

__all__ = ["Seen", "caller", "listen", "parsed", "read_until"]


class Seen(NamedTuple):
    """An event: its name, the id that a client comes back with after it, the data."""

    event: str
    known: str
    data: Any


def caller(user_id: str, until: float | None = None) -> Caller:
    """Whoever is signed in as this user."""
    return Caller(user_id, frozenset(), until=until)


@asynccontextmanager
async def listen(user_id: str, job_id: str = "", after: str = "") -> AsyncIterator[AsyncIterator[Seen]]:
    """The events of a stream of one job, or of all jobs of a user. It ends with the block."""
    made = live.follow_one(caller(user_id), job_id, after) if job_id else live.follow_all(caller(user_id), after)
    stream = await made
    try:
        async with aclosing(stream.texts()) as texts:
            yield parsed(texts)
    finally:
        stream._follower.remove(stream._subscription)


async def parsed(texts: AsyncIterator[str]) -> AsyncIterator[Seen]:
    """The events of the text (WHATWG HTML, 9.2.6)."""
    known = ""
    async for text in texts:
        event, data = "message", []
        for line in text.splitlines():
            name, _, value = line.partition(": ")
            known = value if name == "id" else known
            event = value if name == "event" else event
            data += [value] if name == "data" else []
        if data:
            yield Seen(event, known, json.loads("\n".join(data)))


async def read_until(events: AsyncIterator[Seen], enough: Callable[[list[Seen]], object]) -> list[Seen]:
    """What comes until it is enough, or the stream ends."""
    seen: list[Seen] = []
    async with asyncio.timeout(PATIENCE):
        async for event in events:
            seen.append(event)
            if enough(seen):
                break
    return seen
