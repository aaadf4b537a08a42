"""What one request brings of a resumable upload → pieces in the blob store, each recorded once it is safe there."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from typing import Any

from functions.shared import blobs, settings
from functions.shared.blobs import Piece
from functions.shared.jobs import names
from functions.shared.jobs.claims import ClaimLost
from functions.shared.problems import Problem, Unavailable
from functions.shared.sizes import too_large
from functions.upload import uploads
from functions.upload.stream import pause_seconds
from functions.upload.tus_headers import Checksum

__all__ = ["Arrival"]

# A piece ends after so many seconds: what came in them is lost when this process is killed, and sent again in as many.
# The more pieces there are already, the longer they become, by so much each: of weeks of a slow upload, too, a video is
# made.
PIECE_SECONDS, LONGER_SECONDS = 2.0, 0.01
# Sweep takes a blob that is an hour old and in no row for one that nobody needs.
MAX_PIECE_SECONDS = 600.0


class _Abandoned(Exception):
    """What was begun is not to be kept."""


class Arrival:
    """Writes what comes; all of its methods block. Whoever gets an error from one calls `abort`.

    `offset` is how far the upload has got; `event_id` that of the job's event, once it is queued. With a checksum, all
    that the request brings is one piece, recorded if the checksum fits.
    Every method raises Problem, Unavailable, or ClaimLost when another request has taken the upload over.
    """

    def __init__(self, user_id: str, taken: uploads.Taken, checksum: Checksum | None = None) -> None:
        self._user_id, self._taken, self._checksum = user_id, taken, checksum
        self._digest = hashlib.new(checksum.algorithm, usedforsecurity=False) if checksum else None
        self._pieces = taken.pieces
        self._open = ExitStack()
        self._writer: Any = None
        self._began = 0.0
        self.offset = taken.upload.offset
        self.expires_at: datetime | None = taken.upload.expires_at
        self.event_id: str | None = None

    def write(self, batch: list[bytes]) -> None:
        """Write some bytes, and end the piece if it is due."""
        for data in batch:
            self._write(data)
        if self._is_due() and not self._checksum:
            self._cut()

    def end(self, *, whole: bool = True) -> None:
        """Keep what was written. Unless the request's body came `whole`, a checksum says nothing: nothing is kept."""
        if self._checksum:
            self._check(self._checksum, whole=whole)
        if self._writer:
            self._cut()
        elif self._is_last(0):
            self._finish(None)

    def abort(self) -> None:
        """Let go of what is not recorded yet. Never raises."""
        self._writer, error = None, _Abandoned()
        with suppress(Unavailable):
            self._open.__exit__(type(error), error, None)

    def _check(self, checksum: Checksum, *, whole: bool) -> None:
        if not whole:
            raise Problem("too-slow", "A request with a checksum has to come whole, and in time: send less in each.")
        if self._digest is None or self._digest.digest() != checksum.digest:
            raise Problem("checksum-mismatch", f"The {checksum.algorithm} of what came is another one.")

    def _write(self, data: bytes) -> None:
        if self._writer is None:
            self._open, self._began = ExitStack(), time.monotonic()
            self._writer = self._open.enter_context(blobs.store().writing(self._name()))
        self._check_room(len(data))
        self._writer.write(data)
        if self._digest:
            self._digest.update(data)

    def _check_room(self, more: int) -> None:
        reached = self.offset + self._writer.size_bytes + more
        if self._taken.upload.size is not None and reached > self._taken.upload.size:
            raise Problem("too-large", f"The upload was to have {self._taken.upload.size:,} bytes.")
        if reached > settings.number("MAX_UPLOAD_BYTES"):
            raise too_large()

    def _is_due(self) -> bool:
        seconds = pause_seconds(PIECE_SECONDS + LONGER_SECONDS * self._pieces, MAX_PIECE_SECONDS)
        return self._writer is not None and time.monotonic() - self._began >= seconds

    def _is_last(self, size: int) -> bool:
        upload = self._taken.upload
        return self.event_id is None and upload.concat != uploads.PARTIAL and self.offset + size == upload.size

    def _cut(self) -> None:
        """End the piece, and record it; of an upload that is whole by that, queue the job."""
        writer, self._writer = self._writer, None
        self._open.close()
        piece = Piece(self._name(), writer.size_bytes)
        with _deleting(piece.name):
            if self._is_last(piece.size_bytes):
                self._finish(piece, writer.sha256())
            else:
                self.expires_at = uploads.record(self._user_id, self._taken, piece, self.offset)
        self._pieces += 1
        self.offset += piece.size_bytes

    def _finish(self, last: Piece | None, sha256: str | None = None) -> None:
        """Queue the job. `sha256` is that of the last piece."""
        claim = self._taken.claim
        arrived = uploads.pieces_of(claim.job_id)
        blobs.store().join(claim.video, [*arrived, *([last] if last else [])])
        with _deleting(claim.video):
            known = sha256 if not arrived else None
            self.event_id = uploads.finish(self._user_id, self._taken, last, self.offset, known)
        self.expires_at = None

    def _name(self) -> str:
        return names.piece(self._taken.claim.job_id, self._taken.claim.token, self.offset)


@contextmanager
def _deleting(name: str) -> Iterator[None]:
    """Delete a blob that is refused for good; not when it is unknown whether it was recorded."""
    try:
        yield
    except (ClaimLost, Problem):
        with suppress(Unavailable):
            blobs.store().delete(name, with_pieces=False)
        raise
