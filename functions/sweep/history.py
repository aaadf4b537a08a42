"""Deletes jobs that are history: expired, and listed no longer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from functions.shared import audit, database, settings
from functions.shared.audit import SWEEP
from functions.shared.jobs import deletion
from functions.shared.jobs.states import State
from functions.shared.tables import job_events, jobs, now
from functions.sweep import retention

__all__ = ["forget"]

# A job takes hundreds of rows along: so many in one transaction, and so many of these in one tick.
JOBS, MAX_BATCHES = 20, 25


def forget() -> None:
    """Expired jobs that are over for HISTORY_SECONDS, with all that was kept about them."""
    for _ in range(MAX_BATCHES):
        ids = _history()
        if not ids or not _without_events(ids):
            return
        _forget(ids)


def _history() -> Sequence[str]:
    before = now() - timedelta(seconds=settings.number("HISTORY_SECONDS"))
    old = sa.select(jobs.c.id).where(jobs.c.state == State.EXPIRED, jobs.c.expires_at < before)
    with database.reading() as connection:
        return connection.execute(old.limit(JOBS)).scalars().all()


def _without_events(ids: Sequence[str]) -> bool:
    """Delete what job_events has of these jobs, first: one that was retried often has thousands.

    Returns: whether all are deleted.
    """
    of_these = job_events.c.job_id.in_(ids)
    rounds = range(2 * retention.MAX_BATCHES)
    return any(retention.clear(job_events, of_these) < retention.BATCH for _ in rounds)


@database.transactional
def _forget(connection: sa.Connection, ids: Sequence[str]) -> None:
    count = len(deletion.delete_rows(connection, ids))
    audit.write(connection, SWEEP, "jobs.forgotten", {"count": count})
