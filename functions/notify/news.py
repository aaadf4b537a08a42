"""What there is to tell of a job, by what the rows say of it; and when its event has had its effect.

Of a batch, batch_news.py knows that.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from events.catalogue import AudioCreated, BatchEnded, ConversionFailed, JobEvent
from functions.notify import batch_news
from functions.notify.channels import Notice
from functions.shared import database, outbox, reasons
from functions.shared.jobs.states import State
from functions.shared.tables import jobs, notifications, users
from functions.shared.tables import outbox as _outbox

__all__ = ["event_of", "notice_of", "reopen", "settle"]

_UNWANTED = "it is not wanted any more"
_STATES = {AudioCreated.TYPE: State.DONE, ConversionFailed.TYPE: State.FAILED}


def notice_of(about: str, event_type: type[JobEvent]) -> Notice | None:
    """What there is to tell of a job or a batch, by its id and what the rows say, not the event.

    Returns: None for old news, whose event is settled.
    """
    return batch_news.notice_of(about) if event_type is BatchEnded else _notice_of_job(about, event_type)


@database.transactional
def _notice_of_job(connection: sa.Connection, job_id: str, event_type: type[JobEvent]) -> Notice | None:
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
    if notice.kind == BatchEnded.TYPE:
        batch_news.settle(connection, notice.job.id)
        return _end_unwanted(connection, notice)
    job = _held(connection, notice.job.id)
    if job is not None and (job.state, job.fencing_token) == (notice.job.state, notice.generation):
        outbox.settle(connection, outbox.of(job.id, notice.kind))
        _end_unwanted(connection, notice)
    return None


def event_of(notice: Notice) -> JobEvent:
    """The event that the notice is about, by what the row of its job says."""
    job = notice.job
    if notice.kind == ConversionFailed.TYPE:
        return ConversionFailed(job.id, job.filename, job.error_code, reasons.title(job.error_code))
    return AudioCreated(job.id, job.filename, job.audio_bytes, job.duration_seconds)


def reopen(connection: sa.Connection, job_id: str, kind: str, generation: int) -> bool:
    """Have the event of a notice come again, in the caller's transaction, if it still is what is new of the job.

    `job_id` is that of the batch, for a notice of one. Returns: whether it is.
    """
    if kind == BatchEnded.TYPE:
        return batch_news.reopen(connection, job_id)
    job = _held(connection, job_id)
    if job is None or (job.state, job.fencing_token) != (_STATES.get(kind), generation):
        return False
    again = outbox.of(job_id, kind)
    if connection.execute(sa.update(_outbox).where(again).values(settled_at=None)).rowcount == 0:
        # It is so long ago that sweep has forgotten it.
        outbox.add(connection, job_id, generation, event_of(Notice(job, kind)))
    return True


def _end_unwanted(connection: sa.Connection, notice: Notice) -> None:
    """Who is neither told nor has refused when all are done wants it no more."""
    about = (notifications.c.job_id == notice.job.id, notifications.c.kind == notice.kind)
    left = (notifications.c.sent_at.is_(None), notifications.c.refusal.is_(None))
    this = (*about, notifications.c.generation == notice.generation, *left)
    connection.execute(notifications.update().where(*this).values(refusal=_UNWANTED, due_at=None))


def _held(connection: sa.Connection, job_id: str) -> Any:
    """The row of a job, which nobody else changes until this transaction ends."""
    return connection.execute(jobs.select().where(jobs.c.id == job_id).with_for_update()).one_or_none()


def _with_owner() -> sa.Select[Any]:
    owned = sa.and_(users.c.id == jobs.c.user_id, users.c.deleted_at.is_(None))
    return sa.select(jobs, users.c.email).join(users, owned)
