"""Where the bytes of a video come from: a source of ranges, and a seekable file over it that fetches little."""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from functions.convert.conversion.containers.ogg_pages import Pages

__all__ = ["MIN_GAP", "Part", "RangeFile", "RangeSource"]

FIRST_WINDOW, MAX_WINDOW = 32 * 1024, 1024 * 1024
MAX_CACHE_BYTES, MAX_WINDOWS = 3 * MAX_WINDOW, 16
# As many ranges as one request asks for at most, and the gap below which two are cheaper as one.
MAX_RANGES, MIN_GAP = 1024, 512
# Between pieces of sound there are pictures, which are many bytes to make zeros of.
_ZEROS = memoryview(bytes(64 * 1024))

# The (start, stop) of a part of a source, or bytes in its place.
Part: TypeAlias = "tuple[int, int] | bytes"


class RangeSource(Protocol):
    """A video that can be read in ranges."""

    size: int

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> bytes:
        """The bytes of some (start, length), all inside the video, joined in order. One call is one round trip."""


@dataclass(frozen=True)
class _Window:
    """A part of the file: `pieces` begin at `starts`, with zeros between them."""

    start: int
    stop: int
    starts: list[int]
    pieces: list[bytes]

    def read(self, start: int, stop: int) -> bytes:
        stop = min(stop, self.stop)
        at = max(bisect_right(self.starts, start) - 1, 0)
        end = bisect_left(self.starts, stop)
        parts, reached = [], start
        # What goes for each packet of a video, in the fewest steps.
        for begin, piece in zip(self.starts[at:end], self.pieces[at:end], strict=True):
            if begin > reached:
                parts.append(_zeros(begin - reached))
            elif begin < reached:
                piece = piece[reached - begin :]
                begin = reached
            parts.append(piece)
            reached = begin + len(piece)
        if reached > stop:
            parts[-1] = parts[-1][: stop - reached]
        elif reached < stop:
            parts.append(_zeros(stop - reached))
        return b"".join(parts)


def _zeros(count: int) -> bytes | memoryview:
    return _ZEROS[:count] if count <= len(_ZEROS) else bytes(count)


class _Parts:
    """Some (start, stop) of a source, and bytes that are not in it, joined in order."""

    def __init__(self, source: RangeSource, parts: Sequence[Part]) -> None:
        self._source, self._parts = source, parts
        # Where each part begins among all of them.
        self._begins = [0, *accumulate(map(_length, parts))]
        self.size = self._begins.pop()

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> bytes:
        """As in RangeSource."""
        pieces = [piece for start, length in ranges for piece in self._mapped(start, start + length)]
        wanted = [(piece[0], _length(piece)) for piece in pieces if not isinstance(piece, bytes)]
        fetched = b"".join(self._source.fetch(wanted[at : at + MAX_RANGES]) for at in range(0, len(wanted), MAX_RANGES))
        if len(wanted) == len(pieces):
            return fetched
        cut = _cut(fetched, wanted)
        return b"".join(piece if isinstance(piece, bytes) else next(cut) for piece in pieces)

    def narrowed(self, parts: Iterable[Part]) -> _Parts:
        """Some (start, stop) of these parts, and other bytes: there may be parts of parts of parts."""
        pieces = [[part] if isinstance(part, bytes) else self._mapped(*part) for part in parts]
        return _Parts(self._source, [piece for each in pieces for piece in each])

    def _mapped(self, start: int, stop: int) -> Iterator[Part]:
        """What a range is in the source, or bytes that are not in it."""
        at = max(bisect_right(self._begins, start) - 1, 0)
        while start < stop:
            begin, part = start - self._begins[at], self._parts[at]
            length = min(stop - start, _length(part) - begin)
            if isinstance(part, bytes):
                yield part[begin : begin + length]
            else:
                yield part[0] + begin, part[0] + begin + length
            start, at = start + length, at + 1


def _length(part: Part) -> int:
    return len(part) if isinstance(part, bytes) else part[1] - part[0]


class RangeFile:
    """A file to read and seek in, as `av.open` takes it.

    What is read in order is fetched in ever larger windows, what is jumped to in small ones; at most 4 MiB are kept.
    """

    def __init__(self, source: RangeSource) -> None:
        self.size = source.size
        self.bytes_read = 0
        self.requests = 0
        # How many seconds of silence lay before what is here.
        self.silence = 0.0
        # How many times the sound that there is its head stated.
        self.states_times = 1
        # What watches the pages of an Ogg, and mends them.
        self.pages: Pages | None = None
        # What is asked, with the position, for what is to be taken for the bytes that were read there.
        self.watch: Callable[[int, bytes], bytes] | None = None
        self._source: RangeSource = source
        self._position = 0
        self._wanted = [(0, source.size)]
        self._looked_for_end = False
        self._windows: list[_Window] = []
        self._next_window = FIRST_WINDOW

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes from the position on: fewer at the end of a window, none only at the end of the file."""
        stop = self.size if size < 0 else min(self._position + size, self.size)
        if stop <= self._position:
            return b""
        data = self._window_at(self._position).read(self._position, stop)
        if self.watch:
            data = self.watch(self._position, data)
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position, as a file does; it is returned."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError("before the start of the file")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """The position, in bytes."""
        return self._position

    def peek(self, position: int, size: int) -> bytes:
        """The bytes from a position on, fewer only at the end of the file; the position stays."""
        parts, stop = bytearray(), min(position + size, self.size)
        while position + len(parts) < stop:
            parts += self._window_at(position + len(parts)).read(position + len(parts), stop)
        return bytes(parts)

    def glance(self, position: int, size: int) -> bytes:
        """As `peek`, where hardly anything around these bytes is wanted: what is not here is fetched alone."""
        size = max(min(size, self.size - position), 0)
        for window in self._windows:
            if window.start <= position and position + size <= window.stop:
                return window.read(position, position + size)
        return b"".join(self._fetched([(position, size)])) if size else b""

    def keep_only(self, ranges: Iterable[tuple[int, int]]) -> None:
        """From now on, take bytes outside of these (start, stop) for zeros, and never fetch them."""
        if self._wanted != [(0, self.size)]:
            # What was not wanted until now is zeros in them.
            self._windows.clear()
        self._wanted = _merged(ranges, self.size)

    def become(self, parts: Sequence[Part]) -> None:
        """From now on, take only these (start, stop) and other bytes, joined in order, for the file."""
        self._source, self.pages, self.watch = self._parts(parts), None, None
        self.size = self._source.size
        self._position, self._wanted = 0, [(0, self.size)]
        self._windows.clear()

    def patch(self, position: int, data: bytes) -> None:
        """From now on, take `data` for what is at a position; all else stays."""
        size = self.size
        self.become([(0, position), data, (position + len(data), self._source.size)])
        self.size, self._wanted = size, [(0, size)]

    def end_once(self, find: Callable[[RangeFile], int | None]) -> None:
        """From now on, the file ends where `find` says; it is asked once. `rest` has what lies behind that."""
        if self._looked_for_end:
            return
        self._looked_for_end = True
        self.end_at(find(self) or self.size)

    def end_at(self, position: int) -> None:
        """From now on, the file ends there."""
        self.size = position
        self._wanted = [(0, position)]

    @property
    def goes_on(self) -> bool:
        """Whether something lies behind its end."""
        return self.size < self._source.size

    def rest(self, position: int, head: bytes = b"") -> RangeFile:
        """What lies from a position on, behind a head of its own, as a file of its own."""
        return RangeFile(self._parts([*([head] if head else []), (position, self._source.size)]))

    def _parts(self, parts: Sequence[Part]) -> _Parts:
        source = self._source
        return source.narrowed(parts) if isinstance(source, _Parts) else _Parts(source, parts)

    def _window_at(self, position: int) -> _Window:
        for at, window in enumerate(reversed(self._windows)):
            if window.start <= position < window.stop:
                if at:
                    self._windows.remove(window)
                    self._windows.append(window)
                return window
        return self._fetch(position)

    def _fetch(self, position: int) -> _Window:
        last = self._windows[-1] if self._windows else None
        in_order = last is not None and 0 <= position - last.stop <= FIRST_WINDOW
        self._next_window = min(self._next_window * 2, MAX_WINDOW) if in_order else FIRST_WINDOW
        wanted, stop = self._next_ranges(position, self._next_window)
        pieces = self._fetched(wanted)
        window = _Window(position, stop, [start for start, _ in wanted], pieces)
        self._windows.append(window)
        while len(self._windows) > MAX_WINDOWS or sum(map(_weight, self._windows)) > MAX_CACHE_BYTES:
            del self._windows[0]
        return window

    def _next_ranges(self, position: int, size: int) -> tuple[list[tuple[int, int]], int]:
        """What is wanted from `position` on, about `size` bytes as (start, length), and where what follows begins."""
        found: list[tuple[int, int]] = []
        at = max(bisect_right(self._wanted, (position, self.size)) - 1, 0)
        for start, stop in self._wanted[at:]:
            begin = max(start, position)
            if size <= 0 or len(found) >= MAX_RANGES:
                return found, begin
            if stop > begin:
                length = min(stop - begin, size)
                found.append((begin, length))
                size -= length
                if begin + length < stop:
                    return found, begin + length
        return found, self.size

    def _fetched(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        if not ranges:
            return []
        data = self._source.fetch(ranges)
        self.requests += 1
        self.bytes_read += len(data)
        if len(data) != sum(length for _, length in ranges):
            raise OSError("the source gave another number of bytes than it was asked for")
        return list(_cut(data, ranges))


def _weight(window: _Window) -> int:
    return sum(map(len, window.pieces))


def _cut(data: bytes, ranges: Sequence[tuple[int, int]]) -> Iterator[bytes]:
    at = 0
    for _, length in ranges:
        yield data[at : at + length]
        at += length


def _merged(ranges: Iterable[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """The (start, stop) in order, as far as they are in a file of that size, without small gaps."""
    merged: list[tuple[int, int]] = []
    begun, last = 0, -MIN_GAP
    # What goes for each packet of a video, in the fewest steps.
    for start, stop in sorted(ranges):
        if start < 0:
            start = 0
        if stop > size:
            stop = size
        if start - last < MIN_GAP:
            if stop > last:
                last = stop
                merged[-1] = (begun, last)
        elif stop > start:
            merged.append((start, stop))
            begun, last = start, stop
    return merged
