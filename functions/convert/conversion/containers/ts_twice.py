"""Packets of a transport stream that were sent twice, with the same counter (ISO/IEC 13818-1, 2.4.3.3).

A receiver leaves the second one out. FFmpeg takes it for more of what it is a part of: PES packets and frames that are
longer, and broken. Whoever doubles the datagrams of a stream doubles seven packets at a time.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache

from functions.convert.conversion.containers.tails import TS_PACKETS
from functions.convert.conversion.source import RangeFile

__all__ = ["Doubled"]

# So far behind a packet it is looked for again. A counter has four bits: within 15 packets, it is never the same.
_NEAR = 8
# Of the first four bytes: the mark; which stream it is, and which one is there to be passed over; whether there are an
# adaptation field (of which the clock may be another in the second one), and something of the stream.
_MARK, _STREAM, _NULL, _FIELD, _PAYLOAD = 0x47000000, 0x1FFF00, b"\x1f\xff", 0x20, 0x10
_HEAD, _BARE = 4, 188


class Doubled:
    """Gives what is read of a transport stream with null packets in place of what comes again."""

    def __init__(self, file: RangeFile, first: int, size: int) -> None:
        """A packet has `size` bytes, and one begins at `first`."""
        self._file, self._first, self._size = file, first, size
        # The last bytes that were read: those that follow are compared with them.
        self._next, self._before = -1, b""

    def mended(self, position: int, data: bytes) -> bytes:
        """What is to be taken for the bytes that were read at a position."""
        start, stop = self._nearby(position), position + len(data)
        before = self._before if position == self._next else self._file.glance(start, position - start)
        block = (before + data)[max(start - position, 0) :]
        self._next, self._before = stop, block[self._nearby(stop) - start :]
        block = self._with_whole_head(block, stop)
        if not _may_repeat(block, self._size):
            return data
        block += self._file.peek(start + len(block), -len(block) % self._size)
        doubled = [start + place + 1 - position for place in _doubled(block, self._size)]
        return _with_null(data, doubled) if doubled else data

    def _nearby(self, position: int) -> int:
        """Where the first packet begins that what is read from here on is compared with."""
        begin = position - (position - self._first) % self._size
        return max(begin - _NEAR * self._size, self._first)

    def _with_whole_head(self, block: bytes, stop: int) -> bytes:
        head, part = TS_PACKETS[self._size] + _HEAD, len(block) % self._size
        return block + self._file.peek(stop, head - part) if 0 < part < head else block


def _may_repeat(block: bytes, size: int) -> bool:
    """Whether packets near each other may have the same head: True also for some that have not.

    Of all packets at once, since there are thousands in a second of video: numbers with a byte for each.
    """
    ahead = TS_PACKETS[size]
    # The last one may be there in part.
    count = (len(block) - ahead - _HEAD) // size + 1
    ones, tops = (_each(byte, count) for byte in (0x01, 0x80))
    high, low, counter = (int.from_bytes(block[ahead + at : count * size : size], "little") for at in (1, 2, 3))
    streams, nulls = _each(_NULL[0], count), _each(_NULL[1], count)
    other = (high & streams ^ streams) | (low ^ nulls)
    # A byte that is 0 in `other` has its top bit here: Warren, Hacker's Delight, 6-1.
    null = ~((other & ~tops) + (tops - ones) | other) & tops
    for shift in range(8, 8 * _NEAR + 1, 8):
        differ = (high ^ high >> shift) | (low ^ low >> shift) | (counter ^ counter >> shift) | null
        if (differ - ones) & ~differ & tops:
            return True
    return False


@lru_cache(8)
def _each(byte: int, count: int) -> int:
    return int.from_bytes(bytes([byte]) * count, "little")


def _doubled(block: bytes, size: int) -> Iterator[int]:
    """Where the packets begin that come again, in bytes; of some it says so twice."""
    ahead, count = TS_PACKETS[size], len(block) // size
    heads = struct.unpack_from(">" + f"{ahead}xI{size - _HEAD - ahead}x" * count, block)
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
