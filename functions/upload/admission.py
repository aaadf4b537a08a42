"""How many jobs wait: beyond MAX_QUEUED_JOBS, uploads are refused before their bytes come, until there are fewer."""

from __future__ import annotations

import math
import time

import sqlalchemy as sa

from functions.shared import database, settings
from functions.shared.jobs.states import LIVE
from functions.shared.problems import Problem
from functions.shared.tables import jobs

__all__ = ["check", "check_now", "room"]

# Counting reads as many entries of an index as there are jobs: not for each of many uploads in one second.
FRESH_SECONDS = 1.0
RETRY_SECONDS = 30

_counted: tuple[float, int] = (-FRESH_SECONDS, 0)


def check(connection: sa.Connection) -> None:
    """Refuse when more jobs wait than may. Raises: Problem (503).

    Uploads in the same second may pass together: the bound is there for the disk and for those who wait, and no quota.
    """
    limit = settings.number("MAX_QUEUED_JOBS")
    if limit and _waiting(connection, limit) > limit:
        raise _busy()


def room(connection: sa.Connection) -> tuple[float, Problem]:
    """How many more jobs may come, and what is said of one more than that."""
    limit = settings.number("MAX_QUEUED_JOBS")
    return (max(0, limit - _count(connection, limit)) if limit else math.inf), _busy()


def check_now() -> None:
    """As `check`, for what opens no job of its own."""
    with database.reading() as connection:
        check(connection)


def _waiting(connection: sa.Connection, limit: int) -> int:
    """How many jobs are not over; counted no further than just past the limit."""
    global _counted
    if time.monotonic() - _counted[0] >= FRESH_SECONDS or _counted[1] > limit:
        _counted = (time.monotonic(), _count(connection, limit))
    return _counted[1]


def _count(connection: sa.Connection, limit: int) -> int:
    live = sa.select(jobs.c.id).where(jobs.c.state.in_(LIVE)).limit(limit + 1).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(live)).scalar_one())


def _busy() -> Problem:
    return Problem("too-busy", "Too many jobs wait already. Try again later.", {"Retry-After": str(RETRY_SECONDS)})
