"""Server-sent events: a job as it changes (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import sqlalchemy as sa
from starlette.responses import Response, StreamingResponse

from functions.download.listing import view
from functions.shared import database, draining
from functions.shared.jobs.states import ENDED
from functions.shared.tables import job_events, jobs
from functions.shared.threads import in_thread

__all__ = ["stream"]

POLL_SECONDS = 0.5
PING_SECONDS = 15
# Below the Service's timeoutSeconds: the stream ends in order, and the client comes back with Last-Event-ID.
STREAM_SECONDS = 240


def stream(user_id: str, job_id: str, last_event_id: str) -> Response:
    """Events named `job`, whose data is the job's JSON, until the job is over; `id` goes on from Last-Event-ID."""
    after = int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 19 else 0
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_changes(user_id, job_id, after), media_type="text/event-stream", headers=headers)


async def _changes(user_id: str, job_id: str, after: int) -> AsyncIterator[str]:
    ends, next_ping = time.monotonic() + STREAM_SECONDS, time.monotonic() + PING_SECONDS
    yield "retry: 1000\n\n"
    while time.monotonic() < ends and not draining.begun():
        job, newest = await in_thread(_look, user_id, job_id)
        if job is None:
            yield "event: gone\ndata: {}\n\n"
            return
        if newest > after:
            after = newest
            yield f"id: {newest}\nevent: job\ndata: {msgspec.json.encode(view(job)).decode()}\n\n"
        if job.state in ENDED:
            return
        if time.monotonic() > next_ping:
            next_ping = time.monotonic() + PING_SECONDS
            yield ": still here\n\n"
        await asyncio.sleep(POLL_SECONDS)


def _look(user_id: str, job_id: str) -> tuple[Any, int]:
    newest = sa.select(sa.func.max(job_events.c.id)).where(job_events.c.job_id == job_id).scalar_subquery()
    query = sa.select(jobs, newest.label("newest")).where(jobs.c.id == job_id, jobs.c.user_id == user_id)
    with database.reading() as connection:
        row = connection.execute(query).one_or_none()
    return (row, row.newest or 0) if row else (None, 0)
