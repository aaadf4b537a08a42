"""What becomes of a job whose event nobody takes."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from events.catalogue import VideoSubmitted, VideoUploaded
from functions.shared import database, outbox, settings
from functions.shared.jobs import changes, transitions
from functions.shared.jobs.changes import unfetched
from functions.shared.reasons import Failure
from functions.shared.tables import jobs, now
from functions.shared.tables import outbox as rows

__all__ = ["WORK", "fail_for", "fail_unfetched"]

log = logging.getLogger(__name__)

# The events that have somebody work on a job, and why it fails when nobody could.
WORK = {VideoSubmitted.TYPE: "unreachable", VideoUploaded.TYPE: "gave-up"}
BATCH = 500
# The waits between so many, by RESEND_SECONDS, are two hours and a half.
ENOUGH_SENDS = 5


def fail_for(event_id: str) -> None:
    """Fail the job that an event was to have worked on, and tell its owner.

    Not when somebody works on the job, or the event has had its effect: what was read of it may be old.
    """
    if failed := _fail_for(event_id):
        outbox.send(failed)


def fail_unfetched() -> None:
    """Fail the jobs whose video nobody fetched in the time that an unfinished upload has.

    One whose event could not be sent, or hardly ever, waits on: it is the broker that was away, by which its owner
    could not be told either.
    """
    with database.reading() as connection:
        given_up = connection.execute(_unfetched().limit(BATCH)).scalars().all()
    for job_id in given_up:
        log.error("nobody fetched the video of job %s", job_id)
        if failed := transitions.fail(job_id, Failure(WORK[VideoSubmitted.TYPE])):
            outbox.send(failed)


@database.transactional
def _fail_for(connection: sa.Connection, event_id: str) -> str | None:
    waiting = rows.select().where(rows.c.event_id == event_id, rows.c.settled_at.is_(None), rows.c.type.in_(WORK))
    event = connection.execute(waiting).one_or_none()
    if event is None:
        return None
    # The job first, as whoever settles its events does: none of them waits for the other for ever.
    connection.execute(sa.select(jobs.c.id).where(jobs.c.id == event.job_id).with_for_update())
    if connection.execute(waiting.where(rows.c.job_id == event.job_id).with_for_update()).one_or_none() is None:
        return None
    free = sa.or_(changes.unconverted(), changes.unfetched())
    return changes.fail(connection, event.job_id, Failure(WORK[event.type]), free)


def _unfetched() -> sa.Select[Any]:
    before = now() - timedelta(seconds=settings.number("UPLOAD_GRACE_SECONDS"))
    its_event = sa.and_(rows.c.job_id == jobs.c.id, rows.c.settled_at.is_(None))
    has_chances = sa.exists().where(its_event, rows.c.attempts < ENOUGH_SENDS)
    return sa.select(jobs.c.id).where(unfetched(), jobs.c.updated_at < before, ~has_chances)
