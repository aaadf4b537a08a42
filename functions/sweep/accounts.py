"""Deletes what is left of accounts whose owners have deleted them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import sqlalchemy as sa

from functions.shared import audit, database
from functions.shared.audit import SWEEP
from functions.shared.jobs import deletion
from functions.shared.tables import jobs, users
from functions.sweep import files

__all__ = ["finish_deleting"]

log = logging.getLogger(__name__)

# A job takes hundreds of rows along: so many in one transaction; and in one tick so many of these for each account.
JOBS, MAX_BATCHES = 20, 25
USERS = 50


def finish_deleting() -> None:
    """Jobs with their files, and at the end the account with all else that hangs on it.

    Login has marked it. Who dies in the middle has deleted some whole jobs, and the next tick goes on.
    """
    marked = users.c.deleted_at.is_not(None)
    for user_id in _some(sa.select(users.c.id).where(marked).order_by(users.c.deleted_at).limit(USERS)):
        _finish(user_id)
    files.delete_unwanted()


def _finish(user_id: str) -> None:
    for _ in range(MAX_BATCHES):
        ids = _some(sa.select(jobs.c.id).where(jobs.c.user_id == user_id).limit(JOBS))
        if ids:
            _delete_jobs(user_id, ids)
        if len(ids) < JOBS:
            return _delete_account(user_id)
    return None


def _some(query: sa.Select[tuple[str]]) -> Sequence[str]:
    with database.reading() as connection:
        return [row.id for row in connection.execute(query)]


@database.transactional
def _delete_jobs(connection: sa.Connection, user_id: str, ids: Sequence[str]) -> None:
    count = len(deletion.delete_rows(connection, ids))
    audit.write(connection, SWEEP, "jobs.deleted", {"user_id": user_id, "count": count})


@database.transactional
def _delete_account(connection: sa.Connection, user_id: str) -> None:
    marked = (users.c.id == user_id, users.c.deleted_at.is_not(None))
    if connection.execute(users.delete().where(*marked)).rowcount:
        log.info("account deleted: %s", user_id)
        audit.write(connection, SWEEP, "account.deleted", {"user_id": user_id})
