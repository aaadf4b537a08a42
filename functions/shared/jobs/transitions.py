"""The life of a job: receiving → queued → converting → done | failed | cancelled, then expired.

Every change is one conditional UPDATE (a row count of 1 wins) that also appends to job_events, in one transaction with
the event that others act on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from events.catalogue import AudioCreated, VideoUploaded
from events.errors import SpeakingError
from functions.shared import audit, database, job_warnings, outbox, owners, quotas, unwanted
from functions.shared.audit import SWEEP
from functions.shared.blobs import Piece
from functions.shared.job_warnings import JobWarning
from functions.shared.jobs import changes, confirmations, deletion, joined, names, peaks
from functions.shared.jobs.changes import asking_for, drop_checkpoint, end, move, unconverted, unfetched
from functions.shared.jobs.claims import Claim, ClaimLost, charge
from functions.shared.jobs.peaks import Peaks
from functions.shared.jobs.states import KEPT, LIVE, RETRYABLE, State
from functions.shared.reasons import Failure
from functions.shared.tables import clock, jobs, now

__all__ = [
    "Audio",
    "OverMinutes",
    "cancel",
    "enqueue",
    "expire",
    "fail",
    "fail_claimed",
    "finish",
    "forget_unreceived",
    "postpone",
    "queue",
    "retry",
    "retry_within_quotas",
]


@dataclass(frozen=True)
class Audio:
    """A finished MP3: its size in bytes, the hex SHA-256 of its bytes, its length in seconds, its peaks if known."""

    size_bytes: int
    sha256: str
    duration_seconds: float
    peaks: Peaks | None = None


class OverMinutes(SpeakingError):
    """The job has failed, for its owner's minutes of today are used up. `event_id` is that of conversion.failed."""

    def __init__(self, event_id: str) -> None:
        super().__init__(event_id)
        self.event_id = event_id


@database.transactional
def queue(
    connection: sa.Connection,
    held: Claim,
    filename: str,
    options: dict[str, Any],
    size_bytes: int,
    sha256: str | None = None,
    pieces: Sequence[Piece] = (),
) -> str:
    """receiving → queued, now that the claim's video is stored, with video.uploaded in the outbox.

    `sha256` is the hex digest of the video, if it is known; `pieces` are what it was joined of.
    Returns: the event's id. Raises: ClaimLost, AccountGone, or OverQuota when the owner may not have so much stored.
    """
    owner = _owner(connection, held.job_id)
    owners.hold(connection, owner)
    joined.list_pieces(connection, held.job_id, pieces)
    return enqueue(connection, held, owner, filename, options, size_bytes, sha256)


def enqueue(
    connection: sa.Connection,
    held: Claim,
    owner: str,
    filename: str,
    options: dict[str, Any],
    size_bytes: int,
    sha256: str | None = None,
) -> str:
    """As `queue`, in the caller's transaction, which has called owners.hold for the owner (the user's id)."""
    arrived = {"filename": filename, "options": options, "video": held.video, "video_bytes": size_bytes}
    # What is to come is the progress of the conversion.
    begins = {"attempts": 0, "lease_until": None, "progress": 0.0, "fetched": None}
    known = {**arrived, "video_sha256": sha256, **begins}
    if not move(connection, held.job_id, held.held(), state=State.QUEUED, **known):
        raise ClaimLost(held.job_id)
    quotas.check_bytes(connection, owner)
    event_id = outbox.add(connection, held.job_id, held.token, VideoUploaded(held.job_id, filename, size_bytes))
    confirmations.add_if_wanted(connection, held.job_id)
    return event_id


def finish(held: Claim, audio: Audio, warnings: Iterable[JobWarning] = (), **more: Any) -> str:
    """converting → done, with audio.created in the outbox. `warnings` are what its owner has to know.

    `more` are other values of the job. Returns: the event's id.
    Raises: ClaimLost, AccountGone, or OverMinutes: then it failed.
    """
    event_id, done = _finish(held, audio, warnings, more)
    if not done:
        raise OverMinutes(event_id)
    return event_id


@database.transactional
def postpone(connection: sa.Connection, held: Claim) -> str:
    """converting → queued, to be resumed by the next delivery, for which there is an event in the outbox.

    It is no failed attempt. Returns: the event's id. Raises: ClaimLost.
    """
    if not move(connection, held.job_id, held.held(), state=State.QUEUED, lease_until=None, attempts=0):
        raise ClaimLost(held.job_id)
    charge(connection, held)
    row = connection.execute(jobs.select().where(jobs.c.id == held.job_id)).one()
    return outbox.add(connection, held.job_id, held.token, asking_for(row))


@database.transactional
def fail_claimed(connection: sa.Connection, held: Claim, failure: Failure) -> str:
    """The claim's state → failed, with conversion.failed in the outbox. Returns: the event's id. Raises: ClaimLost."""
    return _fail_held(connection, held, failure)


@database.transactional
def fail(connection: sa.Connection, job_id: str, failure: Failure) -> str | None:
    """A job that nobody works on → failed, with conversion.failed in the outbox.

    Returns: the event's id, or None when the job is over, unknown, or under a live lease.
    """
    return changes.fail(connection, job_id, failure, sa.or_(unconverted(), unfetched()))


@database.transactional
def cancel(connection: sa.Connection, job_id: str) -> bool:
    """A job that is not over → cancelled; who works on it, or brings its video, notices when it renews its lease.

    What there was of an MP3, or of a video that has not come whole, is unwanted. Returns: whether it was cancelled.
    """
    cancelled = end(connection, job_id, jobs.c.state.in_(LIVE), state=State.CANCELLED)
    if cancelled:
        outbox.settle(connection, outbox.of(job_id))
        unreceived = sa.select(jobs.c.id).where(jobs.c.id == job_id, jobs.c.video_bytes.is_(None))
        unwanted.note_pieces(connection, connection.execute(unreceived).scalars().all())
    return cancelled


@database.transactional
def retry(connection: sa.Connection, job_id: str, *states: State) -> str | None:
    """failed or cancelled → queued again, or receiving if its video never came; with `states`, only from these.

    Returns: the event's id, or None when it is in another state, or its video is not to be had.
    """
    return _retry(connection, job_id, jobs.c.state.in_(states or RETRYABLE))


@database.transactional
def retry_within_quotas(
    connection: sa.Connection, user_id: str, job_id: str, options: Mapping[str, Any] | None = None
) -> str | None:
    """As `retry`, by its owner; also done → queued, if its video is kept. `options`, if given, replace those it had.

    The MP3 that there is stays until there is another one. Raises: AccountGone, OverQuota.
    """
    owners.hold(connection, user_id)
    again = sa.and_(jobs.c.state == State.DONE, jobs.c.kept_video_bytes.is_not(None))
    chosen = {} if options is None else {"options": dict(options)}
    event_id = _retry(connection, job_id, sa.or_(jobs.c.state.in_(RETRYABLE), again), **chosen)
    if event_id is not None:
        quotas.admit(connection, user_id)
    return event_id


@database.transactional
def expire(connection: sa.Connection, most: int) -> int:
    """done, failed or cancelled, past their time → expired, `most` of them; their files are unwanted (unwanted.py).

    Returns: how many there were.
    """
    over = (jobs.c.state.in_(KEPT), jobs.c.expires_at < now())
    ids = connection.execute(sa.select(jobs.c.id).where(*over).limit(most)).scalars().all()
    count = sum(_expire(connection, job_id, *over) for job_id in ids)
    if count:
        audit.write(connection, SWEEP, "jobs.expired", {"count": count})
    return count


@database.transactional
def forget_unreceived(connection: sa.Connection, before: datetime, most: int) -> int:
    """Delete the jobs, `most` of them, whose videos were to come in requests that ended before then without saying so.

    Returns: how many there were.
    """
    by_request = sa.and_(jobs.c.state == State.RECEIVING, jobs.c.source_url.is_(None))
    idle = sa.or_(jobs.c.lease_until.is_(None), jobs.c.lease_until < clock())
    abandoned = sa.select(jobs.c.id).where(by_request, idle, jobs.c.updated_at < before).limit(most).with_for_update()
    count = len(deletion.delete_rows(connection, connection.execute(abandoned).scalars().all()))
    if count:
        audit.write(connection, SWEEP, "uploads.forgotten", {"count": count})
    return count


@database.transactional
def _finish(
    connection: sa.Connection, held: Claim, audio: Audio, warnings: Iterable[JobWarning], more: Mapping[str, Any]
) -> tuple[str, bool]:
    before = connection.execute(jobs.select().where(held.held())).one_or_none()
    if before is None:
        raise ClaimLost(held.job_id)
    owners.hold(connection, before.user_id)
    if not quotas.spend(connection, before.user_id, audio.duration_seconds):
        return _fail_held(connection, held, Failure("over-minutes")), False
    keeps_video = bool(held.options.get("keep_video"))
    values = {
        **more,
        "audio": held.audio,
        "audio_type": "application/zip" if held.options.get("chapters") == "split" else "audio/mpeg",
        "kept_video_bytes": before.video_bytes if keeps_video else None,
        "audio_bytes": audio.size_bytes,
        "audio_sha256": audio.sha256,
        "duration_seconds": audio.duration_seconds,
        "warnings": job_warnings.stored(warnings),
        "peaks_of": held.audio if audio.peaks else None,
        # It is another file than the one before, if there was one.
        "downloaded_at": None,
        "reminder": None,
        "reminded_at": None,
    }
    if not end(connection, held.job_id, held.held(), row=before, state=State.DONE, progress=1.0, **values):
        raise ClaimLost(held.job_id)
    peaks.replace(connection, held.job_id, audio.peaks)
    unwanted.note(connection, [before.audio, None if keeps_video else held.video])
    if not keeps_video:
        unwanted.note_pieces(connection, [held.job_id])
    charge(connection, held)
    event = AudioCreated(held.job_id, held.filename, audio.size_bytes, audio.duration_seconds)
    return outbox.add(connection, held.job_id, held.token, event), True


def _fail_held(connection: sa.Connection, held: Claim, failure: Failure) -> str:
    event_id = changes.fail(connection, held.job_id, failure, held.held())
    if event_id is None:
        raise ClaimLost(held.job_id)
    charge(connection, held)
    return event_id


def _expire(connection: sa.Connection, job_id: str, *over: sa.ColumnElement[bool]) -> bool:
    row = connection.execute(jobs.select().where(jobs.c.id == job_id)).one_or_none()
    if row is None or not move(connection, job_id, *over, state=State.EXPIRED):
        return False
    drop_checkpoint(connection, job_id)
    peaks.drop(connection, job_id)
    unwanted.note(connection, [names.video_of(row), row.audio])
    unwanted.note_pieces(connection, [job_id])
    return True


def _retry(connection: sa.Connection, job_id: str, ended: sa.ColumnElement[bool], **values: Any) -> str | None:
    state = sa.case((jobs.c.video_bytes.is_(None), State.RECEIVING), else_=State.QUEUED)
    told = dict.fromkeys(("error_code", "error_detail", "warnings", "fetched", "reserved_bytes"))
    again = {"attempts": 0, "fencing_token": jobs.c.fencing_token + 1, "kept_video_bytes": None, **told, **values}
    # What came in a request, and was cancelled meanwhile, is nowhere to be had.
    to_be_had = sa.or_(jobs.c.video_bytes.is_not(None), jobs.c.source_url.is_not(None))
    if not move(connection, job_id, ended, to_be_had, state=state, progress=0.0, expires_at=None, **again):
        return None
    # It may have been made with other options, by a release that left it when the job ended.
    drop_checkpoint(connection, job_id)
    row = connection.execute(jobs.select().where(jobs.c.id == job_id)).one()
    return outbox.add(connection, job_id, row.fencing_token, asking_for(row))


def _owner(connection: sa.Connection, job_id: str) -> str:
    """Whose job it is. Raises: ClaimLost when it is gone."""
    owner = connection.execute(sa.select(jobs.c.user_id).where(jobs.c.id == job_id)).scalar()
    if owner is None:
        raise ClaimLost(job_id)
    return str(owner)
