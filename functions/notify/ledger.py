"""The ledger: a row for each (job, kind, generation, channel, endpoint), written before and after it is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from events.catalogue import AudioCreated, ConversionFailed, JobEvent
from functions.notify.channels import Notice
from functions.shared import database, outbox
from functions.shared.jobs.states import State
from functions.shared.problems import Unavailable
from functions.shared.tables import jobs, notifications, now, users

__all__ = ["Attempt", "abandon", "begin", "finish", "notice_of", "sent_to", "settle"]

_STATES = {AudioCreated.TYPE: State.DONE, ConversionFailed.TYPE: State.FAILED}


@dataclass(frozen=True)
class Attempt:
    """The right to send a notice to one endpoint, once."""

    notice: Notice
    channel: str
    endpoint: str
    claimed_at: datetime

    @property
    def key(self) -> dict[str, Any]:
        """The primary key of the ledger's row."""
        about = {"job_id": self.notice.job.id, "kind": self.notice.kind, "generation": self.notice.generation}
        return {**about, "channel": self.channel, "endpoint": self.endpoint}


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
def begin(connection: sa.Connection, notice: Notice, channel: str, endpoint: str, claim_seconds: int) -> Attempt | None:
    """Claim the notice for one endpoint, which its key names. A claim older than `claim_seconds` is dead.

    Returns: None when the endpoint has been told, or has refused.
    Raises: Unavailable when another delivery is about to tell it.
    """
    attempt = Attempt(notice, channel, endpoint, now())
    return attempt if _claim(connection, attempt, claim_seconds) else None


@database.transactional
def finish(connection: sa.Connection, attempt: Attempt, refusal: str | None = None) -> None:
    """Record that the notice was sent, or refused for good (and why)."""
    outcome = {"sent_at": None, "refusal": refusal[:500]} if refusal else {"sent_at": now(), "refusal": None}
    connection.execute(notifications.update().where(_is(attempt)).values(**outcome))


@database.transactional
def abandon(connection: sa.Connection, attempt: Attempt) -> None:
    """Give the claim back, if it is not another's by now: nothing was sent, and the next delivery may try at once."""
    ours = notifications.c.claimed_at == attempt.claimed_at
    connection.execute(notifications.delete().where(_is(attempt), ours, notifications.c.sent_at.is_(None)))


@database.transactional
def settle(connection: sa.Connection, notice: Notice) -> None:
    """Settle the event of a notice that all endpoints are done with; not if the job has newer news by now."""
    job = _held(connection, notice.job.id)
    if job is not None and (job.state, job.fencing_token) == (notice.job.state, notice.generation):
        outbox.settle(connection, outbox.of(job.id, notice.kind))


def sent_to(user_id: str, channel: str, limit: int) -> list[Any]:
    """The ledger's rows of what a user was sent, newest first."""
    theirs = (
        notifications.c.user_id == user_id,
        notifications.c.channel == channel,
        notifications.c.sent_at.is_not(None),
    )
    query = notifications.select().where(*theirs).order_by(notifications.c.sent_at.desc()).limit(limit)
    with database.reading() as connection:
        return list(connection.execute(query).all())


def _claim(connection: sa.Connection, attempt: Attempt, claim_seconds: int) -> bool:
    row = connection.execute(notifications.select().where(_is(attempt))).one_or_none()
    if row is None:
        return _insert(connection, attempt)
    if row.sent_at or row.refusal:
        return False
    orphaned = notifications.c.claimed_at < now() - timedelta(seconds=claim_seconds)
    taken = notifications.update().where(_is(attempt), orphaned, notifications.c.sent_at.is_(None))
    if connection.execute(taken.values(claimed_at=attempt.claimed_at)).rowcount != 1:
        raise Unavailable("it is being sent by another delivery")
    return True


def _insert(connection: sa.Connection, attempt: Attempt) -> bool:
    owner = {"user_id": attempt.notice.job.user_id, "claimed_at": attempt.claimed_at}
    try:
        connection.execute(notifications.insert().values(**attempt.key, **owner))
    except IntegrityError:
        raise Unavailable("it is being sent by another delivery") from None
    return True


def _held(connection: sa.Connection, job_id: str) -> Any:
    """The row of a job, which nobody else changes until this transaction ends."""
    return connection.execute(jobs.select().where(jobs.c.id == job_id).with_for_update()).one_or_none()


def _with_owner() -> sa.Select[Any]:
    owned = sa.and_(users.c.id == jobs.c.user_id, users.c.deleted_at.is_(None))
    return sa.select(jobs, users.c.email).join(users, owned)


def _is(attempt: Attempt) -> sa.ColumnElement[bool]:
    return sa.and_(*(notifications.c[name] == value for name, value in attempt.key.items()))
