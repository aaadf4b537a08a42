"""The ledger: a row for each (job, kind, generation, channel, endpoint), written before and after it is told.

A row is held while somebody tells its endpoint, and rests between two tries; both end at `due_at`. Sweep sends the
event again when a row of it is due. Each try is a row of notice_attempts. When a row may be taken, the clock of the
database says, which is the same for all; in between, a process counts the seconds by itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from functions.notify.channels import Notice
from functions.notify.notice_shapes import Outcome
from functions.shared import database
from functions.shared.problems import Unavailable
from functions.shared.tables import clock, notice_attempts, notifications, now

__all__ = ["Attempt", "NotDue", "begin", "end_waiting", "finish", "hold", "put_off", "sent_to"]

# One send and two more: whoever has got none of three copies has another trouble.
MAX_UNCLEAR = 3
# A mail that was taken after all is seen by then, by its Message-ID in the receiver's mailbox.
UNCLEAR_SECONDS = 4 * 3600
_UNKNOWN = "whether it arrived is not known, after three tries"


class NotDue(Unavailable):
    """Another delivery tells this endpoint, or it rests until its next try; the ledger knows until when."""


@dataclass
class Attempt:
    """The right to send a notice to one endpoint, once: nobody else has it before `held_until`.

    `tries` counts the attempts up to this one, `unclear` those before it that ended so; `created_at` is of the first.
    """

    notice: Notice
    channel: str
    endpoint: str
    held_until: datetime
    created_at: datetime
    tries: int = 1
    unclear: int = 0
    record: int = 0
    # `held_until` by the clock of this process that nobody changes.
    _ends: float = field(default_factory=time.monotonic, compare=False)

    @property
    def seconds_left(self) -> float:
        """For how long it is held."""
        return self._ends - time.monotonic()

    def keep(self, until: datetime, seconds: float) -> None:
        """It is held until then, which is in so many seconds."""
        self.held_until, self._ends = until, time.monotonic() + seconds

    @property
    def key(self) -> dict[str, Any]:
        """The primary key of the ledger's row."""
        about = {"job_id": self.notice.job.id, "kind": self.notice.kind, "generation": self.notice.generation}
        return {**about, "channel": self.channel, "endpoint": self.endpoint}

    @property
    def delivery_id(self) -> str:
        """What the row is called outside."""
        return self.notice.delivery_id(self.channel, self.endpoint)


@database.transactional
def begin(connection: sa.Connection, notice: Notice, channel: str, endpoint: str, hold_seconds: int) -> Attempt | None:
    """Claim the notice for one endpoint, which its key names, for so many seconds.

    Returns: None when the endpoint has been told, or has refused, or may have it after too many unclear tries.
    Raises: NotDue.
    """
    moment = _time(connection)
    attempt = Attempt(notice, channel, endpoint, moment, moment)
    attempt.keep(moment + timedelta(seconds=hold_seconds), hold_seconds)
    row = connection.execute(notifications.select().where(_is(attempt))).one_or_none()
    if row is None:
        _insert(connection, attempt)
    elif row.sent_at or row.refusal or not _take(connection, attempt, row, hold_seconds, moment):
        return None
    started = {"delivery_id": attempt.delivery_id, "user_id": notice.job.user_id, "at": moment}
    made = connection.execute(notice_attempts.insert().values(**started, outcome=Outcome.BEGUN))
    assert made.inserted_primary_key
    attempt.record = made.inserted_primary_key[0]
    return attempt


@database.transactional
def hold(connection: sa.Connection, attempt: Attempt, seconds: int, unclear: bool = False) -> None:
    """Keep the claim for so many seconds from now; from then on it is `unclear` how the attempt ends, if it is.

    Raises: NotDue when it is another's by now.
    """
    seconds = max(seconds, round(attempt.seconds_left))
    until = _time(connection) + timedelta(seconds=seconds)
    values = {"due_at": until, "claimed_at": until, "unclear": attempt.unclear + unclear}
    if connection.execute(notifications.update().where(_is_ours(attempt)).values(**values)).rowcount != 1:
        raise NotDue("another delivery has taken it over")
    attempt.keep(until, seconds)


@database.transactional
def finish(connection: sa.Connection, attempt: Attempt, refusal: str | None = None, status: int | None = None) -> None:
    """Record that the notice was sent, or refused for good (and why); `status` is what an HTTP server answered."""
    outcome = {"sent_at": None, "refusal": refusal[:500]} if refusal else {"sent_at": now(), "refusal": None}
    connection.execute(notifications.update().where(_is(attempt)).values(**outcome, due_at=None, unclear=0))
    _record(connection, attempt, Outcome.REFUSED if refusal else Outcome.SENT, refusal, status)


@database.transactional
def put_off(
    connection: sa.Connection,
    attempt: Attempt,
    seconds: float,
    reason: str,
    is_unclear: bool = False,
    status: int | None = None,
) -> None:
    """Let the endpoint rest for so many seconds, if it is not another's by now: it was not told, or it `is_unclear`."""
    due = _time(connection) + timedelta(seconds=seconds)
    values = {"due_at": due, "claimed_at": due, "unclear": attempt.unclear + is_unclear}
    connection.execute(notifications.update().where(_is_ours(attempt)).values(**values))
    _record(connection, attempt, Outcome.UNCLEAR if is_unclear else Outcome.PUT_OFF, reason, status)


def end_waiting(connection: sa.Connection, notice: Notice, reason: str) -> None:
    """Whoever is neither told of it nor has refused is not told any more, in the caller's transaction."""
    about = (notifications.c.job_id == notice.job.id, notifications.c.kind == notice.kind)
    left = (notifications.c.sent_at.is_(None), notifications.c.refusal.is_(None))
    this = (*about, notifications.c.generation == notice.generation, *left)
    connection.execute(notifications.update().where(*this).values(refusal=reason, due_at=None))


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


def _time(connection: sa.Connection) -> datetime:
    """By the clock of the database."""
    moment: datetime = connection.execute(sa.select(clock())).scalar_one()
    return moment


def _insert(connection: sa.Connection, attempt: Attempt) -> None:
    held = {"claimed_at": attempt.held_until, "due_at": attempt.held_until, "tries": 1, "unclear": 0}
    about = {"user_id": attempt.notice.job.user_id, "delivery_id": attempt.delivery_id}
    try:
        row = {**attempt.key, **about, **held, "created_at": attempt.created_at}
        connection.execute(notifications.insert().values(**row))
    except IntegrityError:
        raise NotDue("it is being sent by another delivery") from None


def _take(connection: sa.Connection, attempt: Attempt, row: Any, hold_seconds: int, moment: datetime) -> bool:
    """Take over a row that is due. Returns: False when it is final instead. Raises: NotDue."""
    # One of the release before this one says only when it was claimed.
    due = row.due_at or row.claimed_at + timedelta(seconds=hold_seconds)
    if due > moment:
        raise NotDue("it is being sent by another delivery, or rests")
    if (row.unclear or 0) >= MAX_UNCLEAR:
        connection.execute(notifications.update().where(_is(attempt)).values(refusal=_UNKNOWN, due_at=None))
        return False
    attempt.tries, attempt.unclear = (1 if row.tries is None else row.tries) + 1, row.unclear or 0
    attempt.created_at = row.created_at or row.claimed_at
    held = {"claimed_at": attempt.held_until, "due_at": attempt.held_until, "tries": attempt.tries}
    known = {"delivery_id": attempt.delivery_id, "created_at": attempt.created_at}
    unchanged = notifications.c.claimed_at == row.claimed_at
    taken = notifications.update().where(_is(attempt), unchanged, notifications.c.sent_at.is_(None))
    if connection.execute(taken.values(**held, **known)).rowcount != 1:
        raise NotDue("it is being sent by another delivery")
    return True


def _record(connection: sa.Connection, attempt: Attempt, outcome: Outcome, detail: str | None, status: Any) -> None:
    values = {"outcome": outcome, "detail": detail and detail[:500], "status": status, "ended_at": now()}
    connection.execute(notice_attempts.update().where(notice_attempts.c.id == attempt.record).values(**values))


def _is(attempt: Attempt) -> sa.ColumnElement[bool]:
    return sa.and_(*(notifications.c[name] == value for name, value in attempt.key.items()))


def _is_ours(attempt: Attempt) -> sa.ColumnElement[bool]:
    return sa.and_(_is(attempt), notifications.c.claimed_at == attempt.held_until, notifications.c.sent_at.is_(None))
