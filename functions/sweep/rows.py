"""Deletes rows that have done their duty: no table grows for ever. Dead letters are forgotten by healing.py."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from functions.shared import database, settings
from functions.shared.jobs.states import State
from functions.shared.jobs.turns import over
from functions.shared.tables import (
    api_keys,
    audit,
    batches,
    converted,
    jobs,
    notifications,
    now,
    outbox,
    refresh_tokens,
    turns,
)

__all__ = ["forget"]

BATCH = 500


@database.transactional
def forget(connection: sa.Connection) -> None:
    """Refresh tokens that have expired, events whose effect is long in the database, and jobs that are history.

    API keys that have expired are listed a while, for their owners to see; acts of operators are kept the longest. What
    accounts had before today, or long ago, counts no more. A job takes its events and checkpoint along; what its owner
    was told goes once the job is gone.
    """
    settled = now() - timedelta(seconds=settings.number("RETENTION_SECONDS"))
    audited = now() - timedelta(seconds=settings.number("AUDIT_SECONDS"))
    connection.execute(api_keys.delete().where(api_keys.c.expires_at < settled))
    # A request that repeats an Idempotency-Key after that is a new one.
    connection.execute(batches.delete().where(batches.c.created_at < settled))
    connection.execute(audit.delete().where(audit.c.at < audited))
    connection.execute(refresh_tokens.delete().where(refresh_tokens.c.expires_at < now()))
    connection.execute(outbox.delete().where(outbox.c.settled_at < settled))
    # Today's count: and a day's more, for clocks that differ.
    connection.execute(converted.delete().where(converted.c.day < (now() - timedelta(days=2)).date()))
    connection.execute(turns.delete().where(over()))
    connection.execute(jobs.delete().where(jobs.c.id.in_(_history(connection))))
    connection.execute(notifications.delete().where(~sa.exists().where(jobs.c.id == notifications.c.job_id)))


def _history(connection: sa.Connection) -> list[str]:
    """Expired jobs that are listed no longer, some of them at a time."""
    before = now() - timedelta(seconds=settings.number("HISTORY_SECONDS"))
    old = sa.select(jobs.c.id).where(jobs.c.state == State.EXPIRED, jobs.c.expires_at < before)
    return list(connection.execute(old.limit(BATCH)).scalars())
