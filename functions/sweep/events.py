"""Sends again what has had no effect yet: what was never sent, what the broker lost, and what its conversion left."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from functions.shared import database, outbox, settings
from functions.shared.tables import jobs, now
from functions.shared.tables import outbox as rows

__all__ = ["send_again"]

log = logging.getLogger(__name__)

BATCH = 500
# A function that has just written an event is about to send it itself.
UNSENT_SECONDS = 10
MOST_DOUBLINGS = 7


def send_again() -> None:
    """Send every event that is due; stops at the first that the sink does not take, and goes on at the next tick."""
    with database.reading() as connection:
        due: list[str] = list(connection.execute(_due()).scalars())
    for event_id in due:
        log.info("sending event %s again", event_id)
        if not outbox.send(event_id):
            return


def _due() -> sa.Select[Any]:
    """The ids of events that are not settled, whose job is not being worked on right now, and that either

    - were never sent, or
    - had somebody begin to work on the job, whose lease has run out since, or
    - had no effect since they were sent; each time, the wait before the next try doubles.
    """
    moment = now()
    idle = sa.or_(jobs.c.lease_until.is_(None), jobs.c.lease_until < moment)
    unsent = sa.and_(rows.c.sent_at.is_(None), rows.c.created_at < moment - timedelta(seconds=UNSENT_SECONDS))
    died = rows.c.sent_at < jobs.c.lease_until
    joined = sa.select(rows.c.event_id).join(jobs, jobs.c.id == rows.c.job_id)
    wanted = joined.where(rows.c.settled_at.is_(None), idle, sa.or_(unsent, died, _without_effect(moment)))
    return wanted.order_by(rows.c.created_at).limit(BATCH)


def _without_effect(moment: datetime) -> sa.ColumnElement[bool]:
    def sent_before(doublings: int) -> sa.ColumnElement[bool]:
        wait = timedelta(seconds=settings.number("RESEND_SECONDS") * 2**doublings)
        return sa.and_(rows.c.sent_at < moment - wait)

    steps = (sa.and_(rows.c.attempts == tries, sent_before(tries - 1)) for tries in range(1, MOST_DOUBLINGS + 1))
    return sa.or_(*steps, sent_before(MOST_DOUBLINGS))
