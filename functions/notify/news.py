"""What there is to tell of a job, by what the rows say of it; and when its event has had its effect."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from events.catalogue import AudioCreated, ConversionFailed, JobEvent
from functions.notify.channels import Notice
from functions.shared import database, outbox
from functions.shared.jobs.states import State
from functions.shared.tables import jobs, users

__all__ = ["notice_of", "settle"]

_STATES = {AudioCreated.TYPE: State.DONE, ConversionFailed.TYPE: State.FAILED}


@database.transactional
def notice_of(connection: sa.Connection, job_id: str, event_type: type[JobEvent]) -> Notice | None:
    """What there is to tell, by what the rows say of the job, not the event.

    Returns: None for old news, whose event is settled.
    """
    job = connection.execute(_with_owner().where(jobs.c.id == job_id)).one_or_none()
    wanted = _STATES[event_type.TYPE]
    if job is not None and job.state == wanted:
        return Notice(job, event_type.TYPE)
    held = _held(connection, job_id)
    if held is None or held.state != wanted:
        outbox.settle(connection, outbox.of(job_id, event_type.TYPE))
    return None


@database.transactional
def settle(connection: sa.Connection, notice: Notice) -> None:
    """Settle the event of a notice that all endpoints are done with; not if the job has newer news by now."""
    job = _held(connection, notice.job.id)
    if job is not None and (job.state, job.fencing_token) == (notice.job.state, notice.generation):
        outbox.settle(connection, outbox.of(job.id, notice.kind))


def _held(connection: sa.Connection, job_id: str) -> Any:
    """The row of a job, which nobody else changes until this transaction ends."""
    return connection.execute(jobs.select().where(jobs.c.id == job_id).with_for_update()).one_or_none()


def _with_owner() -> sa.Select[Any]:
    owned = sa.and_(users.c.id == jobs.c.user_id, users.c.deleted_at.is_(None))
    return sa.select(jobs, users.c.email, users.c.language).join(users, owned)
