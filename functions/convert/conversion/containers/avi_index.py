"""The index of an AVI in several parts (OpenDML AVI File Format Extensions 1.02): one of each part, and one of these.

Where it leads beyond the end of the file, that was cut off, and FFmpeg may leave out all of a part whose index is
missing; without any index, it reads one chunk after the other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise

from functions.convert.conversion.containers.tails import riff_chunks
from functions.convert.conversion.source import Part, RangeFile

__all__ = ["without_lost_index"]

# Of an index of indexes: the longs of an entry, its kind, and the number of entries, which come after 24 bytes; of an
# entry, where an index begins.
_HEAD, _ENTRY, _OFFSET, _INDEXES = struct.Struct("<HxBI16x"), 16, struct.Struct("<Q"), (4, 0)
_MAX_ENTRIES = 4096


def without_lost_index(file: RangeFile) -> list[Part] | None:
    """The AVI as if it had no index, where a part of that is behind the end of the file; else None."""
    indexes = list(_indexes(file))
    if not any(_is_lost(file, *index) for index in indexes):
        return None
    others = [content for name, content, _ in riff_chunks(file, 12, file.size) if name == b"idx1"]
    names = sorted(content - 8 for content in [*(content for content, _ in indexes), *others])
    parts: list[Part] = [(0, names[0])]
    for at, end in pairwise([*names, file.size]):
        parts += [b"JUNK", (at + 4, end)]
    return parts


def _indexes(file: RangeFile) -> Iterator[tuple[int, int]]:
    """Where the content of the index of each stream begins and ends."""
    for start, stop in _lists(file, 12, file.size, b"hdrl"):
        for first, last in _lists(file, start, stop, b"strl"):
            yield from ((content, end) for name, content, end in riff_chunks(file, first, last) if name == b"indx")


def _lists(file: RangeFile, start: int, stop: int, kind: bytes) -> Iterator[tuple[int, int]]:
    """Where the chunks of each list of a kind begin and end, until the pictures and the sound come."""
    for name, content, end in riff_chunks(file, start, stop):
        found = file.peek(content, 4) if name == b"LIST" else b""
        if found == b"movi":
            return
        if found == kind:
            yield content + 4, end


def _is_lost(file: RangeFile, content: int, end: int) -> bool:
    """Whether the last part of an index is not all there."""
    head = file.peek(content, _HEAD.size)
    if len(head) < _HEAD.size:
        return False
    longs, kind, count = _HEAD.unpack(head)
    if (longs, kind) != _INDEXES or not 0 < count <= min(_MAX_ENTRIES, (end - content - _HEAD.size) // _ENTRY):
        return False
    (start,) = _OFFSET.unpack(file.peek(content + _HEAD.size + (count - 1) * _ENTRY, _OFFSET.size))
    last = file.glance(start, 8) if start < file.size else b""
    return len(last) < 8 or start + 8 + int.from_bytes(last[4:], "little") > file.size
