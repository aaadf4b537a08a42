"""MP3s that are about to be deleted and were never fetched: their owners are reminded, once, of all of them at a time.

One of the jobs carries the event; the others' rows name it. Should it be deleted before its owner is told, the next
look finds another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from events.catalogue import ExpiryAnnounced
from functions.shared import database, outbox
from functions.shared.jobs.states import State
from functions.shared.tables import jobs, now

__all__ = ["announce", "carried", "due", "mark_told", "reopen"]

# So long before its end. What is kept for less than twice as long is not worth a second mail.
AHEAD = timedelta(days=1)


def due(most: int) -> Sequence[str]:
    """The ids of users, `most` of them, who have MP3s to be reminded of."""
    with database.reading() as connection:
        return connection.execute(sa.select(jobs.c.user_id).where(_is_due()).distinct().limit(most)).scalars().all()


@database.transactional
def announce(connection: sa.Connection, user_id: str) -> str | None:
    """Put one event into the outbox for all that a user is to be reminded of. Returns: its id, or None."""
    query = sa.select(jobs.c.id).where(jobs.c.user_id == user_id, _is_due())
    ids = connection.execute(query.order_by(jobs.c.expires_at, jobs.c.id).with_for_update()).scalars().all()
    if not ids:
        return None
    connection.execute(jobs.update().where(jobs.c.id.in_(ids)).values(reminder=ids[0]))
    return outbox.add_beside(connection, ids[0], ExpiryAnnounced(ids[0], len(ids)))


def carried(connection: sa.Connection, carrier: str) -> Sequence[Any]:
    """The rows of the jobs that the event of this one is about, and of which there still is something to say."""
    there = (jobs.c.state == State.DONE, jobs.c.expires_at > now(), jobs.c.downloaded_at.is_(None))
    query = jobs.select().where(jobs.c.reminder == carrier, *there)
    return connection.execute(query.order_by(jobs.c.expires_at, jobs.c.id)).all()


def mark_told(connection: sa.Connection, carrier: str) -> None:
    """Their owner is told, or there is nothing to tell, in the caller's transaction."""
    connection.execute(jobs.update().where(jobs.c.reminder == carrier).values(reminded_at=now()))
    outbox.settle(connection, outbox.of(carrier, ExpiryAnnounced.TYPE))


def reopen(connection: sa.Connection, carrier: str) -> bool:
    """Have the event come again, in the caller's transaction. Returns: whether there is something to tell."""
    count = len(carried(connection, carrier))
    if count:
        outbox.add_beside(connection, carrier, ExpiryAnnounced(carrier, count))
    return count > 0


def _is_due() -> sa.ColumnElement[bool]:
    moment, carrier = now(), jobs.alias()
    soon = sa.and_(jobs.c.expires_at > moment, jobs.c.expires_at < moment + AHEAD)
    # A rename counts as a change: whoever has just seen to a job knows of it.
    kept = jobs.c.updated_at < moment - AHEAD
    open_event = sa.exists().where(carrier.c.id == jobs.c.reminder)
    untold = sa.and_(jobs.c.reminded_at.is_(None), sa.or_(jobs.c.reminder.is_(None), ~open_event))
    return sa.and_(jobs.c.state == State.DONE, soon, kept, jobs.c.downloaded_at.is_(None), untold)
