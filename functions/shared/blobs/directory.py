"""Blobs as files in a directory: for one machine."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from functions.shared.blobs.interface import NoSuchBlob, Piece, Reader, Stored, checked
from functions.shared.blobs.joined import JoinedReader, Pieces
from functions.shared.problems import StoreFull, Unavailable

__all__ = ["DirectoryBlobs"]

PIECE = 256 * 1024
# So much of a file the disk begins with while more comes: all of it at the end takes longer.
BEGUN_BYTES = 4 * 1024 * 1024
KINDS = ("video", "audio", "part", "piece")
# Disk, and quota of a user or project (write(2)).
FULL = (errno.ENOSPC, errno.EDQUOT)


class _Writer:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._begun = 0
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        with _disk():
            self._file.write(data)
        self._digest.update(data)
        self.size_bytes += len(data)
        if self.size_bytes - self._begun >= BEGUN_BYTES:
            self._begin()

    def _begin(self) -> None:
        """Have the kernel write what it has. It stays in memory: what is being written cannot be dropped yet."""
        start, self._begun = self._begun, self.size_bytes
        with _disk():
            os.posix_fadvise(self._file.fileno(), start, self._begun - start, os.POSIX_FADV_DONTNEED)

    def sha256(self) -> str:
        return self._digest.hexdigest()


class _Reader:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = os.fstat(file.fileno()).st_size

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> bytes:
        # A video has thousands of ranges.
        read, number = os.pread, self._file.fileno()
        with _disk():
            return b"".join([read(number, length, start) for start, length in ranges])


class DirectoryBlobs:
    """Keeps the contract of `interface.Blobs` below one directory, which is made when it is first written to.

    What a blob is joined of is in a file of its own below `joined`: no content of a blob can look like that.
    """

    def __init__(self, root: str) -> None:
        self._root = Path(root)
        self._unfinished = self._root / "unfinished"
        self._joined = self._root / "joined"

    @contextmanager
    def writing(self, name: str) -> Iterator[_Writer]:
        """A temporary file, flushed to the disk, then renamed, then its directory flushed: whole after any crash."""
        path = self._path(name)
        with self._temporary() as file:
            yield _Writer(file)
            self._put(file, path)

    def join(self, name: str, pieces: Sequence[Piece]) -> None:
        """A small file that lists them."""
        path = self._joined / checked(name)
        with self._temporary() as file:
            with _disk():
                file.write(json.dumps(pieces).encode())
            self._put(file, path)

    def size(self, name: str) -> int:
        """The size in bytes."""
        if pieces := self._pieces_of(name):
            return pieces.size
        with _disk(name):
            return self._path(name).stat().st_size

    def read(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """Pieces of 256 KiB at the most."""
        if pieces := self._pieces_of(name):
            return (data for span in pieces.spans(start, stop) for data in self.read(*span))
        with _disk(name):
            file = self._path(name).open("rb", buffering=0)
        return _pieces(file, start, stop)

    @contextmanager
    def reading(self, name: str) -> Iterator[Reader]:
        """The open file: just the ranges that are asked for are read."""
        if pieces := self._pieces_of(name):
            with closing(JoinedReader(pieces, self.reading)) as joined:
                yield joined
            return
        with _disk(name):
            file = self._path(name).open("rb", buffering=0)
        with file:
            yield _Reader(file)

    @contextmanager
    def local_file(self, name: str, watch: Callable[[], object] = lambda: None) -> Iterator[Path]:
        """The file itself: nothing is copied, unless it is joined."""
        if pieces := self._pieces_of(name):
            with self._temporary() as copy:
                for data in self.read(name, 0, pieces.size):
                    with _disk():
                        copy.write(data)
                    watch()
                with _disk():
                    copy.flush()
                yield Path(copy.name).absolute()
            return
        path = self._path(name)
        if not path.is_file():
            raise NoSuchBlob(name)
        yield path.absolute()

    def delete(self, name: str, *, with_pieces: bool = True) -> None:
        """Remove the file, or the list and then what is on it."""
        pieces = self._pieces_of(name) if with_pieces else None
        with _disk(name):
            self._path(name).unlink(missing_ok=True)
            (self._joined / name).unlink(missing_ok=True)
        for piece in pieces.names if pieces else ():
            self.delete(piece)

    def all(self) -> Iterator[Stored]:
        """Every file that was renamed into its place."""
        for place in (self._root, self._joined):
            for kind in KINDS:
                for path in sorted((place / kind).glob("*")):
                    if status := _status(path):
                        name = f"{kind}/{path.name}"
                        pieces = self._pieces_of(name) if place == self._joined else None
                        yield Stored(name, pieces.size if pieces else status.st_size, _time(status))

    def delete_unfinished(self, before: datetime) -> None:
        """Remove temporary files that were last written to before then."""
        for path in self._unfinished.glob("*"):
            if (status := _status(path)) and _time(status) < before:
                path.unlink(missing_ok=True)

    def ping(self) -> None:
        """The directory, or the one it will be made in, can be written to."""
        place = self._root if self._root.exists() else self._root.parent
        if not os.access(place, os.W_OK):
            raise Unavailable(f"{place} cannot be written to")

    def close(self) -> None:
        """Nothing is held."""

    @contextmanager
    def _temporary(self) -> Iterator[IO[bytes]]:
        with _disk():
            self._unfinished.mkdir(parents=True, exist_ok=True)
            file = tempfile.NamedTemporaryFile(dir=self._unfinished, delete=False)
        try:
            yield file
        finally:
            # What could not be written was told by write or flush; closing would tell it again, as something else.
            with suppress(OSError):
                file.close()
            Path(file.name).unlink(missing_ok=True)

    def _put(self, file: IO[bytes], path: Path) -> None:
        """Move a temporary file into its place, safe on disk."""
        with _disk():
            file.flush()
            os.fsync(file.fileno())
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file.name, path)
            for directory in (path.parent, self._root):
                _flush_directory(directory)

    def _path(self, name: str) -> Path:
        return self._root / checked(name)

    def _pieces_of(self, name: str) -> Pieces | None:
        """What a joined blob is made of; None for one that is not."""
        try:
            listed = json.loads((self._joined / checked(name)).read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(f"the blob directory does not work: {error}") from error
        return Pieces([Piece(*each) for each in listed])


def _pieces(file: IO[bytes], start: int, stop: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while start < stop and (piece := file.read(min(PIECE, stop - start))):
            start += len(piece)
            yield piece


@contextmanager
def _disk(name: str = "") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if name and isinstance(error, FileNotFoundError):
            raise NoSuchBlob(name) from error
        # A file that is being written, and is gone, has been taken for one that its writer had left.
        kind = StoreFull if error.errno in FULL else Unavailable
        raise kind(f"the blob directory does not work: {error}") from error


def _flush_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _time(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_mtime, UTC)
