"""Uploads that are put together of others (tus 1.0.0, extension "Concatenation"): nothing is copied.

The pieces of the parts become those of the whole, and the parts are gone, in the transaction that queues its job. The
job's row is there before its video is joined: else sweep would take a video that waits for it for one of no job.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from functions.shared import blobs, database, owners, quotas, settings
from functions.shared.blobs import Piece
from functions.shared.jobs import joined, rollouts, transitions
from functions.shared.jobs.changes import lease_end
from functions.shared.jobs.claims import Claim, ClaimLost
from functions.shared.jobs.states import State
from functions.shared.problems import Problem, Unavailable
from functions.shared.sizes import too_large
from functions.shared.tables import jobs, upload_pieces
from functions.shared.tables import uploads as table
from functions.upload import intake, uploads
from functions.upload.uploads import PARTIAL, Upload

__all__ = ["concatenate"]


def concatenate(
    user_id: str, named: tuple[str, dict[str, Any]], metadata: str, concat: str, parts: Sequence[str]
) -> tuple[Upload, str | None]:
    """Queue a job whose video is that of the `parts` (ids), one after the other. It blocks.

    `named` are the video's name and the options; `metadata` and `concat` are as the client sent them. Whoever says the
    same again, for the answer was lost, gets the upload that there is.
    Returns: the upload, and the event's id if it is new. Raises: Problem, Unavailable.
    """
    if made := _made(user_id, concat):
        return made, None
    claim = uploads.claim_of(uploads.new_id(), 0, *named)
    pieces = _open(user_id, claim, parts)
    size = sum(piece.size_bytes for piece in pieces)
    upload = Upload(claim.job_id, size, size, metadata, concat)
    try:
        with _discarding(claim.job_id):
            blobs.store().join(claim.video, pieces)
            return upload, _queue(user_id, claim, upload, parts, pieces)
    except (Problem, ClaimLost) as error:
        # Somebody who said the same may have been the first.
        if made := _made(user_id, concat):
            return made, None
        if isinstance(error, ClaimLost):
            raise Problem("upload-taken-over", "The parts have changed meanwhile.") from None
        raise


@contextmanager
def _discarding(job_id: str) -> Iterator[None]:
    """Forget the job unless it gets queued. What its video is joined of is that of the parts."""
    try:
        yield
    except (Problem, ClaimLost, Unavailable):
        intake.discard(job_id, with_pieces=False)
        raise


@database.transactional
def _open(connection: sa.Connection, user_id: str, claim: Claim, parts: Sequence[str]) -> list[Piece]:
    """The row of a job that receives its video, and what that is to be joined of."""
    rollouts.check_joining(connection)
    pieces = _complete(connection, user_id, parts)
    values = intake.blank_job(claim.job_id, user_id, claim.filename, claim.options)
    connection.execute(jobs.insert().values(lease_until=lease_end(), **values))
    return pieces


@database.transactional
def _queue(
    connection: sa.Connection, user_id: str, claim: Claim, upload: Upload, parts: Sequence[str], pieces: list[Piece]
) -> str:
    owners.hold(connection, user_id)
    if _complete(connection, user_id, parts) != pieces:
        raise ClaimLost(claim.job_id)
    connection.execute(jobs.delete().where(jobs.c.id.in_(parts)))
    sized = jobs.update().where(claim.held()).values(reserved_bytes=upload.size)
    if connection.execute(sized).rowcount != 1:
        raise ClaimLost(claim.job_id)
    kept = {"metadata": upload.metadata, "concat": upload.concat}
    sizes = {"size_bytes": upload.size, "offset_bytes": upload.offset}
    connection.execute(table.insert().values(job_id=upload.job_id, **kept, **sizes))
    joined.list_pieces(connection, upload.job_id, pieces)
    quotas.admit(connection, user_id)
    return transitions.enqueue(connection, claim, user_id, claim.filename, claim.options, upload.offset)


def _made(user_id: str, concat: str) -> Upload | None:
    mine = sa.and_(jobs.c.user_id == user_id, table.c.concat == concat)
    query = sa.select(jobs.c.id).join(table, table.c.job_id == jobs.c.id).where(mine)
    with database.reading() as connection:
        found = connection.execute(query).scalars().first()
    return uploads.find(user_id, found) if found else None


def _complete(connection: sa.Connection, user_id: str, parts: Sequence[str]) -> list[Piece]:
    """All pieces of the parts. Raises: Problem (400, 404, 409, 410, 413)."""
    found: list[Piece] = []
    for part in parts:
        upload = uploads.part(connection, user_id, part)
        if upload.concat != PARTIAL:
            raise Problem("bad-request", f"{part} was not begun as a part: send Upload-Concat: partial.")
        if not upload.has_all:
            raise Problem("wrong-state", f"{part} is not complete.", state=State.RECEIVING)
        query = sa.select(upload_pieces).where(upload_pieces.c.job_id == part).order_by(upload_pieces.c.start_bytes)
        found += [Piece(row.name, row.size_bytes) for row in connection.execute(query)]
    if sum(piece.size_bytes for piece in found) > settings.number("MAX_UPLOAD_BYTES"):
        raise too_large()
    if len(found) > uploads.MAX_PIECES:
        raise Problem("too-large", f"The parts have come in more than {uploads.MAX_PIECES:,} pieces.")
    return found
