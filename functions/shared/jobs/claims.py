"""The right to work on a job: taken by whoever comes first, under a fencing token that grows with each claim.

See https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from events.errors import SpeakingError
from functions.shared import database, settings
from functions.shared.jobs import names, rollouts
from functions.shared.jobs.changes import fail, lease_end, move, unconverted, unfetched
from functions.shared.jobs.states import State
from functions.shared.problems import Unavailable
from functions.shared.reasons import Failure
from functions.shared.tables import jobs

__all__ = ["Claim", "ClaimLost", "claim", "claim_fetch", "claim_upload", "release"]


class ClaimLost(SpeakingError):
    """The claim holds no more: its job was cancelled, deleted, or given to another one."""


@dataclass(frozen=True)
class Claim:
    """The right to work on one job (`state`: converting; or receiving, to store its video), while its lease is renewed.

    `token` is the fencing token; `video` the blob that is converted, or written; `attempts` how many tries there were,
    this one counted in.
    """

    job_id: str
    state: str
    token: int
    filename: str
    options: dict[str, Any]
    source_url: str
    video: str
    attempts: int = 1

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
    row = _taken(connection, job_id, State.CONVERTING, unconverted(), Failure("gave-up"))
    return row and _claim_of(row, names.video_of(row))


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


def _claim_of(row: Any, video: str) -> Claim:
    url = row.source_url or ""
    return Claim(row.id, row.state, row.fencing_token, row.filename, row.options, url, video, row.attempts)


@database.transactional
def _release(connection: sa.Connection, held: Claim, given_back: int) -> None:
    waiting = State.QUEUED if held.state == State.CONVERTING else held.state
    # A checkpoint has set it to none.
    tries = sa.case((jobs.c.attempts > given_back, jobs.c.attempts - given_back), else_=0)
    move(connection, held.job_id, held.held(), state=waiting, lease_until=None, attempts=tries)
