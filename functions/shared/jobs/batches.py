"""Batches that are over: what their owner is told of all their jobs at once, instead of job by job.

Nothing that ends a job looks at its batch: whatever the way, and whoever died meanwhile, sweep finds by the rows which
batches are over, and writes batch.ended into the outbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from events.catalogue import BatchEnded
from functions.shared import database, outbox
from functions.shared.jobs.states import ENDED, State
from functions.shared.tables import batches, jobs, now
from functions.shared.tables import outbox as _outbox

__all__ = ["announce", "due", "emit", "is_told_with", "jobs_of", "mark_told"]

# So long nothing has ended, and what has is told without the rest.
PATIENCE_SECONDS = 86_400
# What there is something to tell of. Who cancels or deletes all jobs of a batch knows that.
_TOLD = (State.DONE, State.FAILED)


def due(most: int) -> Sequence[str]:
    """The ids of batches, `most` of them, that are over, and whose owners are not told yet.

    One is over when all its jobs are; or when some are, and for a day no other came to an end. Once it is, it stays so.
    """
    mine, ended = jobs.c.batch_id == batches.c.id, jobs.c.state.in_(ENDED)
    over = ~sa.exists().where(mine, ~ended)
    lately = sa.exists().where(mine, ended, jobs.c.updated_at > now() - timedelta(seconds=PATIENCE_SECONDS))
    stuck = sa.and_(sa.exists().where(mine, ended), ~lately)
    untold = sa.select(batches.c.id).where(
        batches.c.told_at.is_(None), sa.or_(batches.c.ended_at.is_not(None), over, stuck)
    )
    with database.reading() as connection:
        return connection.execute(untold.limit(most)).scalars().all()


@database.transactional
def announce(connection: sa.Connection, batch_id: str) -> str | None:
    """Put batch.ended of a batch that is over into the outbox, if it is not there already.

    Returns: the event's id, or None when nothing is to be sent.
    """
    batch = _held(connection, batch_id)
    if batch is None or batch.told_at is not None:
        return None
    if batch.ended_at is None:
        _end(connection, batch_id)
    if connection.execute(sa.select(_outbox.c.event_id).where(*_unsettled(batch_id))).first():
        return None
    event_id = emit(connection, batch_id)
    if event_id is None:
        mark_told(connection, batch_id)
    return event_id


def emit(connection: sa.Connection, batch_id: str) -> str | None:
    """Write batch.ended into the outbox, or have it come again, in the caller's transaction.

    It hangs on one of the jobs of which there is something to tell; when that is deleted or retried, `announce` finds
    another. Returns: the event's id, or None when there is no such job.
    """
    carrier = next((row for row in jobs_of(connection, batch_id) if row.state in _TOLD), None)
    if carrier is None:
        return None
    connection.execute(batches.update().where(batches.c.id == batch_id).values(told_at=None))
    return outbox.add_beside(connection, carrier.id, BatchEnded(carrier.id, batch_id))


def mark_told(connection: sa.Connection, batch_id: str) -> None:
    """Its owner is told, or there is nothing to tell, in the caller's transaction, which settles the event."""
    if _held(connection, batch_id) is not None:
        connection.execute(batches.update().where(batches.c.id == batch_id).values(told_at=now()))
        outbox.settle(connection, *_unsettled(batch_id))


def is_told_with(job: Any) -> bool:
    """Whether what became of a job (its row) is told with its batch, which was not over when the job ended."""
    if job.batch_id is None:
        return False
    with database.reading() as connection:
        batch = connection.execute(batches.select().where(batches.c.id == job.batch_id)).one_or_none()
    return batch is not None and (batch.ended_at is None or job.updated_at <= batch.ended_at)


def jobs_of(connection: sa.Connection, batch_id: str) -> Sequence[Any]:
    """The rows of its jobs, in the order in which they were asked for."""
    mine = jobs.select().where(jobs.c.batch_id == batch_id)
    return connection.execute(mine.order_by(jobs.c.created_at, jobs.c.id)).all()


def _end(connection: sa.Connection, batch_id: str) -> None:
    # Not before any of its jobs ended, however much the clocks differ of those who write that down.
    ended = [row.updated_at for row in jobs_of(connection, batch_id) if row.state in ENDED]
    connection.execute(batches.update().where(batches.c.id == batch_id).values(ended_at=max([now(), *ended])))


def _unsettled(batch_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    mine = _outbox.c.job_id.in_(sa.select(jobs.c.id).where(jobs.c.batch_id == batch_id))
    return (mine, _outbox.c.type == BatchEnded.TYPE, _outbox.c.settled_at.is_(None))


def _held(connection: sa.Connection, batch_id: str) -> Any:
    """The row of a batch, which nobody else changes until this transaction ends."""
    return connection.execute(batches.select().where(batches.c.id == batch_id).with_for_update()).one_or_none()
