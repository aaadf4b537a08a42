"""Deletes what is left of accounts whose owners have deleted them, and what was kept for a while about signing in."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from functions.shared import database
from functions.shared.jobs import deletion
from functions.shared.tables import attempts, jobs, mailed_tokens, now, users

__all__ = ["finish_deleting", "forget"]

log = logging.getLogger(__name__)

# In one tick; what is left is for the next.
BATCH = 500
# Longer than attempts count.
ATTEMPTS_SECONDS = 86_400


def finish_deleting() -> None:
    """Jobs with their files, and at the end the account with all else that hangs on it.

    Login has marked it. Who dies in the middle has deleted some whole jobs, and the next tick goes on.
    """
    for job in _jobs_of_deleted():
        deletion.delete(job)
    if ids := _without_jobs():
        log.info("accounts deleted: %d", _delete(ids))


@database.transactional
def forget(connection: sa.Connection) -> None:
    """Mailed tokens that are over, with the accounts that were to be made by them, and attempts that count no more."""
    connection.execute(mailed_tokens.delete().where(mailed_tokens.c.expires_at < now()))
    before = now() - timedelta(seconds=ATTEMPTS_SECONDS)
    connection.execute(attempts.delete().where(attempts.c.last_at < before))


def _jobs_of_deleted() -> list[Any]:
    marked = sa.select(users.c.id).where(users.c.deleted_at.is_not(None))
    with database.reading() as connection:
        return list(connection.execute(jobs.select().where(jobs.c.user_id.in_(marked)).limit(BATCH)).all())


def _without_jobs() -> list[str]:
    busy = sa.exists().where(jobs.c.user_id == users.c.id)
    with database.reading() as connection:
        query = sa.select(users.c.id).where(users.c.deleted_at.is_not(None), ~busy)
        return list(connection.execute(query.limit(BATCH)).scalars())


@database.transactional
def _delete(connection: sa.Connection, ids: list[str]) -> int:
    return connection.execute(users.delete().where(users.c.id.in_(ids), users.c.deleted_at.is_not(None))).rowcount
