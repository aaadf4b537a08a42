"""Dead letters whose event has had its effect after all, so that the real ones are seen."""

from __future__ import annotations

import logging

import sqlalchemy as sa

from functions.shared import database
from functions.shared.jobs.states import LIVE, State
from functions.shared.tables import dead_letters as letters
from functions.shared.tables import jobs, now, outbox
from functions.sweep.giving_up import WORK
from functions.sweep.letters import OWN_SOURCES, about

__all__ = ["heal"]

log = logging.getLogger(__name__)

BATCH = 500


def heal() -> None:
    """Mark the letters that have healed."""
    _find_out_about_old_ones()
    if count := _mark():
        log.info("%d dead letters have healed", count)


@database.transactional
def _mark(connection: sa.Connection) -> int:
    idle = letters.c.state.in_(("recorded", "unreadable", "replayed"))
    changed = letters.update().where(idle, _healed()).values(state="healed", healed_at=now())
    return connection.execute(changed).rowcount


def _healed() -> sa.ColumnElement[bool]:
    """The condition that a letter's event

    - was to have somebody work on a job that is over or gone, or has a newer event; and nobody has given the job up, or
    - is other news of ours that have been told, or are no longer due, or
    - is another system's, and became a job.
    """
    ours, works = letters.c.source.in_(OWN_SOURCES), letters.c.type.in_(WORK)
    its_job = jobs.c.id == letters.c.job_id
    given_up = sa.exists().where(its_job, jobs.c.state == State.FAILED, jobs.c.error_code.in_(WORK.values()))
    waiting = sa.exists().where(its_job, jobs.c.state.in_(LIVE))
    due = sa.exists().where(outbox.c.event_id == letters.c.event_id, outbox.c.settled_at.is_(None))
    worked = sa.and_(works, ~given_up, sa.not_(sa.and_(waiting, due)))
    return sa.or_(sa.and_(ours, sa.or_(worked, sa.and_(~works, ~due))), sa.and_(~ours, sa.exists().where(its_job)))


@database.transactional
def _find_out_about_old_ones(connection: sa.Connection) -> None:
    """Fill in what the release before this one does not write."""
    old = sa.select(letters.c.id, letters.c.attributes).where(letters.c.event_id.is_(None)).limit(BATCH)
    for letter in connection.execute(old).all():
        connection.execute(letters.update().where(letters.c.id == letter.id).values(**about(letter.attributes)))
