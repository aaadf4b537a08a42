"""The notification ledger: one row per (job, kind, channel, generation), written before and after each send."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from events.catalogue import AudioCreated, ConversionFailed, EventType
from functions.shared import database, outbox
from functions.shared.jobs.states import State
from functions.shared.problems import Unavailable
from functions.shared.tables import jobs, notifications, now, users

__all__ = ["Notice", "abandon", "begin", "finish", "sent_to"]

_STATES = {AudioCreated.TYPE: State.DONE, ConversionFailed.TYPE: State.FAILED}


@dataclass(frozen=True)
class Notice:
    """The right to tell the owner of `job` (a row of jobs, with `email`) one thing, once, over one channel."""

    job: Any
    kind: str
    channel: str
    claimed_at: datetime

    @property
    def key(self) -> dict[str, Any]:
        """The primary key of the ledger's row."""
        return {"job_id": self.job.id, "kind": self.kind, "channel": self.channel, "generation": self.job.fencing_token}


@database.transactional
def begin(
    connection: sa.Connection, job_id: str, event_type: type[EventType], channel: str, claim_seconds: int
) -> Notice | None:
    """Claim a notice, by what the rows say of the job, not the event. A claim older than `claim_seconds` is dead.

    Returns: None when there is nothing to tell, or it has been told.
    Raises: Unavailable when another delivery is about to tell it.
    """
    job = connection.execute(_with_owner().where(jobs.c.id == job_id)).one_or_none()
    if job is None or job.state != _STATES[event_type.TYPE]:
        outbox.settle(connection, outbox.of(job_id, event_type.TYPE))
        return None
    notice = Notice(job, event_type.TYPE, channel, now())
    return notice if _claim(connection, notice, claim_seconds) else None


@database.transactional
def finish(connection: sa.Connection, notice: Notice, refusal: str | None = None) -> None:
    """Record that the notice was sent, or refused for good (and why), and settle its event."""
    outcome = {"sent_at": None, "refusal": refusal[:500]} if refusal else {"sent_at": now(), "refusal": None}
    connection.execute(notifications.update().where(_is(notice)).values(**outcome))
    outbox.settle(connection, outbox.of(notice.job.id, notice.kind))


@database.transactional
def abandon(connection: sa.Connection, notice: Notice) -> None:
    """Give the claim back, if it is not another's by now: nothing was sent, and the next delivery may try at once."""
    ours = notifications.c.claimed_at == notice.claimed_at
    connection.execute(notifications.delete().where(_is(notice), ours, notifications.c.sent_at.is_(None)))


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


def _claim(connection: sa.Connection, notice: Notice, claim_seconds: int) -> bool:
    row = connection.execute(notifications.select().where(_is(notice))).one_or_none()
    if row is None:
        return _insert(connection, notice)
    if row.sent_at or row.refusal:
        return False
    orphaned = notifications.c.claimed_at < now() - timedelta(seconds=claim_seconds)
    taken = notifications.update().where(_is(notice), orphaned, notifications.c.sent_at.is_(None))
    if connection.execute(taken.values(claimed_at=notice.claimed_at)).rowcount != 1:
        raise Unavailable("the notice is being sent by another delivery")
    return True


def _insert(connection: sa.Connection, notice: Notice) -> bool:
    owner = {"user_id": notice.job.user_id, "claimed_at": notice.claimed_at}
    try:
        connection.execute(notifications.insert().values(**notice.key, **owner))
    except IntegrityError:
        raise Unavailable("the notice is being sent by another delivery") from None
    return True


def _with_owner() -> sa.Select[Any]:
    return sa.select(jobs, users.c.email).join(users, users.c.id == jobs.c.user_id)


def _is(notice: Notice) -> sa.ColumnElement[bool]:
    return sa.and_(*(notifications.c[name] == value for name, value in notice.key.items()))
