"""Whose job is it: what is not yours does not exist for you."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from functions.shared import database
from functions.shared.credentials import AccountGone
from functions.shared.jobs.states import LIVE
from functions.shared.problems import Problem
from functions.shared.tables import jobs, users

__all__ = ["hold", "job_of", "no_such_job", "wrong_state"]


def hold(connection: sa.Connection, user_id: str) -> sa.Row[Any]:
    """The row of an account, held to the end of the transaction: who counts or changes what it has takes turns.

    Everybody locks an account by this, and before any other row of it: nothing begins or ends in one that is gone.
    Raises: AccountGone when its owner has deleted it.
    """
    this = users.select().where(users.c.id == user_id, users.c.deleted_at.is_(None))
    row = connection.execute(this.with_for_update()).one_or_none()
    if row is None:
        raise AccountGone()
    return row


def job_of(user_id: str, job_id: str) -> sa.Row[Any]:
    """The row of a user's job. Raises: Problem (404), the same for another user's job and for none."""
    with database.reading() as connection:
        query = jobs.select().where(jobs.c.id == job_id, jobs.c.user_id == user_id)
        row = connection.execute(query).one_or_none()
    if row is None:
        raise no_such_job()
    return row


def no_such_job() -> Problem:
    """The problem of a job that is not there, or somebody else's."""
    return Problem("not-found", "You have no such job.")


def wrong_state(user_id: str, job_id: str, action: str, if_over: str = "") -> Problem:
    """The problem of a job that cannot be retried, cancelled, … in the state that it is in now.

    `if_over` is what else to say when the job is over.
    """
    state = job_of(user_id, job_id).state
    also = f" {if_over}" if if_over and state not in LIVE else ""
    return Problem("wrong-state", f"A job that is {state} cannot be {action}.{also}", state=state)
