"""Keeps what is fetched of a video, in pieces that outlast a delivery and a kill, and makes one video of them.

A video that comes in one go is written once, under the name that it keeps. Only what is longer than a piece, or broke
off, has more than one, and these are joined at the end: nothing is copied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from functions.shared import blobs, database
from functions.shared.addresses import HostUnreachable
from functions.shared.blobs import NoSuchBlob, Writer
from functions.shared.jobs import fetches, names, rollouts
from functions.shared.jobs.claims import Claim
from functions.shared.jobs.fetches import Fetched, FetchedPiece
from functions.shared.problems import Unavailable
from functions.upload.fetch import Remote

__all__ = ["Video", "VideoPieces"]

# A fetch that is killed loses less than that.
PIECE_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True)
class Video:
    """A video as it is stored: the name of its blob, its size in bytes, its hex SHA-256 if that is known.

    `pieces` are what it was joined of, if it was.
    """

    blob: str
    size_bytes: int
    sha256: str | None
    pieces: tuple[blobs.Piece, ...] = ()


class VideoPieces:
    """The sink of a fetch. `remote` is what the fetch knows, `fetched` what the job's row is to say of it.

    `check` raises ClaimLost once the claim holds no more.
    """

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self.check: Callable[[], None] = lambda: None
        self.fetched = fetches.of(claim)
        known = self.fetched
        self.remote = Remote(known.size_bytes, known.length, known.validator, known.restarts, known.whole)
        self._begun: _Unfinished | None = None
        # Of all that came, if all of it came in this delivery.
        self._digest = None if known.pieces else hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Store the next bytes. Raises: ClaimLost, OverQuota, Unavailable."""
        self.check()
        if self._begun is None:
            self._begun = _Unfinished(self._next_name())
        self._begun.writer.write(data)
        if self._digest:
            self._digest.update(data)
        if self._begun.writer.size_bytes >= PIECE_BYTES and self.remote.resumable:
            fetches.save(self._claim, self.keep(), self.remote.share)

    def restart(self) -> None:
        """Delete all that came."""
        self.discard()
        gone, self.fetched.pieces = self.fetched.pieces, []
        self._digest = hashlib.sha256()
        _delete(piece.blob for piece in gone)

    def keep(self) -> Fetched:
        """Make what came since the last piece one of its own, if it can be of use. Returns: what is there."""
        if not self.remote.resumable and not self.remote.whole:
            self.restart()
        self._end_piece()
        remote, fetched = self.remote, self.fetched
        fetched.length, fetched.validator = remote.length, remote.validator
        fetched.restarts, fetched.whole = remote.restarts, remote.whole
        return fetched

    def video(self) -> Video:
        """The whole video, once all of it came. Raises: HostUnreachable when some of it is lost, Unavailable."""
        if self._begun is None and not self.fetched.pieces:
            self._begun = _Unfinished(self._claim.video)
        self._end_piece()
        first, *others = self.fetched.pieces
        if not others and not first.blob.startswith("part/"):
            return Video(first.blob, first.size_bytes, first.sha256)
        return self._joined()

    def discard(self) -> None:
        """Let go of the piece that is being written. Never raises."""
        if self._begun:
            begun, self._begun = self._begun, None
            begun.discard()

    def clear_up(self) -> None:
        """Delete what came, now that nobody needs it. Never raises: what is left, sweep finds."""
        self.discard()
        _delete([self._claim.video, *(piece.blob for piece in self.fetched.pieces)])

    def _next_name(self) -> str:
        number, length = len(self.fetched.pieces), self.remote.length
        fits = length is not None and length <= PIECE_BYTES
        if number == 0 and (fits or not self.remote.resumable):
            return self._claim.video
        return names.part(self._claim.job_id, self._claim.token, number)

    def _end_piece(self) -> None:
        if self._begun:
            begun, self._begun = self._begun, None
            begun.finish()
            self.fetched.pieces.append(FetchedPiece(begun.name, begun.writer.size_bytes, begun.writer.sha256()))

    def _joined(self) -> Video:
        pieces = tuple(blobs.Piece(piece.blob, piece.size_bytes) for piece in self.fetched.pieces if piece.size_bytes)
        name = self._claim.video
        with database.reading() as connection:
            rollouts.check_joining(connection)
        try:
            # Before revision 0004, all claims of a job have one name.
            if name in (piece.name for piece in pieces):
                raise NoSuchBlob(name)
            _check(pieces)
        except NoSuchBlob as error:
            self.restart()
            self.remote.whole = False
            raise HostUnreachable("a piece of what was fetched is gone; it is fetched anew") from error
        blobs.store().join(name, pieces)
        size = sum(piece.size_bytes for piece in pieces)
        return Video(name, size, self._digest.hexdigest() if self._digest else None, pieces)


class _Discarded(Exception):
    pass


class _Unfinished:
    """A blob that is being written, until somebody says what becomes of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._block = ExitStack()
        self.writer: Writer = self._block.enter_context(blobs.store().writing(name))

    def finish(self) -> None:
        """It is whole, and safe."""
        self._block.close()

    def discard(self) -> None:
        """It never was. Never raises."""
        with suppress(_Discarded, Unavailable), self._block:
            raise _Discarded


def _check(pieces: Iterable[blobs.Piece]) -> None:
    """Raises: NoSuchBlob unless all of them are there. The sweep of an old release may not have known them."""
    for piece in pieces:
        if blobs.store().size(piece.name) != piece.size_bytes:
            raise NoSuchBlob(piece.name)


def _delete(gone: Iterable[str]) -> None:
    for name in gone:
        with suppress(Unavailable):
            blobs.store().delete(name, with_pieces=False)
