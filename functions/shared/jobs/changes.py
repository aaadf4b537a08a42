"""What changes of a job are made of, in the caller's transaction: one conditional UPDATE, recorded in job_events."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from events.catalogue import ConversionFailed, EventType, VideoSubmitted, VideoUploaded
from functions.shared import outbox, settings
from functions.shared.jobs.states import CANCELLABLE, State
from functions.shared.reasons import Failure
from functions.shared.tables import job_events, jobs, now

__all__ = ["OPEN", "asking_for", "expiry", "fail", "lease_end", "move", "unconverted", "unfetched"]

_BY_URL = sa.and_(jobs.c.state == State.RECEIVING, jobs.c.source_url.is_not(None))
# It can be cancelled, and can fail without somebody's claim. A request that brings a video fails by itself.
OPEN = sa.or_(jobs.c.state.in_(CANCELLABLE), _BY_URL)


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
    reason = {"error_code": failure.code, "error_detail": failure.detail, "lease_until": None, "expires_at": expiry()}
    if not move(connection, job_id, OPEN, *conditions, state=State.FAILED, **reason):
        return None
    row = connection.execute(jobs.select().where(jobs.c.id == job_id)).one()
    event = ConversionFailed(job_id, row.filename, failure.code, failure.title)
    return outbox.add(connection, job_id, row.fencing_token, event)


def unconverted() -> sa.ColumnElement[bool]:
    """Waiting for a conversion: queued, or left behind by one that died."""
    left = sa.and_(jobs.c.state == State.CONVERTING, jobs.c.lease_until < now())
    return sa.or_(jobs.c.state == State.QUEUED, left)


def unfetched() -> sa.ColumnElement[bool]:
    """Waiting for its video to be fetched: not begun, or left behind."""
    free = sa.or_(jobs.c.lease_until.is_(None), jobs.c.lease_until < now())
    return sa.and_(_BY_URL, free)


def asking_for(row: Any) -> EventType:
    """The event that has somebody work on the job of this row."""
    if row.video_bytes is None:
        return VideoSubmitted(row.source_url, row.filename, row.options)
    return VideoUploaded(row.id, row.filename, row.video_bytes)


def lease_end() -> datetime:
    """When a lease that is given now ends."""
    return now() + timedelta(seconds=settings.number("LEASE_SECONDS"))


def expiry() -> datetime:
    """When the files of a job that ends now are deleted."""
    return now() + timedelta(seconds=settings.number("RETENTION_SECONDS"))
