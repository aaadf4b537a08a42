"""Packets of a transport stream that were sent twice, with the same counter (ISO/IEC 13818-1, 2.4.3.3).

A receiver leaves the second one out. FFmpeg takes it for more of what it is a part of: PES packets and frames that are
longer, and broken. Whoever doubles the datagrams of a stream doubles seven packets at a time.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from functions.convert.conversion.containers.tails import TS_PACKETS
from functions.convert.conversion.source import RangeFile

__all__ = ["without_doubled"]

# So far behind a packet it is looked for again. A counter has four bits: within 15 packets, it is never the same.
_NEAR = 8
# Of the first four bytes: the mark; which stream it is, and which one is there to be passed over; whether there are an
# adaptation field (of which the clock may be another in the second one), and something of the stream.
_MARK, _STREAM, _NULL, _FIELD, _PAYLOAD = 0x47000000, 0x1FFF00, b"\x1f\xff", 0x20, 0x10
_HEAD, _BARE = 4, 188


def without_doubled(file: RangeFile, first: int, size: int, position: int, data: bytes) -> bytes:
    """What was read at a position, with null packets in place of what comes again.

    A packet has `size` bytes, and one begins at `first`.
    """
    begin = position - (position - first) % size
    start, stop = max(begin - _NEAR * size, first), position + len(data)
    behind = file.peek(stop, (first - stop) % size)
    block = (file.glance(start, position - start) + data + behind)[max(start - position, 0) :]
    doubled = list(_doubled(block, size))
    return _with_null(data, [start + place + 1 - position for place in doubled]) if doubled else data


def _doubled(block: bytes, size: int) -> Iterator[int]:
    """Where the packets begin that come again, in bytes; of some it says so twice."""
    ahead, count = TS_PACKETS[size], len(block) // size
    heads = struct.unpack_from(">" + f"{ahead}xI{size - _HEAD - ahead}x" * count, block)
    # What goes for each packet of a video, in the fewest steps.
    for start in range(0, count, _NEAR):
        near = heads[start : start + 2 * _NEAR]
        if len(set(near)) < len(near):
            for one, other in _alike(near):
                places = [(start + number) * size + ahead for number in (one, other)]
                if _is_same(block, near[one], places):
                    yield places[1]


def _alike(heads: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Which packets have the head of one before them, and the number of that."""
    last: dict[int, int] = {}
    for number, head in enumerate(heads):
        if head in last and _counts(head):
            yield last[head], number
        last[head] = number


def _counts(head: int) -> bool:
    return head & 0xFF000000 == _MARK and bool(head & _PAYLOAD) and head & _STREAM != _STREAM


def _is_same(block: bytes, head: int, places: Sequence[int]) -> bool:
    one, other = (block[place + _HEAD : place + _BARE] for place in places)
    if one == other or not head & _FIELD:
        return one == other
    return one[0] == other[0] and one[1 + one[0] :] == other[1 + one[0] :] != b""


def _with_null(data: bytes, places: Sequence[int]) -> bytes:
    """The bytes with the number of the stream that is passed over at some places; some may be in part or not in it."""
    made = bytearray(data)
    for place in places:
        for at, byte in enumerate(_NULL, place):
            if 0 <= at < len(made):
                made[at] = byte
    return bytes(made)
