"""The empty edits of an MP4 or MOV: parts of the clock in which a player plays nothing (ISO/IEC 14496-12, 8.6.6).

FFmpeg shifts a track by those that come first. For later ones it plays the track from its beginning again.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

from av.audio.stream import AudioStream

from functions.convert.conversion.containers.boxes import Box, boxes
from functions.convert.conversion.source import RangeFile

__all__ = ["empty_edits"]

# Version and flags, two times, and then: the number of a track, or the units of the movie's clock in a second.
_HEADERS = (struct.Struct(">4x8xI"), struct.Struct(">4x16xI"))
# How long an edit is, and from where in the track's own time it plays, or -1; by version of the box.
_ENTRIES = (struct.Struct(">Ii4x"), struct.Struct(">Qq4x"))
_LONGEST_HEADER = 24
# No real track has more edits.
_MAX_ENTRIES = 4096


def empty_edits(file: RangeFile, stream: AudioStream) -> tuple[tuple[float, float], ...]:
    """The (start, stop) of the empty edits of a track, in seconds of the movie. Nothing for other containers."""
    # Where FFmpeg repeats or leaves out no sample, there is none but at the beginning. Looking costs requests.
    if len(stream.index_entries) == stream.frames:
        return ()
    movie = _child(file, Box(b"", 0, 0, file.size), b"moov")
    header = movie and _child(file, movie, b"mvhd")
    second = _number(file, header) if header else 0
    if not movie or not second:
        return ()
    tracks = (box for box in boxes(file, movie.content, movie.stop) if box.kind == b"trak")
    return next((tuple(_empty(file, track, second)) for track in tracks if _is(file, track, stream.id)), ())


def _is(file: RangeFile, track: Box, number: int) -> bool:
    header = _child(file, track, b"tkhd")
    return header is not None and _number(file, header) == number


def _empty(file: RangeFile, track: Box, second: int) -> Iterator[tuple[float, float]]:
    edits = _child(file, track, b"edts")
    table = edits and _child(file, edits, b"elst")
    entries = list(_entries(file, table)) if table else []
    start = 0
    for number, (length, media_time) in enumerate(entries, 1):
        if media_time == -1:
            # Nothing comes after the last one.
            yield start / second, (start + length) / second if number < len(entries) else math.inf
        start += length


def _entries(file: RangeFile, table: Box) -> Iterator[tuple[int, int]]:
    head = file.peek(table.content, 8)
    if len(head) < 8 or head[0] >= len(_ENTRIES):
        return
    entry, count = _ENTRIES[head[0]], min(int.from_bytes(head[4:], "big"), _MAX_ENTRIES)
    data = file.peek(table.content + 8, min(count * entry.size, table.stop - table.content - 8))
    yield from entry.iter_unpack(data[: len(data) // entry.size * entry.size])


def _number(file: RangeFile, header: Box) -> int:
    data = file.peek(header.content, _LONGEST_HEADER)
    known = len(data) == _LONGEST_HEADER and data[0] < len(_HEADERS)
    return int(_HEADERS[data[0]].unpack_from(data)[0]) if known else 0


def _child(file: RangeFile, parent: Box, kind: bytes) -> Box | None:
    return next((box for box in boxes(file, parent.content, parent.stop) if box.kind == kind), None)
