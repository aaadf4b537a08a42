"""What a conversion makes: an MP3, or a zip of several, while it grows and until it is a blob."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from functions.convert.conversion.mpeg.archive import Zip
from functions.shared import blobs, settings
from functions.shared.job_warnings import JobWarning
from functions.shared.jobs import leases, names
from functions.shared.jobs.claims import Claim
from functions.shared.jobs.transitions import Audio
from functions.shared.reasons import Failure

__all__ = ["Converted", "Result", "pieces"]

PIECE = 256 * 1024


@dataclass(frozen=True)
class Converted:
    """The MP3 of a job, what its owner has to know about it, and other values of the job that are not written yet."""

    audio: Audio
    warnings: tuple[JobWarning, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


class Result:
    """The frames of one MP3 after another.

    The first ones may be `parts`, blobs that an earlier conversion of the job left; the others are in a file without
    a name. An MP3 is whole when its first and last bytes are known.
    """

    def __init__(self, claim: Claim, parts: tuple[str, ...]) -> None:
        self.whole = False
        self._claim = claim
        self._parts = list(parts)
        self._size = sum(map(blobs.store().size, parts))
        self._frames: IO[bytes] = tempfile.TemporaryFile(prefix="frames-")
        self._zipped: IO[bytes] | None = None
        self._zip: Zip | None = None
        self._head = self._tail = b""
        self._seconds = 0.0

    def __enter__(self) -> Result:
        return self

    def __exit__(self, *_: object) -> None:
        self._frames.close()
        if self._zipped:
            self._zipped.close()

    def add(self, frames: bytes) -> None:
        """Take the next frames. Raises: Failure (too-large)."""
        self._grow(len(frames))
        self._frames.write(frames)

    def restart(self) -> None:
        """Forget the frames that were taken since the last time that they were stored."""
        self._size -= self._frames.tell()
        self._clear()

    def save(self) -> tuple[str, ...]:
        """Store what has come since the last time. Returns: the names of all parts. Raises: Unavailable."""
        name = names.part(self._claim.job_id, self._claim.token, len(self._parts))
        _store(name, pieces(self._frames), self._claim)
        self._clear()
        self._parts.append(name)
        return tuple(self._parts)

    def end(self, head: bytes, tail: bytes, seconds: float) -> None:
        """An MP3 is whole: its head, the frames, its tail. Raises: Failure (too-large)."""
        self._grow(len(head) + len(tail))
        self._head, self._tail = head, tail
        self._seconds += seconds
        self.whole = True

    def archive(self, title: str, files: int) -> None:
        """Put the MP3 that is whole into the zip of at most so many files; another one may follow."""
        if self._zip is None:
            self._zipped = tempfile.TemporaryFile(prefix="zip-")
            self._zip = Zip(self._zipped.write, files)
        with self._zip.file(title) as file:
            for piece in self._content():
                file.write(piece)
        self._clear()

    def store(self) -> Audio:
        """Make it a blob under the claim's name. Raises: Unavailable, ClaimLost."""
        if self._zip and self._zipped:
            self._zip.close()
            return _store(self._claim.audio, pieces(self._zipped), self._claim, self._seconds)
        return _store(self._claim.audio, self._content(), self._claim, self._seconds)

    def _content(self) -> Iterator[bytes]:
        yield self._head
        for part in self._parts:
            yield from blobs.store().read(part, 0, blobs.store().size(part))
        yield from pieces(self._frames)
        yield self._tail

    def _clear(self) -> None:
        self._frames.seek(0)
        self._frames.truncate()

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > settings.number("MAX_AUDIO_BYTES"):
            raise Failure("too-large")


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """All that is in a file, from its start, in pieces of bounded size."""
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece


def _store(name: str, content: Iterable[bytes], claim: Claim, seconds: float = 0.0) -> Audio:
    with blobs.store().writing(name) as writer:
        write = leases.keeping(claim, writer.write)
        for piece in content:
            write(piece)
    return Audio(writer.size_bytes, writer.sha256(), round(seconds, 3))
