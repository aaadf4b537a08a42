"""Chapters as separate MP3 files in one zip, written as a stream."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from functions.convert.conversion.mpeg.tag import cleaned
from functions.shared.file_names import safe_name
from functions.shared.zips import Unseekable

__all__ = ["Zip"]

# Of a title, so much is looked at.
MAX_LENGTH = 1000


class Zip:
    """A zip of stored MP3 files, in constant memory; `write` takes its bytes in order. Close it after the last file.

    More than 99 files need their number in advance: it decides how many digits make the names sort in order.
    Sizes and checksums follow each file (APPNOTE 4.3.9), in 64 bits, since its length is not known before.
    """

    def __init__(self, write: Callable[[bytes], object], files: int = 99) -> None:
        self._digits = max(2, len(str(files)))
        self._zip = zipfile.ZipFile(Unseekable(write), "w", zipfile.ZIP_STORED)
        self._count = 0

    @contextmanager
    def file(self, title: str) -> Iterator[IO[bytes]]:
        """A new file, to be written within the `with`, named by its number and title: "01 Title.mp3"."""
        self._count += 1
        # The number makes it unique. It has no time: the same chapters make the same zip.
        entry = zipfile.ZipInfo(safe_name(f"{self._count:0{self._digits}} {cleaned(title, MAX_LENGTH)}", "mp3"))
        entry.external_attr = 0o644 << 16
        with self._zip.open(entry, "w", force_zip64=True) as file:
            yield file

    def close(self) -> None:
        """Write the directory of the zip."""
        self._zip.close()
