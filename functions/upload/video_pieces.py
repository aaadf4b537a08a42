"""Keeps what is fetched of a video, in pieces that outlast a delivery and a kill, and makes one video of them.

A video that comes in one go is written once, under the name that it keeps. Only what is longer than a piece, or broke
off, has more than one, and these are copied together at the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from functions.shared import blobs, settings
from functions.shared.addresses import HostUnreachable
from functions.shared.blobs import NoSuchBlob, Writer
from functions.shared.jobs import fetches, names
from functions.shared.jobs.claims import Claim
from functions.shared.jobs.fetches import Fetched, Piece
from functions.shared.problems import Unavailable
from functions.upload.fetch import Remote, TimeUp

__all__ = ["Video", "VideoPieces"]

# A fetch that is killed loses less than that.
PIECE_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True)
class Video:
    """A video as it is stored: the name of its blob, its size in bytes, its hex SHA-256."""

    blob: str
    size_bytes: int
    sha256: str


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

    def write(self, data: bytes) -> None:
        """Store the next bytes. Raises: ClaimLost, OverQuota, Unavailable."""
        self.check()
        if self._begun is None:
            self._begun = _Unfinished(self._next_name())
        self._begun.writer.write(data)
        if self._begun.writer.size_bytes >= PIECE_BYTES and self.remote.resumable:
            fetches.save(self._claim, self.keep(), self.remote.share)

    def restart(self) -> None:
        """Delete all that came."""
        self.discard()
        gone, self.fetched.pieces = self.fetched.pieces, []
        _delete(gone)

    def keep(self) -> Fetched:
        """Make what came since the last piece one of its own, if it can be of use. Returns: what is there."""
        if not self.remote.resumable and not self.remote.whole:
            self.restart()
        self._end_piece()
        remote, fetched = self.remote, self.fetched
        fetched.length, fetched.validator = remote.length, remote.validator
        fetched.restarts, fetched.whole = remote.restarts, remote.whole
        return fetched

    def video(self, deadline: float) -> Video:
        """The whole video, once all of it came, to be made by `deadline` (time.monotonic).

        Raises: TimeUp when that takes another delivery; HostUnreachable when some of it is lost.
        """
        if self._begun is None and not self.fetched.pieces:
            self._begun = _Unfinished(self._claim.video)
        self._end_piece()
        first, *others = self.fetched.pieces
        if not others and not first.blob.startswith("part/"):
            return Video(first.blob, first.size_bytes, first.sha256)
        # It reads and writes all of it.
        if deadline - time.monotonic() < settings.number("FETCH_TIMEOUT_SECONDS") / 2:
            raise TimeUp
        return self._joined()

    def discard(self) -> None:
        """Let go of the piece that is being written. Never raises."""
        if self._begun:
            begun, self._begun = self._begun, None
            begun.discard()

    def clear_up(self, but: str = "") -> None:
        """Delete the pieces, now that nobody needs them. Never raises: what is left, sweep finds."""
        self.discard()
        _delete(piece for piece in self.fetched.pieces if piece.blob != but)

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
            self.fetched.pieces.append(Piece(begun.name, begun.writer.size_bytes, begun.writer.sha256()))

    def _joined(self) -> Video:
        pieces, name = self.fetched.pieces, self._claim.video
        try:
            # Before revision 0004, all claims of a job have one name.
            if name in (piece.blob for piece in pieces):
                raise NoSuchBlob(name)
            with blobs.store().writing(name) as writer:
                for data in (data for piece in pieces for data in _read(piece)):
                    self.check()
                    writer.write(data)
        except NoSuchBlob as error:
            self.restart()
            self.remote.whole = False
            raise HostUnreachable("a piece of what was fetched is gone; it is fetched anew") from error
        return Video(name, writer.size_bytes, writer.sha256())


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


def _read(piece: Piece) -> Iterator[bytes]:
    return blobs.store().read(piece.blob, 0, piece.size_bytes)


def _delete(pieces: Iterable[Piece]) -> None:
    for piece in pieces:
        with suppress(Unavailable):
            blobs.store().delete(piece.blob)
