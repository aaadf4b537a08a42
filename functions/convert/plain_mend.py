"""Files that the ffmpeg command would read wrongly: what it gets in place of them, and is told. For plain.py."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from functions.convert.conversion.containers.behind import next_recording
from functions.convert.conversion.containers.heads import mended
from functions.convert.conversion.containers.icy import sound_between_titles
from functions.convert.conversion.containers.overstated import overstated
from functions.convert.conversion.containers.sample_bits import right_bits
from functions.convert.conversion.containers.tails import understates, was_never_measured
from functions.convert.conversion.containers.voc import as_runs
from functions.convert.conversion.source import Part, RangeFile

__all__ = ["Input", "opened", "prepared"]

# A copy takes room on the disk beside the video, and nobody has larger files of these kinds.
_MAX_COPY_BYTES = 1024**3
_PIECE = 1024 * 1024


class _Local:
    """A RangeSource over an open file."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.size = size
        self._descriptor = descriptor

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> bytes:
        """As in RangeSource."""
        return b"".join(os.pread(self._descriptor, length, start) for start, length in ranges)


@contextmanager
def opened(video: Path) -> Iterator[RangeFile]:
    """The bytes of a file, to look into."""
    with video.open("rb") as file:
        yield RangeFile(_Local(file.fileno(), video.stat().st_size))


@dataclass(frozen=True)
class Input:
    """What the ffmpeg command reads: a file, and the options of the input that go with it.

    `goes_on`: another recording follows in the video, which is not in the file.
    """

    path: Path
    options: Mapping[str, str | None] = field(default_factory=dict)
    goes_on: bool = False


def prepared(video: Path, directory: Path) -> Input:
    """What ffmpeg reads as the engine would: a copy in `directory`, or the video where that is so already.

    Of another recording that follows, the copy has nothing: ffmpeg would take it for more of the first.
    """
    with opened(video) as file:
        first = _first(file)
        parts = _parts(file) or first
        read = (_copy(file, parts, directory / "copy") if parts else None) or video
    with opened(read) as file:
        return Input(read, _options(file), first is not None)


def _parts(file: RangeFile) -> Sequence[Part] | None:
    """What the file should be; None where it is so already."""
    is_other = right_bits(file)
    if more := overstated(file):
        more.mend(file)
    found: Sequence[Part] | None = as_runs(file) or mended(file) or sound_between_titles(file)
    return found or ([(0, file.size)] if more or is_other else None)


def _options(file: RangeFile) -> dict[str, str | None]:
    """A WAV that states less than it has is read to its end."""
    return {"ignore_length": "1"} if understates(file) or was_never_measured(file) else {}


def _copy(file: RangeFile, parts: Sequence[Part], copy: Path) -> Path | None:
    """The copy that is made of these parts; None where the file or the copy is too large for one."""
    if file.size > _MAX_COPY_BYTES:
        return None
    file.become(parts)
    if file.size > _MAX_COPY_BYTES:
        return None
    with copy.open("wb") as target:
        while piece := file.read(_PIECE):
            target.write(piece)
    return copy


def _first(file: RangeFile) -> list[Part] | None:
    """The first of several recordings; None where there is only one."""
    find = next_recording(file.peek(0, 16))
    stop = find(file) if find else None
    return [(0, stop)] if stop else None
