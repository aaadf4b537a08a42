"""Zips that are written as a stream (PKWARE's APPNOTE 6.3): files are stored as they are, and nothing is sought.

Sizes and checksums follow each file (4.3.9), in 64 bits, since zipfile has them only then.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import IO, cast
from zipfile import ZipFile, ZipInfo

__all__ = ["Unseekable", "ZipStream", "length"]

# Of each file, beside its name and its bytes: what stands before it (4.3.7 with the extra field of 4.5.3) and after it
# (4.3.9.2), and its entry in the directory (4.3.12).
_AROUND, _ENTRY = 30 + 20 + 24, 46
# The end of the directory (4.3.16), and what stands before that in large zips (4.3.14, 4.3.15).
_END, _LARGE_END = 22, 56 + 20


class Unseekable:
    """What zipfile takes for a stream that cannot be sought: no `tell`."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write

    def write(self, data: bytes) -> int:
        """Take all of `data`."""
        self._write(bytes(data))
        return len(data)

    def flush(self) -> None:
        """zipfile asks for it; whoever takes the bytes decides."""

    def close(self) -> None:
        """As `flush`."""


class ZipStream:
    """A zip that is made while it is sent, in constant memory for each file."""

    def __init__(self) -> None:
        self._written: list[bytes] = []
        self._zip = ZipFile(cast(IO[bytes], Unseekable(self._written.append)), "w")

    def add(self, name: str, written_at: datetime, content: Iterable[bytes]) -> Iterator[bytes]:
        """A file, piece by piece. Each is to be read to its end before the next one."""
        entry = ZipInfo(name, written_at.timetuple()[:6])
        entry.external_attr = 0o644 << 16
        with self._zip.open(entry, "w", force_zip64=True) as file:
            for piece in content:
                file.write(piece)
                yield from self._taken()

    def end(self) -> Iterator[bytes]:
        """What comes after the last file: the directory."""
        self._zip.close()
        yield from self._taken()

    def _taken(self) -> Iterator[bytes]:
        """What was written since, if anything was."""
        if found := b"".join(self._written):
            self._written.clear()
            yield found


def length(files: Iterable[tuple[str, int]]) -> int:
    """How many bytes a ZipStream of these files has: of each its name, and its size in bytes."""
    at = directory = count = 0
    for name, size in files:
        letters = len(name.encode())
        # zipfile writes 32 bits where these will do (4.5.3).
        wide = 2 * (size > zipfile.ZIP64_LIMIT) + (at > zipfile.ZIP64_LIMIT)
        at += _AROUND + letters + size
        directory += _ENTRY + letters + (4 + 8 * wide if wide else 0)
        count += 1
    is_large = count > zipfile.ZIP_FILECOUNT_LIMIT or max(at, directory) > zipfile.ZIP64_LIMIT
    return at + directory + _END + (_LARGE_END if is_large else 0)
