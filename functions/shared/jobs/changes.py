"""What changes of a job are made of, in the caller's transaction: one conditional UPDATE, recorded in job_events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from events.catalogue import ConversionFailed, EventType, VideoSubmitted, VideoUploaded
from functions.shared import outbox, settings, unwanted
from functions.shared.jobs import names
from functions.shared.jobs.states import TO_CONVERT, State
from functions.shared.options import longest_seconds
from functions.shared.reasons import Failure
from functions.shared.tables import checkpoints, clock, job_events, jobs, now

__all__ = [
    "OPEN",
    "asking_for",
    "drop_checkpoint",
    "end",
    "expiry",
    "fail",
    "lease_end",
    "move",
    "unconverted",
    "unfetched",
]

_BY_URL = sa.and_(jobs.c.state == State.RECEIVING, jobs.c.source_url.is_not(None))
# It can fail without somebody's claim. A request that brings a video fails by itself.
OPEN = sa.or_(jobs.c.state.in_(TO_CONVERT), _BY_URL)


def move(connection: sa.Connection, job_id: str, *conditions: sa.ColumnElement[bool], **values: Any) -> bool:
    """Change one job if `conditions` still hold, and record the change. Returns: whether it was changed."""
    changed = jobs.update().where(jobs.c.id == job_id, *conditions).values(updated_at=now(), **values)
    if connection.execute(changed).rowcount != 1:
        return False
    current = sa.select(jobs.c.id, jobs.c.state, jobs.c.progress, sa.literal(now(), jobs.c.updated_at.type))
    record = job_events.insert().from_select(["job_id", "state", "progress", "at"], current.where(jobs.c.id == job_id))
    connection.execute(record)
    return True


def fail(connection: sa.Connection, job_id: str, failure: Failure, *conditions: sa.ColumnElement[bool]) -> str | None:
    """An open job → failed, with conversion.failed in the outbox. Returns: the event's id, or None."""
    reason = {"error_code": failure.code, "error_detail": failure.detail}
    if not end(connection, job_id, OPEN, *conditions, state=State.FAILED, **reason):
        return None
    row = connection.execute(jobs.select().where(jobs.c.id == job_id)).one()
    event = ConversionFailed(job_id, row.filename, failure.code, failure.title)
    return outbox.add(connection, job_id, row.fencing_token, event)


def end(
    connection: sa.Connection, job_id: str, *conditions: sa.ColumnElement[bool], row: Any = None, **values: Any
) -> bool:
    """As `move`, to a state in which nobody works on the job: without a lease, half an MP3, or half a video.

    `row` is the job as it was, if that is known.
    """
    asked = sa.select(jobs.c.options, jobs.c.fetched).where(jobs.c.id == job_id)
    before = connection.execute(asked).one_or_none() if row is None else row
    values |= {"lease_until": None, "fetched": None, "expires_at": expiry(before.options if before else {})}
    ended = move(connection, job_id, *conditions, **values)
    if ended:
        drop_checkpoint(connection, job_id)
        unwanted.note(connection, names.fetched_of(before))
    return ended


def drop_checkpoint(connection: sa.Connection, job_id: str) -> None:
    """Have the next conversion of a job begin anew: the checkpoint goes at once, its parts are unwanted."""
    mine = checkpoints.c.job_id == job_id
    parts = connection.execute(sa.select(checkpoints.c.parts).where(mine)).scalar()
    if parts is not None:
        unwanted.note(connection, parts)
        connection.execute(checkpoints.delete().where(mine))


def unconverted() -> sa.ColumnElement[bool]:
    """Waiting for a conversion: queued, or left behind by one that died."""
    left = sa.and_(jobs.c.state == State.CONVERTING, jobs.c.lease_until < clock())
    return sa.or_(jobs.c.state == State.QUEUED, left)


def unfetched() -> sa.ColumnElement[bool]:
    """Waiting for its video to be fetched: not begun, or left behind."""
    free = sa.or_(jobs.c.lease_until.is_(None), jobs.c.lease_until < clock())
    return sa.and_(_BY_URL, free)


def asking_for(row: Any) -> EventType:
    """The event that has somebody work on the job of this row."""
    if row.video_bytes is None:
        return VideoSubmitted(row.source_url, row.filename, row.options)
    return VideoUploaded(row.id, row.filename, row.video_bytes)


def lease_end() -> sa.ColumnElement[datetime]:
    """When a lease that is given now ends, for a statement."""
    return clock(settings.number("LEASE_SECONDS"))


def expiry(chosen: Mapping[str, Any]) -> datetime:
    """When the files of a job that ends now are deleted, given its options."""
    days = chosen.get("keep_days")
    seconds = settings.number("RETENTION_SECONDS") if days is None else min(days * 86_400, longest_seconds())
    return now() + timedelta(seconds=seconds)
