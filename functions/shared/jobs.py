"""The life of a job: receiving → queued → converting → done | failed | cancelled, then expired.

Every change is one conditional UPDATE (a row count of 1 wins) that also appends to job_events, in one transaction.
A conversion holds its job by a lease with a fencing token, as in
https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from events.catalogue import AudioCreated, ConversionFailed, EventType, VideoSubmitted, VideoUploaded
from functions.shared import database, outbox, settings
from functions.shared.problems import Unavailable
from functions.shared.reasons import Failure
from functions.shared.tables import job_events, jobs, now

__all__ = [
    "Audio",
    "Claim",
    "Lost",
    "cancel",
    "claim",
    "claim_fetch",
    "fail",
    "fail_claimed",
    "finish",
    "lease_end",
    "move",
    "postpone",
    "queue",
    "receiving",
    "release",
    "retry",
    "submitted_id",
]

_NAMESPACE = uuid.UUID("5e4c7a52-3b6a-4a39-8f0e-6b7f6f1f6a11")
_BY_URL = sa.and_(jobs.c.state == "receiving", jobs.c.source_url.is_not(None))
_OPEN = sa.or_(jobs.c.state.in_(("queued", "converting")), _BY_URL)


class Lost(Exception):
    """The job is no longer this conversion's: it was cancelled, deleted, or given to another one."""


@dataclass(frozen=True)
class Claim:
    """The right to work on one job (`state`: converting; or receiving, to fetch its video), while its lease is renewed.

    `token` is the fencing token; `attempts` how many tries there were, this one counted in.
    """

    job_id: str
    state: str
    token: int
    filename: str
    options: dict[str, Any]
    source_url: str
    attempts: int = 1

    @property
    def video(self) -> str:
        """The name of the video among the blobs."""
        return f"video/{self.job_id}"

    @property
    def audio(self) -> str:
        """The name that this claim, and no other, writes its MP3 under."""
        return f"audio/{self.job_id}.{self.token}"

    def held(self) -> sa.ColumnElement[bool]:
        """The condition that the claim still holds."""
        return sa.and_(jobs.c.id == self.job_id, jobs.c.state == self.state, jobs.c.fencing_token == self.token)


@dataclass(frozen=True)
class Audio:
    """A finished MP3: its size in bytes, the hex SHA-256 of its bytes, its length in seconds."""

    size_bytes: int
    sha256: str
    duration_seconds: float


def move(connection: sa.Connection, job_id: str, *conditions: sa.ColumnElement[bool], **values: Any) -> bool:
    """Change one job if `conditions` still hold, and record the change. Returns: whether it was changed."""
    changed = jobs.update().where(jobs.c.id == job_id, *conditions).values(updated_at=now(), **values)
    if connection.execute(changed).rowcount != 1:
        return False
    current = sa.select(jobs.c.id, jobs.c.state, jobs.c.progress, sa.literal(now(), jobs.c.updated_at.type))
    record = job_events.insert().from_select(["job_id", "state", "progress", "at"], current.where(jobs.c.id == job_id))
    connection.execute(record)
    return True


def receiving(job_id: str) -> Claim:
    """The claim of who receives the video of a new job in a request."""
    return Claim(job_id, "receiving", 0, "", {}, "")


@database.transactional
def queue(
    connection: sa.Connection,
    job_id: str,
    filename: str,
    options: dict[str, Any],
    size_bytes: int,
    *conditions: sa.ColumnElement[bool],
) -> str:
    """receiving → queued, with video.uploaded in the outbox, if `conditions` (a claim's `held`) hold.

    Returns: the event's id. Raises: Lost when the job was deleted or given up meanwhile.
    """
    arrived = {"filename": filename, "options": options, "video_bytes": size_bytes, "attempts": 0, "lease_until": None}
    if not move(connection, job_id, jobs.c.state == "receiving", *conditions, state="queued", **arrived):
        raise Lost(job_id)
    generation = connection.execute(sa.select(jobs.c.fencing_token).where(jobs.c.id == job_id)).scalar_one()
    return outbox.add(connection, job_id, generation, VideoUploaded(job_id, filename, size_bytes))


@database.transactional
def claim(connection: sa.Connection, job_id: str) -> Claim | None:
    """queued, or converting with a lease that ran out → converting, under a new fencing token.

    Returns: None when there is nothing to do: the job is over, unknown, held under a live lease, or tried too often
    (and failed now).
    """
    return _claim(connection, job_id, "converting", _unconverted(), Failure("gave-up"))


@database.transactional
def claim_fetch(connection: sa.Connection, job_id: str) -> Claim | None:
    """receiving by URL, and not under a live lease → the same, under a new fencing token. Returns: as `claim`."""
    return _claim(connection, job_id, "receiving", _unfetched(), Failure("unreachable"))


@database.transactional
def finish(connection: sa.Connection, held: Claim, audio: Audio) -> str:
    """converting → done, with audio.created in the outbox. Returns: the event's id. Raises: Lost."""
    values = {
        "audio": held.audio,
        "audio_bytes": audio.size_bytes,
        "audio_sha256": audio.sha256,
        "duration_seconds": audio.duration_seconds,
        "expires_at": _expiry(),
    }
    if not move(connection, held.job_id, held.held(), state="done", progress=1.0, lease_until=None, **values):
        raise Lost(held.job_id)
    event = AudioCreated(held.job_id, held.filename, audio.size_bytes, audio.duration_seconds)
    return outbox.add(connection, held.job_id, held.token, event)


@database.transactional
def postpone(connection: sa.Connection, held: Claim) -> str:
    """converting → queued, to be gone on with by the next delivery, for which there is an event in the outbox.

    It is no failed attempt. Returns: the event's id. Raises: Lost.
    """
    values = {"state": "queued", "lease_until": None, "attempts": 0}
    if not move(connection, held.job_id, held.held(), **values):
        raise Lost(held.job_id)
    row = connection.execute(jobs.select().where(jobs.c.id == held.job_id)).one()
    return outbox.add(connection, held.job_id, held.token, _asking_for(row))


def release(held: Claim, *, counts: bool) -> None:
    """Give the claim up, so that the next delivery may try at once. Never raises: the lease would run out.

    `counts`: whether this was one of the attempts that a job has; not when a store was away.
    """
    with suppress(Unavailable):
        _release(held, 0 if counts else 1)


@database.transactional
def fail_claimed(connection: sa.Connection, held: Claim, failure: Failure) -> str:
    """The claim's state → failed, with conversion.failed in the outbox. Returns: the event's id. Raises: Lost."""
    event_id = _fail(connection, held.job_id, failure, held.held())
    if event_id is None:
        raise Lost(held.job_id)
    return event_id


@database.transactional
def fail(connection: sa.Connection, job_id: str, failure: Failure) -> str | None:
    """A job that nobody works on → failed, with conversion.failed in the outbox.

    Returns: the event's id, or None when the job is over, unknown, or under a live lease.
    """
    return _fail(connection, job_id, failure, sa.or_(_unconverted(), _unfetched()))


@database.transactional
def cancel(connection: sa.Connection, job_id: str) -> bool:
    """A job that is fetched, queued or converted → cancelled; who works on it notices when it renews its lease.

    Returns: whether it was cancelled.
    """
    values = {"state": "cancelled", "lease_until": None, "expires_at": _expiry()}
    cancelled = move(connection, job_id, _OPEN, **values)
    if cancelled:
        outbox.settle(connection, outbox.of(job_id))
    return cancelled


@database.transactional
def retry(connection: sa.Connection, job_id: str, *states: str) -> str | None:
    """failed or cancelled → queued again, or receiving if its video never came; with `states`, only from these.

    Returns: the event's id, or None.
    """
    state = sa.case((jobs.c.video_bytes.is_(None), "receiving"), else_="queued")
    again = {"attempts": 0, "fencing_token": jobs.c.fencing_token + 1, "error_code": None, "error_detail": None}
    ended = jobs.c.state.in_(states or ("failed", "cancelled"))
    if not move(connection, job_id, ended, state=state, progress=0.0, expires_at=None, **again):
        return None
    row = connection.execute(jobs.select().where(jobs.c.id == job_id)).one()
    return outbox.add(connection, job_id, row.fencing_token, _asking_for(row))


def submitted_id(source: str, event_id: str) -> str:
    """The id of the job that another system's event becomes: the same event again is the same job."""
    return uuid.uuid5(_NAMESPACE, f"{source}\n{event_id}").hex


def _asking_for(row: Any) -> EventType:
    """The event that has somebody work on a job."""
    if row.video_bytes is None:
        return VideoSubmitted(row.source_url, row.filename, row.options)
    return VideoUploaded(row.id, row.filename, row.video_bytes)


def _claim(
    connection: sa.Connection, job_id: str, state: str, free: sa.ColumnElement[bool], worn_out: Failure
) -> Claim | None:
    worn = jobs.c.attempts >= settings.number("MAX_ATTEMPTS")
    counted = {"attempts": jobs.c.attempts + 1, "fencing_token": jobs.c.fencing_token + 1}
    if not move(connection, job_id, free, ~worn, state=state, lease_until=lease_end(), **counted):
        _fail(connection, job_id, worn_out, free, worn)
        return None
    row = connection.execute(jobs.select().where(jobs.c.id == job_id)).one()
    return Claim(row.id, state, row.fencing_token, row.filename, row.options, row.source_url or "", row.attempts)


@database.transactional
def _release(connection: sa.Connection, held: Claim, given_back: int) -> None:
    waiting = "queued" if held.state == "converting" else held.state
    # A checkpoint has set it to none.
    tries = sa.case((jobs.c.attempts > given_back, jobs.c.attempts - given_back), else_=0)
    values = {"state": waiting, "lease_until": None, "attempts": tries}
    move(connection, held.job_id, held.held(), **values)


def _fail(connection: sa.Connection, job_id: str, failure: Failure, *conditions: sa.ColumnElement[bool]) -> str | None:
    reason = {"error_code": failure.code, "error_detail": failure.detail, "lease_until": None, "expires_at": _expiry()}
    if not move(connection, job_id, _OPEN, *conditions, state="failed", **reason):
        return None
    row = connection.execute(jobs.select().where(jobs.c.id == job_id)).one()
    event = ConversionFailed(job_id, row.filename, failure.code, failure.title)
    return outbox.add(connection, job_id, row.fencing_token, event)


def _unconverted() -> sa.ColumnElement[bool]:
    """Waiting for a conversion: queued, or left behind by one that died."""
    return sa.or_(jobs.c.state == "queued", sa.and_(jobs.c.state == "converting", jobs.c.lease_until < now()))


def _unfetched() -> sa.ColumnElement[bool]:
    """Waiting for its video to be fetched: not begun, or left behind."""
    free = sa.or_(jobs.c.lease_until.is_(None), jobs.c.lease_until < now())
    return sa.and_(_BY_URL, free)


def lease_end() -> datetime:
    """When a lease that is given now ends."""
    return now() + timedelta(seconds=settings.number("LEASE_SECONDS"))


def _expiry() -> datetime:
    return now() + timedelta(seconds=settings.number("RETENTION_SECONDS"))
