"""How long an MP4 in fragments says it is, and whether it has its end (ISO/IEC 14496-12, 8.8 and 8.16.3)."""

from __future__ import annotations

from functions.convert.conversion.containers.boxes import Box, boxes
from functions.convert.conversion.containers.stated import Stated
from functions.convert.conversion.source import RangeFile

__all__ = ["has_end_mark", "stated"]

# A segment index has no more entries than fit into 16 bits, of twelve bytes each.
_MAX_INDEX = 64 + 12 * 65536
_MFRO = 16


def stated(file: RangeFile, top: list[Box]) -> Stated:
    """What the boxes before the first fragment say of all of them: segment indexes, and the header of the extension."""
    indexes = [_index(file, box) for box in top if box.kind == b"sidx"]
    whole = max((_movie_seconds(file, box) for box in top if box.kind == b"moov"), default=0.0)
    stop = max((index.stop for index in indexes), default=0)
    return Stated(stop, max([whole, *(index.seconds for index in indexes)]))


def _index(file: RangeFile, box: Box) -> Stated:
    data = file.peek(box.content, min(box.stop - box.content, _MAX_INDEX))
    wide = 8 if data[:1] == b"\1" else 4
    tick = int.from_bytes(data[8:12], "big") or 1
    earliest = int.from_bytes(data[12 : 12 + wide], "big")
    offset = int.from_bytes(data[12 + wide : 12 + 2 * wide], "big")
    at = 16 + 2 * wide
    count = int.from_bytes(data[at - 2 : at], "big")
    entries = [data[at + 12 * number :][:8] for number in range(min(count, (len(data) - at) // 12))]
    size = sum(int.from_bytes(entry[:4], "big") & 0x7FFF_FFFF for entry in entries)
    ticks = sum(int.from_bytes(entry[4:8], "big") for entry in entries)
    return Stated(box.stop + offset + size, (earliest + ticks) / tick)


def _movie_seconds(file: RangeFile, moov: Box) -> float:
    """What mehd states: the length of the longest track, in the ticks of mvhd."""
    inner = {box.kind: box for box in boxes(file, moov.content, moov.stop)}
    if b"mvhd" not in inner or b"mvex" not in inner:
        return 0.0
    extension = boxes(file, inner[b"mvex"].content, inner[b"mvex"].stop)
    head = next((file.peek(box.content, 12) for box in extension if box.kind == b"mehd"), b"")
    about = file.peek(inner[b"mvhd"].content, 24)
    tick = int.from_bytes(about[20:24] if about[:1] == b"\1" else about[12:16], "big")
    ticks = int.from_bytes(head[4:12] if head[:1] == b"\1" else head[4:8], "big")
    return ticks / tick if tick else 0.0


def has_end_mark(file: RangeFile) -> bool:
    """Whether the file ends with an index of random access points, which is written last (8.8.11)."""
    tail = file.peek(max(file.size - _MFRO, 0), _MFRO)
    start = file.size - int.from_bytes(tail[12:16], "big")
    return tail[4:8] == b"mfro" and 0 <= start < file.size and file.peek(start + 4, 4) == b"mfra"
