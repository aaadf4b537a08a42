"""The same video with the same options again: its owner gets a copy of the MP3 that is there, at once.

A copy, so that each job has a life of its own: deleting one, or its end, leaves the other's file. Only what the owner
has counts: whether somebody else has a file is nobody's business.

The SHA-256 of a video that came in one go is known when it is whole. One that came in pieces is read for it, if its
owner asks for that, by the first conversion: that has a lease, is delivered again if it dies, and no client waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from events.catalogue import AudioCreated
from functions.shared import blobs, database, outbox, owners, quotas, unwanted
from functions.shared.blobs import Piece
from functions.shared.blobs.interface import DamagedBlob, NoSuchBlob
from functions.shared.jobs import joined, leases, peaks, rollouts, transitions
from functions.shared.jobs.changes import drop_checkpoint, expiry, move
from functions.shared.jobs.claims import Claim, ClaimLost, charge
from functions.shared.jobs.states import State
from functions.shared.options import DEDUPLICATE
from functions.shared.problems import Unavailable
from functions.shared.quotas import OverQuota
from functions.shared.tables import jobs, now

__all__ = ["finish_known", "is_unknown", "record", "take_in"]

# What makes no other MP3.
_NO_MATTER = {DEDUPLICATE, "keep_days", "keep_video"}
# Of so many jobs with the same video, the newest are looked at.
MOST = 100
_SAME = ("audio_type", "audio_bytes", "audio_sha256", "duration_seconds", "warnings", "audio_tracks")


def take_in(
    held: Claim,
    filename: str,
    options: dict[str, Any],
    size_bytes: int,
    sha256: str | None,
    pieces: Sequence[Piece] = (),
) -> str:
    """As transitions.queue, now that the claim's video is stored; or receiving → done, if an MP3 of it is there.

    `sha256` is the hex digest of the video, if it is known. Returns: the event's id.
    Raises: ClaimLost, OverQuota, Unavailable.
    """
    arrived = {"filename": filename, "options": options, "video_bytes": size_bytes, "video_sha256": sha256}
    return _ended(held, arrived, pieces) or transitions.queue(held, filename, options, size_bytes, sha256, pieces)


def is_unknown(held: Claim) -> bool:
    """Whether the owner of a job that is converted asks for the MP3 that is there, and nobody has looked for it yet."""
    if not held.options.get(DEDUPLICATE):
        return False
    with database.reading() as connection:
        query = sa.select(jobs.c.id).where(held.held(), jobs.c.video_sha256.is_(None))
        return connection.execute(query).one_or_none() is not None


@database.transactional
def record(connection: sa.Connection, held: Claim, sha256: str) -> None:
    """Note the hex digest of a video; with "", that it is not to be had. Nobody looks again. Raises: ClaimLost."""
    leases.extend(connection, held, 0.0, video_sha256=sha256)


def finish_known(held: Claim, sha256: str) -> str | None:
    """converting → done, if an MP3 of the video with this hex digest is there.

    Returns: the event's id, or None. Raises: ClaimLost, OverQuota, Unavailable.
    """
    with database.reading() as connection:
        size = connection.execute(sa.select(jobs.c.video_bytes).where(held.held())).scalar()
    if size is None:
        raise ClaimLost(held.job_id)
    arrived = {"filename": held.filename, "options": held.options, "video_bytes": size, "video_sha256": sha256}
    return _ended(held, arrived)


def _ended(held: Claim, arrived: dict[str, Any], pieces: Sequence[Piece] = ()) -> str | None:
    """The event of a job that is done by the MP3 that there is, or None."""
    asked = arrived["options"].get(DEDUPLICATE) and arrived["video_sha256"]
    twin = _twin(held.job_id, arrived) if asked and rollouts.can_keep(arrived["options"]) else None
    if twin is None or not _copied(held, twin):
        return None
    try:
        event_id = _finish(held, arrived, twin, pieces)
    except (ClaimLost, OverQuota):
        # Not after any other error: what became of the commit may be unknown.
        _delete(held.audio)
        raise
    unwanted.delete_of(held.job_id)
    return event_id


def _twin(job_id: str, arrived: Mapping[str, Any]) -> Any:
    """The row of a job whose MP3 will do, or None."""
    owner = sa.select(jobs.c.user_id).where(jobs.c.id == job_id).scalar_subquery()
    done = (jobs.c.user_id == owner, jobs.c.video_sha256 == arrived["video_sha256"], jobs.c.state == State.DONE)
    newest = jobs.select().where(*done, jobs.c.expires_at > now()).order_by(jobs.c.created_at.desc()).limit(MOST)
    with database.reading() as connection:
        found = connection.execute(newest).all()
    return next((row for row in found if _asked(row._asdict()) == _asked(arrived)), None)


def _asked(job: Mapping[str, Any]) -> dict[str, Any]:
    """What the bytes of the MP3 depend on, but for the video. The names in a zip begin with that of the video."""
    named = {"filename": job["filename"]} if job["options"].get("chapters") == "split" else {}
    return {name: value for name, value in job["options"].items() if name not in _NO_MATTER} | named


def _copied(held: Claim, twin: Any) -> bool:
    """Whether the MP3 was there, whole, until it was copied."""
    store = blobs.store()
    # A long one takes a while.
    with suppress(NoSuchBlob, DamagedBlob), leases.heartbeat(held) as check, store.writing(held.audio) as writer:
        for data in store.read(twin.audio, 0, twin.audio_bytes):
            check()
            writer.write(data)
        if writer.sha256() != twin.audio_sha256:
            raise DamagedBlob(twin.audio)
        return True
    return False


@database.transactional
def _finish(connection: sa.Connection, held: Claim, arrived: dict[str, Any], twin: Any, pieces: Sequence[Piece]) -> str:
    before = connection.execute(sa.select(jobs.c.user_id, jobs.c.audio).where(jobs.c.id == held.job_id)).one_or_none()
    if before is None:
        raise ClaimLost(held.job_id)
    owners.hold(connection, before.user_id)
    same = {name: twin._mapping[name] for name in _SAME}
    keeps_video = bool(arrived["options"].get("keep_video"))
    ends = {"progress": 1.0, "lease_until": None, "expires_at": expiry(arrived["options"]), "fetched": None}
    ends["kept_video_bytes"] = arrived["video_bytes"] if keeps_video else None
    values = {**arrived, **same, **ends, "video": held.video, "audio": held.audio}
    if not move(connection, held.job_id, held.held(), state=State.DONE, **values):
        raise ClaimLost(held.job_id)
    quotas.check_bytes(connection, before.user_id)
    peaks.copy(connection, twin, held.job_id, held.audio)
    joined.list_pieces(connection, held.job_id, pieces)
    _let_go(connection, held, before.audio, keeps_video=keeps_video)
    charge(connection, held)
    event = AudioCreated(held.job_id, arrived["filename"], twin.audio_bytes, twin.duration_seconds)
    return outbox.add(connection, held.job_id, held.token, event)


def _let_go(connection: sa.Connection, held: Claim, audio: str | None, *, keeps_video: bool) -> None:
    """Nobody needs what there was of an MP3 any more, nor, unless it is kept, the video."""
    drop_checkpoint(connection, held.job_id)
    unwanted.note(connection, [audio, None if keeps_video else held.video])
    if not keeps_video:
        unwanted.note_pieces(connection, [held.job_id])


def _delete(name: str) -> None:
    # What is left when a store is away, sweep deletes.
    with suppress(Unavailable):
        blobs.store().delete(name)
