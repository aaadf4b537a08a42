"""What there is to tell of a job, by what the rows say of it; and when its event has had its effect.

Of a batch, batch_news.py knows that; of files that are about to expire, reminder_news.py; of accounts, account_news.py.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from events.catalogue import (
    AudioCreated,
    BatchEnded,
    ConversionFailed,
    EventType,
    ExpiryAnnounced,
    JobEvent,
    MailRequested,
    SubmissionConfirmed,
)
from functions.notify import account_news, batch_news, ledger, reminder_news
from functions.notify.channels import Notice
from functions.shared import database, kinds, outbox, reasons
from functions.shared.jobs.states import TO_CONVERT, State
from functions.shared.tables import jobs, users
from functions.shared.tables import outbox as _outbox

__all__ = ["event_of", "notice_of", "reopen", "settle"]

_UNWANTED = "it is not wanted any more"
# News of a job is new as long as the job is in one of these states.
_STATES: dict[str, frozenset[State]] = {
    AudioCreated.TYPE: frozenset({State.DONE}),
    ConversionFailed.TYPE: frozenset({State.FAILED}),
    SubmissionConfirmed.TYPE: TO_CONVERT,
}
# What is not news of one job, by the types of events and the kinds of notices, and who knows about it.
_ELSEWHERE: dict[str, Any] = {
    BatchEnded.TYPE: batch_news,
    ExpiryAnnounced.TYPE: reminder_news,
    MailRequested.TYPE: account_news,
    **dict.fromkeys(kinds.OF_ACCOUNTS, account_news),
}


def notice_of(about: str, event_type: type[EventType]) -> Notice | None:
    """What there is to tell of a job, a batch or an account, by the id that the event has, and by what the rows say.

    Returns: None for old news, whose event is settled.
    """
    elsewhere = _ELSEWHERE.get(event_type.TYPE)
    found: Notice | None = elsewhere.notice_of(about) if elsewhere else _notice_of_job(about, event_type)
    return found


@database.transactional
def _notice_of_job(connection: sa.Connection, job_id: str, event_type: type[EventType]) -> Notice | None:
    job = connection.execute(_with_owner().where(jobs.c.id == job_id)).one_or_none()
    wanted = _STATES[event_type.TYPE]
    if job is not None and job.state in wanted:
        return Notice(job, event_type.TYPE)
    held = _held(connection, job_id)
    if held is None or held.state not in wanted:
        outbox.settle(connection, outbox.of(job_id, event_type.TYPE))
    return None


@database.transactional
def settle(connection: sa.Connection, notice: Notice) -> None:
    """Settle the event of a notice that all endpoints are done with; not if the job has newer news by now."""
    if elsewhere := _ELSEWHERE.get(notice.kind):
        elsewhere.settle(connection, notice.job.id)
        return ledger.end_waiting(connection, notice, _UNWANTED)
    job = _held(connection, notice.job.id)
    if job is not None and _is_news(job, notice.kind, notice.generation):
        outbox.settle(connection, outbox.of(job.id, notice.kind))
        ledger.end_waiting(connection, notice, _UNWANTED)
    return None


def event_of(notice: Notice) -> JobEvent:
    """The event that the notice is about, by what the row of its job says."""
    job = notice.job
    if notice.kind == SubmissionConfirmed.TYPE:
        return SubmissionConfirmed(job.id, job.filename)
    if notice.kind == ConversionFailed.TYPE:
        return ConversionFailed(job.id, job.filename, job.error_code, reasons.title(job.error_code))
    return AudioCreated(job.id, job.filename, job.audio_bytes, job.duration_seconds)


def reopen(connection: sa.Connection, job_id: str, kind: str, generation: int) -> bool:
    """Have the event of a notice come again, in the caller's transaction, if it still is what is new of the job.

    `job_id` is that of the batch, or of the mail, for a notice of one. Returns: whether it is.
    """
    if elsewhere := _ELSEWHERE.get(kind):
        return bool(elsewhere.reopen(connection, job_id))
    job = _held(connection, job_id)
    if job is None or not _is_news(job, kind, generation):
        return False
    again = outbox.of(job_id, kind)
    if connection.execute(sa.update(_outbox).where(again).values(settled_at=None)).rowcount == 0:
        # It is so long ago that sweep has forgotten it.
        outbox.add(connection, job_id, generation, event_of(Notice(job, kind)))
    return True


def _is_news(job: Any, kind: str, generation: int) -> bool:
    """Whether this still is what is new of the job of this row."""
    return job.state in _STATES.get(kind, ()) and Notice(job, kind).generation == generation


def _held(connection: sa.Connection, job_id: str) -> Any:
    """The row of a job, which nobody else changes until this transaction ends."""
    return connection.execute(jobs.select().where(jobs.c.id == job_id).with_for_update()).one_or_none()


def _with_owner() -> sa.Select[Any]:
    owned = sa.and_(users.c.id == jobs.c.user_id, users.c.deleted_at.is_(None))
    return sa.select(jobs, users.c.email).join(users, owned)
