"""What the client remembers of a conversion, so that it goes on after Ctrl-C, a crash, or a day without a network."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import platformdirs

__all__ = ["Record", "Records"]


# So long after the last return to a conversion it is forgotten: no server keeps an upload that long, unless it is
# configured to (UPLOAD_GRACE_SECONDS). The page does the same (upload/kept.js).
KEPT_SECONDS = 7 * 86_400


class Record(msgspec.Struct, frozen=True):
    """A conversion that is under way: of which file, as it was then, and which job it is.

    `sent` is how many bytes are to be sent; where these are the sound only, `sound` is the file with it.
    """

    video: str
    size: int
    modified_ns: int
    sent: int
    sound: str | None = None
    job_id: str | None = None

    def is_of(self, video: Path) -> bool:
        """Whether the file is still what it was."""
        now = video.stat()
        unchanged = (self.size, self.modified_ns) == (now.st_size, now.st_mtime_ns)
        return unchanged and (self.sound is None or Path(self.sound).exists())


class Records:
    """A directory with one directory for each conversion."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or platformdirs.user_state_path("audiolift") / "conversions"

    def place(self, url: str, video: Path, options: Mapping[str, str]) -> Path:
        """The directory of a conversion of `video` with `options` at `url`. Those that nobody returns to are gone."""
        named = msgspec.json.encode([url, str(video.resolve()), sorted(options.items())])
        place = self._path / hashlib.sha256(named).hexdigest()[:32]
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.utime(place)
        self._forget_old()
        return place

    def _forget_old(self) -> None:
        before = time.time() - KEPT_SECONDS
        for place in self._path.iterdir():
            # Another process may have been faster.
            with contextlib.suppress(FileNotFoundError):
                if place.stat().st_mtime < before:
                    self.forget(place)

    @staticmethod
    def load(place: Path) -> Record | None:
        """What is remembered, if there is anything that can be read."""
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode((place / "record.json").read_bytes(), type=Record)
        return None

    @staticmethod
    def keep(place: Path, record: Record) -> None:
        """Remember it, whole or not at all."""
        written = place / "record.new"
        written.write_bytes(msgspec.json.encode(record))
        written.replace(place / "record.json")

    @staticmethod
    def forget(place: Path) -> None:
        """Drop it, with the sound that was to be sent."""
        shutil.rmtree(place, ignore_errors=True)
