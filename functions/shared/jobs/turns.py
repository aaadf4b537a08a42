"""Whose turn it is: an event says that there is work, and the job that is worked on is one of whoever has had least.

Without that, the one clip of one user waits behind the ten thousand of another, because the broker keeps their order.

**Who has had least** is the user with the fewest conversions running; of those, the one who has had the least time of
them. Time counts half after HALF_LIFE_SECONDS, a quarter after twice that: nobody waits for ever for what they had
yesterday. A user's `level` is log2(that time) + (when it was written) / HALF_LIFE_SECONDS: as all users' time shrinks
by one factor, levels that were written at different moments compare as they are, and a database can sort by them.

**Why nothing is lost and nothing is done twice.** The outbox has one unsettled event for each queued job, and settling,
sending again, dead letters and giving up go by these rows. So an event that is delivered for one job and works on
another must not leave the other's event behind: `exchange` swaps which jobs the two rows are about. From then on, the
event that was delivered *is* the event of the job that is worked on: its redelivery resumes that job or waits for that
job's lease, and its dead letter fails that job. The other event is still on its way, and *is* the event of the job that
was put off. Each queued job has its one event, as before, and all other rules hold as they are. It happens in the
transaction of the claim: a crash leaves both swapped, or none.

Only jobs that no conversion has tried change their event: one that crashed waits out the broker's backoff, and its
attempts are its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from events.catalogue import VideoUploaded
from functions.shared.database import DatabaseUnavailable, insert_missing
from functions.shared.jobs.states import State
from functions.shared.tables import clock, jobs, now, outbox, turns

__all__ = ["MAX_PLACES", "ExchangeLost", "ahead_of", "charge", "event_of", "exchange", "over", "places", "untried"]

HALF_LIFE_SECONDS = 600.0
# How many users are tried, when other deliveries want the same ones' turns in the same moment.
MAX_TRIES = 5
# How many waiting jobs are put in order for those who ask for their place.
MAX_PLACES = 10_000
# After so many half-lives, an hour is less than a microsecond.
_FORGOTTEN = 32
# What an event is about; all else in its row is about the event itself.
_ABOUT = (outbox.c.job_id, outbox.c.data, outbox.c.traceparent, outbox.c.tracestate)


class ExchangeLost(DatabaseUnavailable):
    """Another delivery has exchanged one of the events in the same moment; the transaction can be repeated."""


def event_of(connection: sa.Connection, which: sa.ColumnElement[bool]) -> Any:
    """The row of an event that has somebody convert a job, and is not settled; or None."""
    query = outbox.select().where(which, outbox.c.type == VideoUploaded.TYPE, outbox.c.settled_at.is_(None))
    return connection.execute(query.order_by(outbox.c.created_at.desc()).limit(1)).one_or_none()


def untried() -> sa.ColumnElement[bool]:
    """Queued, and not left there by a conversion that failed."""
    return sa.and_(jobs.c.state == State.QUEUED, jobs.c.attempts == 0)


def ahead_of(connection: sa.Connection, job_id: str) -> Sequence[str]:
    """The jobs of users whose turn comes before that of this job's owner: the oldest of each, the first turn first.

    Empty when this job is not one that can be put off.
    """
    owner = connection.execute(sa.select(jobs.c.user_id).where(jobs.c.id == job_id, untried())).scalar()
    if owner is None:
        return ()
    first = connection.execute(_by_turn().limit(MAX_TRIES)).scalars().all()
    before = first[: first.index(owner)] if owner in first else first
    return [job for job in (_oldest(connection, user_id) for user_id in before) if job is not None]


def exchange(connection: sa.Connection, delivered: Any, other: Any) -> None:
    """Swap which jobs two events (rows of the outbox) are about. Raises: ExchangeLost when one has changed."""
    for row, taken in ((delivered, other), (other, delivered)):
        as_read = (outbox.c.event_id == row.event_id, outbox.c.job_id == row.job_id, outbox.c.settled_at.is_(None))
        about = {column.name: taken._mapping[column.name] for column in _ABOUT}
        if connection.execute(outbox.update().where(*as_read).values(**about)).rowcount != 1:
            raise ExchangeLost("two deliveries wanted one turn")


def charge(connection: sa.Connection, job_id: str, seconds: float) -> None:
    """Add to the time that the owner of a job has had; in a transaction that can be repeated."""
    had = sa.select(jobs.c.user_id, turns.c.level).outerjoin_from(jobs, turns, turns.c.user_id == jobs.c.user_id)
    row = connection.execute(had.where(jobs.c.id == job_id).with_for_update()).one_or_none()
    if row is None:
        return
    level = _level(seconds, row.level)
    if row.level is not None:
        connection.execute(turns.update().where(turns.c.user_id == row.user_id).values(level=level))
    else:
        insert_missing(connection, turns, user_id=row.user_id, level=level)


def places(connection: sa.Connection) -> dict[str, int]:
    """About where each job stands that waits for its first conversion, from 1, which is the next.

    It is taken that nothing changes: each further job of a user comes after those of whoever has one running less. Of
    more than MAX_PLACES, none has a place. One statement, which reads no more rows than that.
    """
    held = _running().subquery()
    joined = jobs.outerjoin(held, held.c.user_id == jobs.c.user_id)
    joined = joined.outerjoin(turns, turns.c.user_id == jobs.c.user_id)
    waiting = sa.select(jobs.c.id, jobs.c.user_id, jobs.c.created_at, held.c.number, turns.c.level)
    in_index_order = waiting.select_from(joined).where(untried()).order_by(jobs.c.user_id, jobs.c.created_at)
    rows = connection.execute(in_index_order.limit(MAX_PLACES + 1)).all()
    return {} if len(rows) > MAX_PLACES else _ranked(rows)


def over() -> sa.ColumnElement[bool]:
    """The condition that a row of turns makes no difference any more."""
    return sa.and_(turns.c.level < now().timestamp() / HALF_LIFE_SECONDS - _FORGOTTEN)


def _level(seconds: float, before: float | None) -> float:
    moment = now().timestamp() / HALF_LIFE_SECONDS
    left = 0.0 if before is None else 2.0 ** min(before - moment, 64.0)
    return math.log2(max(left + seconds, 2.0**-_FORGOTTEN)) + moment


def _ranked(rows: Sequence[Any]) -> dict[str, int]:
    """The places of jobs, which come ordered by users."""
    order, before, user = [], 0, None
    for row in rows:
        before = before + 1 if row.user_id == user else row.number or 0
        user = row.user_id
        order.append((before, row.level or 0.0, row.created_at, row.id))
    return {job_id: place for place, (*_, job_id) in enumerate(sorted(order), 1)}


def _running() -> sa.Select[Any]:
    number = sa.func.count().label("number")
    held = sa.select(jobs.c.user_id, number).where(jobs.c.state == State.CONVERTING, jobs.c.lease_until > clock())
    return held.group_by(jobs.c.user_id)


def _by_turn() -> sa.Select[Any]:
    waiting = sa.select(jobs.c.user_id, sa.func.min(jobs.c.created_at).label("since")).where(untried())
    users = waiting.group_by(jobs.c.user_id).subquery()
    running = _running().subquery()
    joined = users.outerjoin(running, running.c.user_id == users.c.user_id)
    with_time = joined.outerjoin(turns, turns.c.user_id == users.c.user_id)
    order = (sa.func.coalesce(running.c.number, 0), sa.func.coalesce(turns.c.level, 0.0), users.c.since)
    return sa.select(users.c.user_id).select_from(with_time).order_by(*order)


def _oldest(connection: sa.Connection, user_id: str) -> str | None:
    mine = sa.select(jobs.c.id).where(untried(), jobs.c.user_id == user_id)
    found: str | None = connection.execute(mine.order_by(jobs.c.created_at, jobs.c.id).limit(1)).scalar()
    return found
