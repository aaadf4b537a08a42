"""What becomes of a job whose event nobody takes."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from events.catalogue import VideoSubmitted, VideoUploaded
from functions.shared import database, outbox, settings
from functions.shared.jobs import transitions
from functions.shared.jobs.changes import unfetched
from functions.shared.reasons import Failure
from functions.shared.tables import jobs, now
from functions.shared.tables import outbox as rows

__all__ = ["WORK", "fail_job", "fail_unfetched"]

log = logging.getLogger(__name__)

# The events that have somebody work on a job, and why it fails when nobody could.
WORK = {VideoSubmitted.TYPE: "unreachable", VideoUploaded.TYPE: "gave-up"}
BATCH = 500
# The waits between so many, by RESEND_SECONDS, are two hours and a half.
ENOUGH_SENDS = 5


def fail_job(job_id: str, event_type: str) -> None:
    """Fail the job that an event was to have worked on, unless somebody works on it or it is over; tell its owner."""
    if event_type in WORK and (failed := transitions.fail(job_id, Failure(WORK[event_type]))):
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
        fail_job(job_id, VideoSubmitted.TYPE)


def _unfetched() -> sa.Select[Any]:
    before = now() - timedelta(seconds=settings.number("UPLOAD_GRACE_SECONDS"))
    its_event = sa.and_(rows.c.job_id == jobs.c.id, rows.c.settled_at.is_(None))
    has_chances = sa.exists().where(its_event, rows.c.attempts < ENOUGH_SENDS)
    return sa.select(jobs.c.id).where(unfetched(), jobs.c.updated_at < before, ~has_chances)
