"""Sends again what has had no effect yet: what was never sent, what the broker lost, and what its conversion left."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from events.catalogue import SubmissionConfirmed
from functions.shared import database, logs, outbox, settings
from functions.shared.publisher import Outcome, Receipt
from functions.shared.tables import clock, jobs, now
from functions.shared.tables import notifications as notices
from functions.shared.tables import outbox as rows
from functions.sweep import giving_up

__all__ = ["send_again"]

log = logging.getLogger(__name__)

BATCH = 500
# A function that has just written an event is about to send it itself.
UNSENT_SECONDS = 10
MAX_DOUBLINGS = 7


def send_again() -> None:
    """Send every event that is due.

    At a sink that is away the next tick goes on; an event that the sink refuses is set aside, and the others are sent.
    One that it refuses for good is not sent again, unless an operator wants it (refusals.py).
    """
    with database.reading() as connection:
        due = connection.execute(_due()).all()
    for row in due:
        with logs.about(event_id=row.event_id, job_id=row.job_id or ""):
            log.info("sending event %s again", row.event_id)
            answer = outbox.send(row.event_id)
        if answer.outcome is Outcome.AWAY:
            return _note(row.event_id)
        if answer.outcome is Outcome.REFUSED:
            _set_aside(row, answer)
    return None


def _set_aside(row: Any, answer: Receipt) -> None:
    log.error("event %s of job %s is set aside: %s", row.event_id, row.job_id or "-", answer.reason)
    # What has somebody work on a job is not set aside for ever: somebody may work on it just now, and die.
    aside = {"set_aside_at": now()} if answer.for_good and row.type not in giving_up.WORK else {}
    _note(row.event_id, refusal=answer.reason[:500], attempts=rows.c.attempts + 1, **aside)
    if answer.for_good:
        giving_up.fail_for(row.event_id)


@database.transactional
def _note(connection: sa.Connection, /, event_id: str, **values: Any) -> None:
    connection.execute(rows.update().where(rows.c.event_id == event_id).values(tried_at=now(), **values))


def _due() -> sa.Select[Any]:
    """Events that are not settled, whose job is not being worked on right now, and that either

    - were never sent, or
    - had somebody begin to work on the job, whose lease has run out since, or
    - had no effect since they were sent; each time, the wait before the next try doubles, or
    - have somebody to tell who is due since then.

    None is sent before the time that it was put off to, nor when it is set aside.
    One that was refused waits as long before it is tried again.
    """
    moment = now()
    # What asks nobody to work on the job need not wait for who does.
    beside = rows.c.type == SubmissionConfirmed.TYPE
    idle = sa.or_(beside, jobs.c.lease_until.is_(None), jobs.c.lease_until < clock())
    unsent = sa.and_(rows.c.sent_at.is_(None), rows.c.created_at < moment - timedelta(seconds=UNSENT_SECONDS))
    died = sa.and_(~beside, rows.c.sent_at < jobs.c.lease_until)
    rested = sa.or_(rows.c.refusal.is_(None), _waited(rows.c.tried_at, moment))
    # That of a mail about an account has no job.
    joined = sa.select(rows.c.event_id, rows.c.job_id, rows.c.type).outerjoin(jobs, jobs.c.id == rows.c.job_id)
    lost = sa.or_(unsent, died, _waited(rows.c.sent_at, moment), _owed())
    # One that was tried comes last: should the sink be away for that one only, the others get their turn.
    tried_last = sa.func.coalesce(rows.c.tried_at, rows.c.created_at)
    return (
        joined.where(rows.c.settled_at.is_(None), rows.c.set_aside_at.is_(None), outbox.ready(), idle, lost, rested)
        .order_by(tried_last)
        .limit(BATCH)
    )


def _owed() -> sa.ColumnElement[bool]:
    """Once for each due time: an event that waits in the broker is not sent a second time for the same."""
    about = notices.c.job_id.in_((rows.c.job_id, jobs.c.batch_id, rows.c.mail_id))
    # A mail has one notice, whatever its kind.
    its_notice = sa.and_(about, sa.or_(notices.c.kind == rows.c.type, rows.c.mail_id.is_not(None)))
    left = sa.and_(notices.c.sent_at.is_(None), notices.c.refusal.is_(None))
    return sa.exists().where(its_notice, left, notices.c.due_at < clock(), notices.c.due_at > rows.c.sent_at)


def _waited(since: sa.ColumnElement[Any], moment: datetime) -> sa.ColumnElement[bool]:
    def before(doublings: int) -> sa.ColumnElement[bool]:
        return since < moment - timedelta(seconds=settings.number("RESEND_SECONDS") * 2**doublings)

    steps = (sa.and_(rows.c.attempts == tries, before(tries - 1)) for tries in range(1, MAX_DOUBLINGS + 1))
    return sa.or_(*steps, before(MAX_DOUBLINGS))
