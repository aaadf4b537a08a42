"""Which bytes of an MP4 or MOV hold no sound, so that they need not be fetched: what its index says.

Only files whose whole index is in one `moov` box have holes: in fragmented ones (ISO/IEC 14496-12, 8.8) it is spread
over the file, and the demuxer must be able to read everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from av.audio.stream import AudioStream

from functions.convert.conversion.source import SMALLEST_GAP, RangeFile

__all__ = ["Box", "boxes", "is_cut_off", "sound"]

_FRAGMENTS = {b"moof", b"sidx", b"styp", b"mfra", b"mvex"}
# Files begin with one of these; others are not looked at (ISO/IEC 14496-12, 4.2, and QuickTime's older ones).
_FIRST = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
# No file of sense has more boxes at the top, or in its moov.
_MOST_BOXES = 4096


@dataclass(frozen=True)
class Box:
    """A box: its four letters, where it starts, where its content starts, where it stops (in bytes)."""

    kind: bytes
    start: int
    content: int
    stop: int


def boxes(file: RangeFile, start: int, stop: int) -> Iterator[Box]:
    """The boxes between two positions; the last one may reach past `stop`."""
    for _ in range(_MOST_BOXES):
        box = _box(file, start, stop)
        if box is None:
            break
        yield box
        start = box.stop


def is_cut_off(file: RangeFile) -> bool:
    """Whether the file is an MP4 or MOV whose end, or whose index, is missing."""
    needed: list[Box] = []
    for number, box in enumerate(boxes(file, 0, file.size)):
        if (not number and box.kind not in _FIRST) or box.kind in _FRAGMENTS:
            return False
        needed += [box] if box.kind in (b"moov", b"mdat") else []
    # What follows the last box that matters may be rubbish that only looks like a longer one.
    return bool(needed) and (needed[-1].stop > file.size or all(box.kind == b"mdat" for box in needed))


def sound(file: RangeFile, stream: AudioStream) -> list[tuple[int, int]] | None:
    """The (start, stop) that reading `stream` needs: its samples, and all that is no `mdat`. None: everything."""
    top: list[Box] = []
    for box in boxes(file, 0, file.size):
        if (not top and box.kind not in _FIRST) or box.kind in _FRAGMENTS:
            return None
        top.append(box)
    index = [box for box in top if box.kind == b"moov"]
    if len(index) != 1 or _has_fragments(file, index[0]):
        return None
    samples = _runs(stream)
    if not samples:
        return None
    return samples + _around(file, [box for box in top if box.kind == b"mdat"])


def _runs(stream: AudioStream) -> list[tuple[int, int]]:
    """The samples of a stream; what lies close together as one, since a day of sound has millions of them."""
    runs: list[tuple[int, int]] = []
    start = stop = 0
    for entry in stream.index_entries:
        position, size = entry.pos, entry.size
        if 0 <= position - stop < SMALLEST_GAP and stop:
            stop = position + size
        else:
            runs.append((start, stop))
            start, stop = position, position + size
    return [*runs[1:], (start, stop)] if stop else []


def _around(file: RangeFile, data: list[Box]) -> list[tuple[int, int]]:
    edges = [0, *(edge for box in data for edge in (box.content, min(box.stop, file.size))), file.size]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _has_fragments(file: RangeFile, moov: Box) -> bool:
    return any(box.kind in _FRAGMENTS for box in boxes(file, moov.content, moov.stop))


def _box(file: RangeFile, start: int, stop: int) -> Box | None:
    head = file.peek(start, 16)
    if start + 8 > stop or len(head) < 8:
        return None
    size, content = int.from_bytes(head[:4], "big"), start + 8
    if size == 1:
        size, content = int.from_bytes(head[8:16], "big"), start + 16
    elif size == 0:
        size = stop - start
    return Box(head[4:8], start, content, start + size) if size >= content - start else None
