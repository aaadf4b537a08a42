"""The boxes that an MP4 or MOV is made of (ISO/IEC 14496-12, 4.2, and the QuickTime File Format)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from functions.convert.conversion.source import RangeFile

__all__ = ["FIRST", "FRAGMENTS", "Box", "at_the_top", "begins_file", "boxes"]

# Boxes of a fragmented file (ISO/IEC 14496-12, 8.8), whose index is spread over it.
FRAGMENTS = {b"moof", b"sidx", b"styp", b"mfra", b"mvex"}
# Files begin with one of these; others are not looked at.
FIRST = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
# What the beginnings of a Matroska and of an AVI are if they are taken for the length of a box.
_OTHERS = {0x1A45_DFA3, int.from_bytes(b"RIFF", "big")}
# No real file has more boxes at the top, or in its moov.
_MAX_BOXES = 4096
# What lies ahead of a fragment in its segment (8.16, 8.16.4; ISO/IEC 23009-1, 5.10.3); where a fragment has its number:
# its first box is always one that has it (8.8.5).
_AHEAD, _HEAD, _NUMBER = {b"styp", b"sidx", b"ssix", b"prft", b"emsg"}, 24, slice(20, 24)
# What the name of a box is made of; and how far behind what is none the next fragment is looked for, in such steps.
_NAME, _MAX_DAMAGE, _STEP = re.compile(rb"[ -~\xa9]{4}"), 16 * 1024 * 1024, 1024 * 1024


@dataclass(frozen=True)
class Box:
    """A box: its four letters, and where it starts, its content starts, and it ends (in bytes)."""

    kind: bytes
    start: int
    content: int
    stop: int


def boxes(file: RangeFile, start: int, stop: int, *, glancing: bool = False) -> Iterator[Box]:
    """The boxes between two positions; the last one may reach past `stop`. `glancing`: nobody wants what is in them."""
    for _ in range(_MAX_BOXES):
        box = _box((file.glance if glancing else file.peek)(start, 16), start, stop)
        if box is None:
            break
        yield box
        start = box.stop


def begins_file(file: RangeFile, box: Box) -> bool:
    """Whether a box at the top, behind others, is where another MP4 begins, or a Matroska or an AVI.

    A recorder may write its head again before more fragments of the same recording: their clock goes on.
    """
    return box.stop - box.start in _OTHERS or (box.kind == b"ftyp" and not _goes_on(file, box))


def at_the_top(file: RangeFile) -> Iterator[Box]:
    """The boxes at the top. What is none, up to the next fragment, becomes one: FFmpeg would read no further.

    Fragments that come again are left out of the file.
    """
    start, fragments = 0, _Fragments(file)
    for _ in range(_MAX_BOXES):
        head = file.glance(start, _HEAD)
        box = _box(head, start, file.size)
        if fragments.seen and len(head) >= 16 and not (box and _NAME.fullmatch(box.kind)):
            box = _made_free(file, start)
        if box is None:
            return
        begin = fragments.leave_out(box, head)
        if begin is None:
            yield box
        start = box.stop if begin is None else begin


class _Fragments:
    """The fragments of a file, as they come. One that was there before is left out of the file.

    What counts from the beginning of the file finds its bytes again behind it.
    """

    def __init__(self, file: RangeFile) -> None:
        # Where each begins, by its number and length.
        self.seen: dict[tuple[bytes, int], int] = {}
        self._file = file
        # Where the segment begins that the next fragment is in.
        self._segment = 0

    def leave_out(self, box: Box, head: bytes) -> int | None:
        """Where the file goes on if a box with these first bytes begins a fragment that was there before; or None."""
        if box.kind in _AHEAD:
            return None
        begin, self._segment = self._segment, box.stop
        if box.kind != b"moof":
            return None
        key = (head[_NUMBER], box.stop - box.start)
        before, self.seen[key] = self.seen.get(key), box.start
        stop = None if before is None else self._stop_of_same(before, box)
        if before is None or stop is None:
            return None
        self.seen[key] = before
        self._file.become([(0, begin), (stop, self._file.size)])
        self._segment = begin
        return begin

    def _stop_of_same(self, before: int, moof: Box) -> int | None:
        """Where a fragment ends that has the same bytes as one before it; None if it has others."""
        file, size = self._file, moof.stop - moof.start
        if file.glance(before, size) != file.glance(moof.start, size):
            return None
        body = _box(file.glance(moof.stop, 16), moof.stop, file.size)
        if body is None or body.kind != b"mdat" or body.stop > file.size:
            return None
        places = range(0, body.stop - moof.start, _STEP)
        sizes = [min(_STEP, body.stop - moof.start - at) for at in places]
        is_same = all(
            file.peek(before + at, size) == file.peek(moof.start + at, size)
            for at, size in zip(places, sizes, strict=True)
        )
        return body.stop if is_same else None


def _made_free(file: RangeFile, start: int) -> Box | None:
    """What lies up to the next fragment, as a box that is passed over; None where there is no other one."""
    stop = _next_fragment(file, start)
    if stop is None:
        return None
    file.patch(start, (stop - start).to_bytes(4, "big") + b"free")
    return Box(b"free", start, start + 8, stop)


def _next_fragment(file: RangeFile, start: int) -> int | None:
    for at in range(start + 8, min(file.size, start + _MAX_DAMAGE), _STEP):
        # The first box in it is always of one length (8.8.5).
        found = file.peek(at, _STEP + 16).find(b"\0\0\0\x10mfhd")
        if found >= 8 and file.peek(at + found - 4, 4) == b"moof":
            return at + found - 8
    return None


def _goes_on(file: RangeFile, head: Box) -> bool:
    """Whether all tracks of the first fragment behind a head begin later than at 0 (8.8.12: tfdt)."""
    first = next((box for box in boxes(file, head.stop, file.size) if box.kind in (b"moof", b"mdat")), head)
    if first.kind != b"moof":
        return False
    tracks = [box for box in boxes(file, first.content, first.stop) if box.kind == b"traf"]
    times = [box for track in tracks for box in boxes(file, track.content, track.stop) if box.kind == b"tfdt"]
    return bool(times) and all(any(file.peek(box.content + 4, 8)[: box.stop - box.content - 4]) for box in times)


def _box(head: bytes, start: int, stop: int) -> Box | None:
    if start + 8 > stop or len(head) < 8:
        return None
    size, content = int.from_bytes(head[:4], "big"), start + 8
    if size == 1:
        size, content = int.from_bytes(head[8:16], "big"), start + 16
    elif size == 0:
        size = stop - start
    return Box(head[4:8], start, content, start + size) if size >= content - start else None
