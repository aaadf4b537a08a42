"""The rows of resumable uploads. An upload is a job that receives its video; what has arrived is in upload_pieces.

Each request that brings bytes takes the job's next fencing token, and with it the upload: what it records counts only
while it has the newest one. So a client that comes back need not wait for the end of a request that was cut off.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from functions.shared import database, owners, quotas, settings
from functions.shared.audit import Actor
from functions.shared.blobs import Piece
from functions.shared.jobs import deletion, names, rollouts, transitions
from functions.shared.jobs.changes import move
from functions.shared.jobs.claims import Claim, ClaimLost
from functions.shared.jobs.states import State
from functions.shared.options import DEDUPLICATE
from functions.shared.problems import Problem, Unavailable
from functions.shared.sizes import too_large
from functions.shared.tables import jobs, now, upload_pieces, uploads
from functions.upload import admission, intake

__all__ = [
    "MAX_PIECES",
    "PARTIAL",
    "Taken",
    "Upload",
    "claim_of",
    "create",
    "delete",
    "discard",
    "find",
    "finish",
    "new_id",
    "part",
    "pieces_of",
    "record",
    "take",
]

PARTIAL = "partial"
# A joined video lists its pieces. Requests that bring a few bytes each must not make that endless.
MAX_PIECES = 50_000
# How far an upload gets before its owner is told.
PROGRESS_STEP = 0.005


@dataclass(frozen=True)
class Upload:
    """An upload as its rows tell: sizes in bytes, `size` None while it is not stated, `expires_at` None once complete.

    `metadata` and `concat` are as the client sent them; `concat` is "" if it is neither a part nor put together.
    """

    job_id: str
    size: int | None
    offset: int
    metadata: str = ""
    concat: str = ""
    expires_at: datetime | None = None

    @property
    def has_all(self) -> bool:
        """Whether every byte has arrived."""
        return self.offset == self.size


@dataclass(frozen=True)
class Taken:
    """The right to bring bytes: the upload as it was then, the claim, and how many pieces there were."""

    upload: Upload
    claim: Claim
    pieces: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether all is there and only the job is not queued yet."""
        return self.upload.has_all and self.upload.concat != PARTIAL


@database.transactional
def create(connection: sa.Connection, user_id: str, filename: str, options: Mapping[str, Any], new: Upload) -> Taken:
    """A job that waits for its upload. `new` says what is known of it. Raises: Problem, Unavailable."""
    rollouts.check_joining(connection)
    owners.hold(connection, user_id)
    values = intake.blank_job(new.job_id, user_id, filename, options)
    expires = _expiry()
    connection.execute(jobs.insert().values(lease_until=expires, reserved_bytes=new.size or 0, **values))
    kept = {"metadata": new.metadata, "concat": new.concat, "size_bytes": new.size, "offset_bytes": 0}
    connection.execute(uploads.insert().values(job_id=new.job_id, expires_at=expires, **kept))
    quotas.admit(connection, user_id)
    admission.check(connection)
    return Taken(replace(new, expires_at=expires), claim_of(new.job_id, 0, filename, options))


def find(user_id: str, upload_id: str) -> Upload:
    """Raises: Problem (404, 410)."""
    with database.reading() as connection:
        return _upload(_row(connection, user_id, upload_id))


@database.transactional
def take(connection: sa.Connection, user_id: str, upload_id: str, offset: int | None, size: int | None = None) -> Taken:
    """The right to go on at `offset`, which whoever had it before loses. `size` is what a client states late.

    `offset` is None for whoever only finishes what has all its bytes.
    Raises: Problem (400, 403, 404, 409, 410, 413), or OverQuota.
    """
    if size is not None:
        owners.hold(connection, user_id)
    row = _row(connection, user_id, upload_id, locked=True)
    upload = _upload(row)
    _check(row.state, upload, offset)
    if size is not None:
        upload = _sized(connection, user_id, upload, size)
    token, expires = row.fencing_token + 1, _expiry()
    connection.execute(jobs.update().where(jobs.c.id == upload_id).values(fencing_token=token, lease_until=expires))
    connection.execute(uploads.update().where(uploads.c.job_id == upload_id).values(expires_at=expires))
    count = sa.select(sa.func.count()).select_from(upload_pieces).where(upload_pieces.c.job_id == upload_id)
    pieces = connection.execute(count).scalar_one()
    if pieces >= MAX_PIECES:
        raise Problem("too-large", f"The upload has come in {MAX_PIECES:,} pieces: begin anew, with larger requests.")
    return Taken(replace(upload, expires_at=expires), claim_of(upload_id, token, row.filename, row.options), pieces)


@database.transactional
def record(connection: sa.Connection, user_id: str, taken: Taken, piece: Piece, offset: int) -> datetime:
    """Count a stored piece that begins at `offset`. Returns: when the upload expires. Raises: ClaimLost, OverQuota."""
    expires = _expiry()
    if taken.upload.size is None:
        _reserve(connection, user_id, taken.claim.job_id, offset + piece.size_bytes)
    _renew(connection, taken, offset + piece.size_bytes, expires)
    _add(connection, taken.claim.job_id, piece, offset)
    moved = uploads.update().where(uploads.c.job_id == taken.claim.job_id, uploads.c.offset_bytes == offset)
    values = {"offset_bytes": offset + piece.size_bytes, "expires_at": expires}
    if connection.execute(moved.values(**values)).rowcount != 1:
        raise ClaimLost(taken.claim.job_id)
    return expires


@database.transactional
def finish(
    connection: sa.Connection, user_id: str, taken: Taken, last: Piece | None, offset: int, sha256: str | None = None
) -> str:
    """Count the last piece, if there is one, and queue the job. The video is joined already.

    `sha256` is the hex digest of the whole, if it is known. Returns: the event's id. Raises: ClaimLost, OverQuota.
    """
    owners.hold(connection, user_id)
    # Ahead of the piece: whoever has taken the upload may have recorded one that begins there, too.
    if connection.execute(sa.select(jobs.c.id).where(taken.claim.held()).with_for_update()).first() is None:
        raise ClaimLost(taken.claim.job_id)
    if last:
        _add(connection, taken.claim.job_id, last, offset)
    size = offset + (last.size_bytes if last else 0)
    values = {"offset_bytes": size, "expires_at": None}
    connection.execute(uploads.update().where(uploads.c.job_id == taken.claim.job_id).values(**values))
    claim = taken.claim
    # Whoever converts looks for the MP3 that is there, unless the digest is known: then somebody has looked.
    known = None if claim.options.get(DEDUPLICATE) else sha256
    return transitions.enqueue(connection, claim, user_id, claim.filename, claim.options, size, known)


def part(connection: sa.Connection, user_id: str, upload_id: str) -> Upload:
    """An upload, locked in a transaction. Raises: Problem (404, 410)."""
    return _upload(_row(connection, user_id, upload_id, locked=True))


def delete(by: Actor, upload_id: str) -> None:
    """Delete the owner's upload with what has arrived; of a complete one, its job. Raises: Problem (404, 410)."""
    find(by.name, upload_id)
    deletion.delete(owners.job_of(by.name, upload_id), by)


def discard(by: Actor, upload_id: str) -> None:
    """As `delete`, if it can be done now; what is left expires. Never raises."""
    with suppress(Problem, Unavailable):
        delete(by, upload_id)


def pieces_of(job_id: str) -> list[Piece]:
    """What has arrived, in its order."""
    query = sa.select(upload_pieces).where(upload_pieces.c.job_id == job_id).order_by(upload_pieces.c.start_bytes)
    with database.reading() as connection:
        return [Piece(row.name, row.size_bytes) for row in connection.execute(query)]


def new_id() -> str:
    """The id of a new upload."""
    return uuid.uuid4().hex


def claim_of(job_id: str, token: int, filename: str, options: Mapping[str, Any]) -> Claim:
    """The claim of the request that has an upload under this token."""
    return Claim(job_id, State.RECEIVING, token, filename, dict(options), "", names.video(job_id, token))


def _expiry() -> datetime:
    return now() + timedelta(seconds=settings.number("UPLOAD_GRACE_SECONDS"))


def _row(connection: sa.Connection, user_id: str, upload_id: str, *, locked: bool = False) -> Any:
    mine = (jobs.c.id == upload_id, jobs.c.user_id == user_id)
    wanted = (jobs.c.state, jobs.c.filename, jobs.c.options, jobs.c.fencing_token, *uploads.c)
    query = sa.select(*wanted).join(jobs, jobs.c.id == uploads.c.job_id).where(*mine)
    row = connection.execute(query.with_for_update() if locked else query).one_or_none()
    if row is None:
        raise Problem("not-found", "You have no such upload.")
    over = row.state == State.RECEIVING and row.expires_at < now()
    if over or (row.state != State.RECEIVING and row.expires_at is not None):
        raise Problem("expired", "The upload was given up before all of it had arrived. Begin anew.")
    return row


def _upload(row: Any) -> Upload:
    return Upload(row.job_id, row.size_bytes, row.offset_bytes, row.metadata, row.concat, row.expires_at)


def _check(state: str, upload: Upload, offset: int | None) -> None:
    if upload.concat not in ("", PARTIAL):
        raise Problem("final-upload", "Bytes go to the uploads that this one is made of.")
    if state != State.RECEIVING:
        raise Problem("wrong-state", "All of the upload has arrived.", state=state)
    if offset not in (None, upload.offset):
        said = {"Upload-Offset": str(upload.offset)}
        raise Problem("wrong-offset", f"The upload goes on at {upload.offset:,}.", said, offset=upload.offset)


def _sized(connection: sa.Connection, user_id: str, upload: Upload, size: int) -> Upload:
    """The upload, now that its size is stated."""
    if upload.size not in (None, size) or size < upload.offset:
        raise Problem("bad-request", "Upload-Length is stated once, and no smaller than what has arrived.")
    if size > settings.number("MAX_UPLOAD_BYTES"):
        raise too_large()
    connection.execute(uploads.update().where(uploads.c.job_id == upload.job_id).values(size_bytes=size))
    _reserve(connection, user_id, upload.job_id, size)
    return replace(upload, size=size)


def _reserve(connection: sa.Connection, user_id: str, job_id: str, size: int) -> None:
    """Have `size` bytes count, of an upload that has announced none. Raises: OverQuota."""
    owners.hold(connection, user_id)
    connection.execute(jobs.update().where(jobs.c.id == job_id).values(reserved_bytes=size))
    quotas.check_bytes(connection, user_id)


def _add(connection: sa.Connection, job_id: str, piece: Piece, start: int) -> None:
    values = {"start_bytes": start, "size_bytes": piece.size_bytes, "name": piece.name}
    connection.execute(upload_pieces.insert().values(job_id=job_id, **values))


def _renew(connection: sa.Connection, taken: Taken, offset: int, expires: datetime) -> None:
    """Raises: ClaimLost when somebody else has taken the upload, or it is over."""
    held, size = taken.claim.held(), taken.upload.size
    progress = min(1.0, offset / size) if size else 0.0
    step = jobs.c.progress < progress - PROGRESS_STEP
    if move(connection, taken.claim.job_id, held, step, progress=progress, lease_until=expires):
        return
    renewed = jobs.update().where(held).values(lease_until=expires, updated_at=now())
    if connection.execute(renewed).rowcount != 1:
        raise ClaimLost(taken.claim.job_id)
