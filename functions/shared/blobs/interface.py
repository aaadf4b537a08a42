"""What every blob store does. A blob is written once, whole, and never changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from events.errors import SpeakingError

__all__ = ["Blobs", "DamagedBlob", "NoSuchBlob", "Piece", "Reader", "Stored", "Writer", "checked"]

_NAME = re.compile(r"(?:video|audio)/[0-9a-f]{32}(?:\.[0-9]+)?|(?:part|piece)/[0-9a-f]{32}\.[0-9]+\.[0-9]+")


class NoSuchBlob(SpeakingError):
    """There is no blob of this name."""


class DamagedBlob(SpeakingError):
    """What the store holds is not what was written."""


class Piece(NamedTuple):
    """A blob that is a part of another: its name, and its size in bytes."""

    name: str
    size_bytes: int


@dataclass(frozen=True)
class Stored:
    """A blob as it stands in the store: its size in bytes, and when it was written."""

    name: str
    size_bytes: int
    written_at: datetime


class Writer(Protocol):
    """A blob on its way in. `size_bytes` and `sha256` (hex) speak of what was written so far."""

    size_bytes: int

    def write(self, data: bytes) -> None:
        """Append bytes. Raises: Unavailable when the store cannot take them."""

    def sha256(self) -> str:
        """The hex SHA-256 of the bytes written so far."""


class Reader(Protocol):
    """A blob that is read here and there. `size` is in bytes."""

    size: int

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> bytes:
        """The bytes of each (start, length), one after the other; all within the blob."""


class Blobs(Protocol):
    """A store of blobs.

    Every method raises Unavailable when the store does not answer, and StoreFull, which is one, when it has no room.
    Those that read raise DamagedBlob when they notice damage.
    """

    def writing(self, name: str) -> AbstractContextManager[Writer]:
        """Write a blob: it appears whole, and safe on disk, when the block ends; not at all when the block raises."""

    def join(self, name: str, pieces: Sequence[Piece]) -> None:
        """Make a blob that reads as these, one after the other, and is safe on disk. Nothing is copied: they stay.

        The pieces are whole blobs, and not joined themselves.
        """

    def size(self, name: str) -> int:
        """The size in bytes. Raises: NoSuchBlob."""

    def read(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from start up to, not including, stop, in pieces of bounded size. Raises: NoSuchBlob, at once."""

    def reading(self, name: str) -> AbstractContextManager[Reader]:
        """The blob to read here and there during the block, without a copy of it. Raises: NoSuchBlob."""

    def local_file(self, name: str, watch: Callable[[], object] = lambda: None) -> AbstractContextManager[Path]:
        """The blob as a file that a child process can open and seek in, during the block.

        `watch` is called again and again while the file is made, and may raise to end it. Raises: NoSuchBlob.
        """

    def delete(self, name: str, *, with_pieces: bool = True) -> None:
        """Remove a blob, and the pieces that it was joined of unless told otherwise; one that is not there is fine."""

    def all(self) -> Iterator[Stored]:
        """Every whole blob."""

    def delete_unfinished(self, before: datetime) -> None:
        """Remove what writers that died before then left behind.

        One that only gave no sign of life since then raises Unavailable, at the latest when it ends its blob.
        """

    def ping(self) -> None:
        """Raises: Unavailable when the store does not answer."""

    def close(self) -> None:
        """Let go of what connects to the store, at the end of a process that used it."""


def checked(name: str) -> str:
    """The name itself, if it is one that audiolift makes. Raises: ValueError, which is never a user's error."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a blob name: {name!r}")
    return name
