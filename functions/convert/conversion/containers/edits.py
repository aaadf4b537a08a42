"""Edit lists of an MP4 or MOV of which FFmpeg makes something else than a player (ISO/IEC 14496-12, 8.6.6).

In an empty edit, a player plays nothing. FFmpeg shifts a track by those that come first; for later ones it plays the
track from its beginning again. An edit without a length, as the last one, lasts until the sound ends: FFmpeg plays
nothing of it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from av.audio.stream import AudioStream

from functions.convert.conversion.containers.boxes import Box, boxes
from functions.convert.conversion.source import RangeFile

__all__ = ["child", "empty_edits", "missing_length", "track_of"]

# Version and flags, two times, and then: the number of a track, or the units of the movie's clock in a second.
_HEADERS = (struct.Struct(">4x8xI"), struct.Struct(">4x16xI"))
# How long an edit is, and from where in the track's own time it plays, or -1; by version of the box.
_ENTRIES = (struct.Struct(">Ii4x"), struct.Struct(">Qq4x"))
_LONGEST_HEADER = 24
# How wide the length of an edit is; and, in the header of a track's own clock, its ticks in a second, and its length.
_WIDTHS, _LENGTHS = (4, 8), (struct.Struct(">4x8xII"), struct.Struct(">4x16xIQ"))
# No real track has more edits.
_MAX_ENTRIES = 4096


class _Edit(NamedTuple):
    """An edit: its length in ticks of the movie, where in the track's own time it begins, and its place in the file.

    At that place, its length is written in so many bytes.
    """

    length: int
    start: int
    place: int
    width: int


def empty_edits(file: RangeFile, stream: AudioStream) -> tuple[tuple[float, float], ...]:
    """The (start, stop) of the empty edits of a track, in seconds of the movie. Nothing for other containers."""
    found = _edited(file, stream)
    return tuple(_empty(list(_entries(file, found[1])), found[0])) if found else ()


def missing_length(file: RangeFile, stream: AudioStream) -> tuple[int, bytes] | None:
    """The place in the file, and the bytes, of a length for the last edit of a track; None where nothing is missing."""
    found = _edited(file, stream)
    entries = list(_entries(file, found[1])) if found else []
    if not found or not entries or entries[-1].length or entries[-1].start < 0:
        return None
    second, track = found
    length = round((_seconds(file, track) - entries[-1].start * (stream.time_base or 0)) * second)
    width = entries[-1].width
    return (entries[-1].place, min(length, 2 ** (8 * width) - 1).to_bytes(width, "big")) if length > 0 else None


def _edited(file: RangeFile, stream: AudioStream) -> tuple[int, Box] | None:
    """As `track_of`; None where there is no edit but at the beginning."""
    # There, FFmpeg repeats and leaves out no sample. Looking costs requests.
    return None if len(stream.index_entries) == stream.frames else track_of(file, stream)


def track_of(file: RangeFile, stream: AudioStream) -> tuple[int, Box] | None:
    """The ticks of a second of the movie, and the box of a track; None where they are not found."""
    movie = child(file, Box(b"", 0, 0, file.size), b"moov")
    header = movie and child(file, movie, b"mvhd")
    second = _number(file, header) if header else 0
    if not movie or not second:
        return None
    tracks = (box for box in boxes(file, movie.content, movie.stop) if box.kind == b"trak")
    return next(((second, track) for track in tracks if _is(file, track, stream.id)), None)


def _is(file: RangeFile, track: Box, number: int) -> bool:
    header = child(file, track, b"tkhd")
    return header is not None and _number(file, header) == number


def _seconds(file: RangeFile, track: Box) -> Fraction:
    """How long the sound of a track is without edits (8.4.2)."""
    media = child(file, track, b"mdia")
    header = media and child(file, media, b"mdhd")
    data = file.peek(header.content, _LONGEST_HEADER + 8) if header else b""
    if len(data) <= _LONGEST_HEADER or data[0] >= len(_LENGTHS):
        return Fraction(0)
    ticks, length = _LENGTHS[data[0]].unpack_from(data)
    return Fraction(length, ticks or 1)


def _empty(entries: Sequence[_Edit], second: int) -> Iterator[tuple[float, float]]:
    start = 0
    for number, edit in enumerate(entries, 1):
        if edit.start == -1:
            # Nothing comes after the last one.
            yield start / second, (start + edit.length) / second if number < len(entries) else math.inf
        start += edit.length


def _entries(file: RangeFile, track: Box) -> Iterator[_Edit]:
    edits = child(file, track, b"edts")
    table = edits and child(file, edits, b"elst")
    head = file.peek(table.content, 8) if table else b""
    if not table or len(head) < 8 or head[0] >= len(_ENTRIES):
        return
    entry, count = _ENTRIES[head[0]], min(int.from_bytes(head[4:], "big"), _MAX_ENTRIES)
    start = table.content + 8
    data = file.peek(start, min(count * entry.size, table.stop - start))
    for number, (length, media_time) in enumerate(entry.iter_unpack(data[: len(data) // entry.size * entry.size])):
        yield _Edit(length, media_time, start + number * entry.size, _WIDTHS[head[0]])


def _number(file: RangeFile, header: Box) -> int:
    data = file.peek(header.content, _LONGEST_HEADER)
    known = len(data) == _LONGEST_HEADER and data[0] < len(_HEADERS)
    return int(_HEADERS[data[0]].unpack_from(data)[0]) if known else 0


def child(file: RangeFile, parent: Box, kind: bytes) -> Box | None:
    """The first box of a kind in another."""
    return next((box for box in boxes(file, parent.content, parent.stop) if box.kind == kind), None)
