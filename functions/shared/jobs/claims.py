"""The right to work on a job: taken by whoever comes first, under a fencing token that grows with each claim.

See https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from events.errors import SpeakingError
from functions.shared import database, settings, telemetry
from functions.shared.jobs import names, rollouts, turns
from functions.shared.jobs.changes import fail, lease_end, move, unconverted, unfetched
from functions.shared.jobs.states import State
from functions.shared.problems import Unavailable
from functions.shared.reasons import Failure
from functions.shared.tables import jobs, now, outbox

__all__ = ["Claim", "ClaimLost", "charge", "claim", "claim_fetch", "claim_turn", "claim_upload", "job_of", "release"]


# What a claim costs its owner before it is known how long it lasts: turns change also when conversions are killed.
CLAIM_SECONDS = 1.0


class ClaimLost(SpeakingError):
    """The claim holds no more: its job was cancelled, deleted, or given to another one."""


@dataclass(frozen=True)
class Claim:
    """The right to work on one job (`state`: converting; or receiving, to store its video), while its lease is renewed.

    `token` is the fencing token; `video` the blob that is converted, or written; `attempts` how many tries there were,
    this one counted in; `since` when it was taken.
    """

    job_id: str
    state: str
    token: int
    filename: str
    options: dict[str, Any]
    source_url: str
    video: str
    attempts: int = 1
    # What was fetched of its video before (fetches.py).
    fetched: dict[str, Any] | None = None
    since: datetime = field(default_factory=now, compare=False)
    # Whether the one who had it before gave no sign of life for a lease; only known where that is counted.
    taken_over: bool = field(default=False, compare=False)

    @property
    def audio(self) -> str:
        """The name that this claim, and no other, writes its MP3 under."""
        return names.audio(self.job_id, self.token)

    def held(self) -> sa.ColumnElement[bool]:
        """The condition that the claim still holds."""
        return sa.and_(jobs.c.id == self.job_id, jobs.c.state == self.state, jobs.c.fencing_token == self.token)


@database.transactional
def claim_upload(connection: sa.Connection, job_id: str) -> Claim:
    """The claim of the request that opened a job and brings its video: there is no other."""
    return Claim(job_id, State.RECEIVING, 0, "", {}, "", rollouts.video_name(connection, job_id, 0))


@database.transactional
def claim(connection: sa.Connection, job_id: str) -> Claim | None:
    """queued, or converting with a lease that ran out → converting, under a new fencing token.

    Returns: None when there is nothing to do: the job is over, unknown, held under a live lease, or tried too often
    (and failed now).
    """
    return _claim(connection, job_id)


@database.transactional
def claim_turn(connection: sa.Connection, event_id: str, job_id: str) -> Claim | None:
    """As `claim`, by an event that was delivered, of the job whose owner's turn it is (turns.py).

    `job_id` is what counts when the outbox does not have the event.
    """
    event = turns.event_of(connection, outbox.c.event_id == event_id)
    job_id = event.job_id if event else _job_of(connection, event_id) or job_id
    for earlier in turns.ahead_of(connection, job_id) if event else ():
        # Its event first: a job without one is for sweep to find.
        its_event = turns.event_of(connection, outbox.c.job_id == earlier)
        if its_event and (claimed := _claim(connection, earlier, turns.untried())):
            turns.exchange(connection, event, its_event)
            return claimed
    return _claim(connection, job_id)


def job_of(event_id: str, job_id: str) -> str:
    """The job that an event is about now; `job_id`, which it was first about, when the outbox does not have it."""
    with database.reading() as connection:
        return _job_of(connection, event_id) or job_id


def charge(connection: sa.Connection, held: Claim) -> None:
    """Note how long a conversion took, for its owner's turns; in the transaction that ends it. Fetching costs none."""
    if held.state == State.CONVERTING:
        turns.charge(connection, held.job_id, (now() - held.since).total_seconds())


@database.transactional
def claim_fetch(connection: sa.Connection, job_id: str) -> Claim | None:
    """receiving by URL, and not under a live lease → the same, under a new fencing token. Returns: as `claim`."""
    row = _taken(connection, job_id, State.RECEIVING, unfetched(), Failure("unreachable"))
    return row and _claim_of(row, rollouts.video_name(connection, job_id, row.fencing_token))


def release(held: Claim, *, counts: bool) -> None:
    """Give the claim up, so that the next delivery may try at once. Never raises: the lease would run out.

    `counts`: whether this was one of the attempts that a job has; not when a store was away.
    """
    with suppress(Unavailable):
        _release(held, 0 if counts else 1)


def _taken(
    connection: sa.Connection, job_id: str, state: State, free: sa.ColumnElement[bool], given_up: Failure
) -> Any:
    """The row of a job that was free, and is taken now; or None."""
    exhausted = jobs.c.attempts >= settings.number("MAX_ATTEMPTS")
    counted = {"attempts": jobs.c.attempts + 1, "fencing_token": jobs.c.fencing_token + 1}
    if not move(connection, job_id, free, ~exhausted, state=state, lease_until=lease_end(), **counted):
        fail(connection, job_id, given_up, free, exhausted)
        return None
    return connection.execute(jobs.select().where(jobs.c.id == job_id)).one()


def _job_of(connection: sa.Connection, event_id: str) -> str | None:
    found: str | None = connection.execute(sa.select(outbox.c.job_id).where(outbox.c.event_id == event_id)).scalar()
    return found


def _claim(connection: sa.Connection, job_id: str, *conditions: sa.ColumnElement[bool]) -> Claim | None:
    left = telemetry.is_on() and _is_left(connection, job_id)
    row = _taken(connection, job_id, State.CONVERTING, sa.and_(unconverted(), *conditions), Failure("gave-up"))
    if row is None:
        return None
    turns.charge(connection, job_id, CLAIM_SECONDS)
    return replace(_claim_of(row, names.video_of(row)), taken_over=left)


def _is_left(connection: sa.Connection, job_id: str) -> bool:
    left = sa.select(jobs.c.id).where(jobs.c.id == job_id, jobs.c.state == State.CONVERTING)
    return connection.execute(left).one_or_none() is not None


def _claim_of(row: Any, video: str) -> Claim:
    url = row.source_url or ""
    return Claim(row.id, row.state, row.fencing_token, row.filename, row.options, url, video, row.attempts, row.fetched)


@database.transactional
def _release(connection: sa.Connection, held: Claim, given_back: int) -> None:
    waiting = State.QUEUED if held.state == State.CONVERTING else held.state
    # A checkpoint has set it to none.
    tries = sa.case((jobs.c.attempts > given_back, jobs.c.attempts - given_back), else_=0)
    if move(connection, held.job_id, held.held(), state=waiting, lease_until=None, attempts=tries):
        charge(connection, held)
