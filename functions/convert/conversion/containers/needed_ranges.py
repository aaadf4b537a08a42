"""Which ranges of an MP4 or MOV are needed to read its sound: what its index says. The others are not fetched.

Only a file whose whole index is in one `moov` box says so. In a fragmented one (ISO/IEC 14496-12, 8.8) the index is
spread over the file, and the demuxer must be able to read everything.
"""

from __future__ import annotations

from av.audio.stream import AudioStream

from functions.convert.conversion.containers.boxes import FIRST, FRAGMENTS, Box, boxes
from functions.convert.conversion.source import MIN_GAP, RangeFile

__all__ = ["lost_seconds", "needed_ranges", "whole_index"]


def needed_ranges(file: RangeFile, stream: AudioStream) -> list[tuple[int, int]] | None:
    """The (start, stop) that reading `stream` needs: its samples, and all that is no `mdat`. None: everything."""
    top = whole_index(file)
    samples = _runs(stream) if top else []
    if top is None or not samples:
        return None
    return samples + _around(file, [box for box in top if box.kind == b"mdat"])


def whole_index(file: RangeFile) -> list[Box] | None:
    """The boxes of an MP4 or MOV whose only index names every sample; None for any other file."""
    top: list[Box] = []
    for box in boxes(file, 0, file.size):
        if (not top and box.kind not in FIRST) or box.kind in FRAGMENTS:
            return None
        top.append(box)
    index = [box for box in top if box.kind == b"moov"]
    return None if len(index) != 1 or _has_fragments(file, index[0]) else top


def lost_seconds(stream: AudioStream, size: int) -> float:
    """How much of the sound in the index of an MP4 lies beyond the end of a file of `size` bytes, in seconds."""
    entries, lost = stream.index_entries, 0
    while lost < len(entries) and entries[-1 - lost].pos + entries[-1 - lost].size > size:
        lost += 1
    if not lost:
        return 0.0
    last, first = entries[-1].timestamp, entries[-lost].timestamp
    each = (last - entries[0].timestamp) / max(len(entries) - 1, 1)
    return float((last - first + each) * (stream.time_base or 0))


def _runs(stream: AudioStream) -> list[tuple[int, int]]:
    """The samples of a stream; neighbours are merged, since a day of sound has millions of them."""
    runs: list[tuple[int, int]] = []
    start = stop = 0
    for entry in stream.index_entries:
        position, size = entry.pos, entry.size
        if 0 <= position - stop < MIN_GAP and stop:
            stop = position + size
        else:
            runs.append((start, stop))
            start, stop = position, position + size
    return [*runs[1:], (start, stop)] if stop else []


def _around(file: RangeFile, data: list[Box]) -> list[tuple[int, int]]:
    edges = [0, *(edge for box in data for edge in (box.content, min(box.stop, file.size))), file.size]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _has_fragments(file: RangeFile, moov: Box) -> bool:
    return any(box.kind in FRAGMENTS for box in boxes(file, moov.content, moov.stop))
