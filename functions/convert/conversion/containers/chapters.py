"""Chapters as a person means them: those of a Matroska that FFmpeg leaves out, and marks that have no length."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from typing import NamedTuple

from functions.convert.conversion.media import Chapter
from functions.convert.conversion.source import RangeFile

__all__ = ["complete", "with_lengths"]

# IDs of elements (RFC 9559, 5.1), with their marker bits.
_EBML, _SEGMENT, _CLUSTER, _SEEK_HEAD, _CHAPTERS = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0x114D9B74, 0x1043A770
_SEEK, _SEEK_ID, _SEEK_POSITION = 0x4DBB, 0x53AB, 0x53AC
_EDITION, _IS_DEFAULT, _ATOM, _START, _END, _DISPLAY, _TITLE = 0x45B9, 0x45DB, 0xB6, 0x91, 0x92, 0x80, 0x85
_NANOSECOND = Fraction(1, 10**9)
# What is read of a stranger's file at most: elements before the sound, elements in another one, bytes of one.
_MAX_TOP, _MAX_ELEMENTS, _MAX_BYTES = 64, 10_000, 4 * 1024 * 1024
_LONGEST_HEADER = 12


class _Element(NamedTuple):
    """An element: its content begins at `start`, and ends before `stop`."""

    kind: int
    start: int
    stop: int


def complete(file: RangeFile, found: Sequence[Chapter], seconds: float | None) -> tuple[Chapter, ...]:
    """All chapters of a file that is `seconds` long, where FFmpeg's demuxer has `found`.

    Of a Matroska it leaves out each that does not start after all before it (libavformat/matroskadec.c). Its own stay
    where it has them all, and where the file is no Matroska.
    """
    if not found:
        return ()
    written = tuple(_ended(_written(file), seconds))
    return with_lengths(written if len(written) > len(found) else found, seconds)


def with_lengths(chapters: Sequence[Chapter], seconds: float | None) -> tuple[Chapter, ...]:
    """The chapters as they are. Where none has a length, they are marks: each lasts until the next one, or the end."""
    if not chapters or any(chapter.end > chapter.start for chapter in chapters):
        return tuple(chapters)
    starts = sorted({chapter.start: chapter for chapter in chapters}.values(), key=lambda chapter: chapter.start)
    ends = [*(chapter.start for chapter in starts[1:]), max(seconds or 0.0, starts[-1].start + 1)]
    return tuple(replace(chapter, end=end) for chapter, end in zip(starts, ends, strict=True))


def _ended(written: Sequence[tuple[int, int | None, str]], seconds: float | None) -> Iterator[Chapter]:
    """Chapters, from start, end and title: without an end, one lasts until the next that starts later."""
    starts = sorted(start for start, _, _ in written)
    last = round((seconds or 0.0) / _NANOSECOND)
    for start, end, title in written:
        later = bisect_right(starts, start)
        until = starts[later] if later < len(starts) else max(last, start)
        yield Chapter.of_ticks(start, until if end is None else end, _NANOSECOND, title)


def _written(file: RangeFile) -> list[tuple[int, int | None, str]]:
    """Start and end (in nanoseconds) and title of each chapter of the default edition, else of the first."""
    place = _place(file)
    if place is None:
        return []
    content = file.peek(place.start, min(place.stop - place.start, _MAX_BYTES))
    editions = [edition for edition in _elements(content) if edition.kind == _EDITION]
    default = [edition for edition in editions if _number(content, edition, _IS_DEFAULT)]
    played = (default or editions)[:1]
    atoms = (each for edition in played for each in _elements(content, edition.start, edition.stop))
    return [_chapter(content, each) for each in atoms if each.kind == _ATOM]


def _chapter(content: bytes, atom: _Element) -> tuple[int, int | None, str]:
    display = _child(content, atom, _DISPLAY)
    title = display and _child(content, display, _TITLE)
    text = content[title.start : title.stop].decode(errors="replace").rstrip("\0") if title else ""
    return _number(content, atom, _START) or 0, _number(content, atom, _END), text


def _place(file: RangeFile) -> _Element | None:
    """The file's Chapters: before its first Cluster, or where its SeekHead says."""
    top = list(islice(_in_file(file, 0, file.size), 2))
    if [each.kind for each in top] != [_EBML, _SEGMENT]:
        return None
    sought = None
    for element in islice(_in_file(file, top[1].start, top[1].stop), _MAX_TOP):
        if element.kind == _CHAPTERS:
            return element
        if element.kind == _SEEK_HEAD and sought is None:
            sought = _sought(file.peek(element.start, min(element.stop - element.start, _MAX_BYTES)))
        if element.kind == _CLUSTER:
            break
    if sought is None:
        return None
    found = next(_in_file(file, top[1].start + sought, file.size), None)
    return found if found and found.kind == _CHAPTERS else None


def _sought(head: bytes) -> int | None:
    for seek in _elements(head):
        if seek.kind == _SEEK and _number(head, seek, _SEEK_ID) == _CHAPTERS:
            return _number(head, seek, _SEEK_POSITION)
    return None


def _in_file(file: RangeFile, start: int, stop: int) -> Iterator[_Element]:
    """The elements from a position on; those of unknown length have the rest for their content."""
    while start < min(stop, file.size):
        header = file.peek(start, _LONGEST_HEADER)
        element = _element(header, 0, stop - start)
        if element is None:
            return
        yield _Element(element.kind, start + element.start, start + element.stop)
        start += element.stop


def _elements(content: bytes, start: int = 0, stop: int | None = None) -> Iterator[_Element]:
    stop = len(content) if stop is None else min(stop, len(content))
    for _ in range(_MAX_ELEMENTS):
        element = _element(content, start, stop)
        if element is None:
            return
        yield element
        start = element.stop


def _element(content: bytes, start: int, stop: int) -> _Element | None:
    """The element at a position (RFC 8794, 4 to 6)."""
    kind_length = 9 - content[start].bit_length() if start < len(content) else 9
    size_at = start + kind_length
    size_length = 9 - content[size_at].bit_length() if size_at < len(content) else 9
    begin = size_at + size_length
    if kind_length > 4 or size_length > 8 or begin > len(content):
        return None
    unknown = (1 << 7 * size_length) - 1
    size = int.from_bytes(content[size_at:begin], "big") & unknown
    return _Element(int.from_bytes(content[start:size_at], "big"), begin, stop if size == unknown else begin + size)


def _child(content: bytes, parent: _Element, kind: int) -> _Element | None:
    return next((each for each in _elements(content, parent.start, parent.stop) if each.kind == kind), None)


def _number(content: bytes, parent: _Element, kind: int) -> int | None:
    child = _child(content, parent, kind)
    return None if child is None else int.from_bytes(content[child.start : child.stop][:8], "big")
