"""Blobs as files in a directory: for one machine."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from functions.shared.blobs.interface import NoSuchBlob, Stored, checked
from functions.shared.problems import Unavailable

__all__ = ["DirectoryBlobs"]

PIECE = 256 * 1024


class _Writer:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        with _disk():
            self._file.write(data)
        self._digest.update(data)
        self.size_bytes += len(data)

    def sha256(self) -> str:
        return self._digest.hexdigest()


class _Reader:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = os.fstat(file.fileno()).st_size

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> bytes:
        with _disk():
            return b"".join([os.pread(self._file.fileno(), length, start) for start, length in ranges])


class DirectoryBlobs:
    """Keeps the contract of `interface.Blobs` below one directory, which is made when it is first written to."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)
        self._unfinished = self._root / "unfinished"

    @contextmanager
    def writing(self, name: str) -> Iterator[_Writer]:
        """A temporary file, flushed to the disk, then renamed, then its directory flushed: whole after any crash."""
        path = self._path(name)
        with self._temporary() as file:
            yield _Writer(file)
            with _disk():
                file.flush()
                os.fsync(file.fileno())
                path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(file.name, path)
                for directory in (path.parent, self._root):
                    _flush_directory(directory)

    def size(self, name: str) -> int:
        """The size in bytes."""
        with _disk(name):
            return self._path(name).stat().st_size

    def read(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """Pieces of 256 KiB at the most."""
        with _disk(name):
            file = self._path(name).open("rb", buffering=0)
        return _pieces(file, start, stop)

    @contextmanager
    def reading(self, name: str) -> Iterator[_Reader]:
        """The open file: just the ranges that are asked for are read."""
        with _disk(name):
            file = self._path(name).open("rb", buffering=0)
        with file:
            yield _Reader(file)

    @contextmanager
    def local_file(self, name: str, watch: Callable[[], object] = lambda: None) -> Iterator[Path]:
        """The file itself: nothing is copied."""
        path = self._path(name)
        if not path.is_file():
            raise NoSuchBlob(name)
        yield path.absolute()

    def delete(self, name: str) -> None:
        """Remove the file."""
        with _disk(name):
            self._path(name).unlink(missing_ok=True)

    def all(self) -> Iterator[Stored]:
        """Every file that was renamed into its place."""
        for kind in ("video", "audio", "part"):
            for path in sorted((self._root / kind).glob("*")):
                if status := _status(path):
                    yield Stored(f"{kind}/{path.name}", status.st_size, _time(status))

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

    def _path(self, name: str) -> Path:
        return self._root / checked(name)


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
    except FileNotFoundError as error:
        raise NoSuchBlob(name) from error
    except OSError as error:
        raise Unavailable(f"the blob directory does not work: {error}") from error


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
