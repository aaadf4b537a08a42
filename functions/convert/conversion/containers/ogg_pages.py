"""Pages of an Ogg whose checksum is wrong: FFmpeg passes over them, a second of sound with each.

Mostly a few bits are wrong in one packet of many, and a decoder can tell. So a page whose head fits those before and
behind it gets the mark of a page and a checksum that is right, while it is read; and all that are damaged are counted.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from functions.convert.conversion.source import RangeFile

__all__ = ["Pages", "checksum"]

_MARK = b"OggS\0"
# RFC 3533, 6: the mark and version, flags, when the page ends, its stream, its number, its checksum, how many lengths.
_HEAD, _CHECKSUM = struct.Struct("<5sBqIIIB"), 22
_MAX_HEAD, _MAX_PAGE = 27 + 255, 27 + 255 + 255 * 255
# Flags: the first page of a stream; a further one that may go on with a packet (1), and may be the last (4).
_FIRST, _FURTHER = 2, (0, 1, 4, 5)
# So many damaged pages are remembered, and so many places where somebody sought.
_MOST, _MOST_RUNS = 10_000, 64
# Time stamps may grow by so many times the most that they have grown so far, and by so many ticks at first.
_GROWTH, _MOST_AT_FIRST = 16, 2**24
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class _Before(NamedTuple):
    """Of the page before in a stream: its number, when it ended, and by how much that had grown at most."""

    number: int
    end: int
    growth: int


@dataclass
class _Run:
    """A part of the file that was looked at: where it begins, where the page after it does, and its streams."""

    start: int
    next: int
    # Whether a page has to begin there.
    follows: bool = False
    streams: dict[int, _Before] = field(default_factory=dict)


class Pages:
    """Watches what is read of an Ogg: `damaged` counts the pages that are not whole."""

    def __init__(self, file: RangeFile) -> None:
        self._file = file
        # The first one is that from the start on; others begin where somebody sought.
        self._runs = [_Run(0, 0)]
        # Where marks and checksums stand that are wrong, and what they should be; where damaged pages begin.
        self._places: list[int] = []
        self._right: dict[int, bytes] = {}
        self._damaged: set[int] = set()

    @property
    def damaged(self) -> int:
        """How many pages were damaged so far, whether they could be mended or not."""
        return len(self._damaged)

    def mended(self, position: int, data: bytes) -> bytes:
        """What was read at a position, with marks and checksums that let pages through."""
        stop = position + len(data)
        run = next((run for run in self._runs if run.start <= position <= run.next), None)
        if run is None:
            run = _Run(position, self._found(position, stop))
            self._runs = [self._runs[0], *self._runs[1:][-_MOST_RUNS:], run]
        while run.next < stop and len(self._damaged) < _MOST:
            self._look(run, stop)
        return self._patched(position, data) if self._places else data

    def _found(self, start: int, stop: int) -> int:
        """Where the first page begins between two positions; the second one where there is none."""
        at = self._file.peek(start, stop - start + len(_MARK)).find(_MARK)
        return stop if at < 0 else start + at

    def _look(self, run: _Run, stop: int) -> None:
        """Look at the next page of a run, up to a position at least."""
        at = run.next
        head = self._file.peek(at, _MAX_HEAD)
        lengths = head[_HEAD.size : _HEAD.size + head[_HEAD.size - 1]] if len(head) >= _HEAD.size else b""
        size = _HEAD.size + len(lengths) + sum(lengths)
        page = self._file.peek(at, size)
        if (run.follows or page.startswith(_MARK)) and len(page) == size and self._passes(run, at, page):
            run.next, run.follows = at + size, True
            return
        run.next = self._found(at + 1, max(stop, at + 2))
        # What lies behind the last page is none.
        if run.follows and _MARK in self._file.peek(at + 1, _MAX_PAGE):
            self._damaged.add(at)
        run.follows = False

    def _passes(self, run: _Run, at: int, page: bytes) -> bool:
        """Whether a page has a right checksum, or gets one."""
        _, flags, end, stream, number, stated, _ = _HEAD.unpack_from(page)
        right, before = checksum(_MARK + page[len(_MARK) :]), run.streams.get(stream)
        if right != stated or not page.startswith(_MARK):
            is_page = _fits(before, flags, end, number) and (right == stated or self._ends_at(at + len(page)))
            if is_page or page.startswith(_MARK):
                self._damaged.add(at)
            if not is_page:
                # Its length may be wrong.
                return False
            self._mend(at, _MARK)
            self._mend(at + _CHECKSUM, right.to_bytes(4, "little"))
        run.streams[stream] = _after(before, number, end)
        return True

    def _ends_at(self, stop: int) -> bool:
        """Whether a page may end there."""
        return self._file.peek(stop, len(_MARK)) in (b"", _MARK)

    def _mend(self, place: int, right: bytes) -> None:
        if place not in self._right:
            insort(self._places, place)
            self._right[place] = right

    def _patched(self, position: int, data: bytes) -> bytes:
        made, stop = bytearray(data), position + len(data)
        for place in self._places[bisect_left(self._places, position - len(_MARK)) :]:
            if place >= stop:
                break
            for offset, byte in enumerate(self._right[place], place - position):
                if 0 <= offset < len(data):
                    made[offset] = byte
        return bytes(made)


def _fits(before: _Before | None, flags: int, end: int, number: int) -> bool:
    """Whether a page with such a head can follow another one of its stream, or be the first of one."""
    if before is None:
        return (flags, number) == (_FIRST, 0)
    # Most pages are of one length; before there is sound, nobody knows it.
    most = _GROWTH * before.growth or _MOST_AT_FIRST
    return flags in _FURTHER and number == before.number + 1 and (end == -1 or 0 <= end - before.end <= most)


def _after(before: _Before | None, number: int, end: int) -> _Before:
    if before is None or end < 0:
        return _Before(number, before.end if before else max(end, 0), before.growth if before else 0)
    return _Before(number, end, max(before.growth, end - before.end))


def checksum(page: bytes) -> int:
    """That of a page (RFC 3533, 6): by the polynomial of zlib, but from the highest bit on, and from 0 on."""
    blank = page[:_CHECKSUM] + bytes(4) + page[_CHECKSUM + 4 :]
    value = zlib.crc32(blank.translate(_REVERSED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int(f"{value:032b}"[::-1], 2)
