"""What is no block in the middle of a WavPack: a download, or a disk, that lost some of it.

FFmpeg ends there. So what it reads there are blocks, with nothing in them, for the samples that are missing: each block
says which ones it has (WavPack 4 & 5 Binary File / Block Format, 2.0).
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from functions.convert.conversion.source import RangeFile

__all__ = ["MAGIC", "Blocks"]

MAGIC = b"wvpk"
# The length behind its own place, the version, how many samples there are, which is the first here, how many are here.
_HEAD, _CRC, _LENGTH_STOP = struct.Struct("<4sIH2xIIII"), 4, 8
_VERSIONS, _LENGTHS = range(0x402, 0x411), range(24, 1024 * 1024 + 1)
# Flags: the first, and the last, of the blocks for the same samples; what all in a file share: mono, the sample rate.
_FIRST, _LAST, _SHARED = 1 << 11, 1 << 12, 1 << 2 | 0xF << 23
# What may follow the last block: tags.
_TAGS = (b"APETAGEX", b"TAG")
# No more blocks than that are made for one hole, unless it is too large for them.
_MOST = 4096
# Blocks are looked for in pieces of so many bytes.
_STEP = 256 * 1024


class _Block(NamedTuple):
    """Where a block ends, its version, which samples it has, (start, stop), and its flags."""

    stop: int
    version: int
    samples: tuple[int, int]
    flags: int


class Blocks:
    """The blocks of a file from a place on, as far as they were read."""

    def __init__(self, file: RangeFile, start: int) -> None:
        self._file, self._next = file, start
        self._newest: _Block | None = None
        # What is no block, (start, stop); and the heads that are read in it, each with its place. All else is zeros.
        self._holes: list[tuple[int, int]] = []
        self._heads: list[tuple[int, bytes]] = []

    def mended(self, position: int, data: bytes) -> bytes:
        """What to take for the bytes that were read at a position."""
        stop = position + len(data)
        # Who reads further on looks for tags.
        while position <= self._next < stop:
            self._next = self._after(self._next)
        first = max(bisect_left(self._holes, (position, 0)) - 1, 0)
        holes = self._holes[first : bisect_left(self._holes, (stop, 0))]
        return self._filled(position, data, holes) if holes and holes[-1][1] > position else data

    def _filled(self, position: int, data: bytes, holes: Sequence[tuple[int, int]]) -> bytes:
        made, stop = bytearray(data), position + len(data)
        for start, end in holes:
            first, last = max(start, position), min(end, stop)
            made[first - position : max(last, first) - position] = bytes(max(last - first, 0))
        first = bisect_left(self._heads, (position - _HEAD.size + 1, b""))
        for place, head in self._heads[first : bisect_left(self._heads, (stop, b""))]:
            begin, end = max(place, position), min(place + len(head), stop)
            made[begin - position : end - position] = head[begin - place : end - place]
        return bytes(made)

    def _after(self, place: int) -> int:
        """Where the next block is to begin behind one, or behind what is none; the end of the file if there is none."""
        block = _block_at(self._file, place)
        if block is not None:
            self._newest = block
            return block.stop
        newest, is_tag = self._newest, self._file.peek(place, len(_TAGS[0])).startswith(_TAGS)
        found = None if newest is None or is_tag else self._found(place + _HEAD.size + _CRC, newest)
        if newest is None or found is None:
            return self._file.size
        start, samples = found
        self._holes.append((place, start))
        self._heads += _empty(newest, (place, start), (newest.samples[1], samples))
        return start

    def _found(self, start: int, newest: _Block) -> tuple[int, int] | None:
        """Where the next block begins from a place on, and its first sample."""
        for place in _magics(self._file, start):
            block = _block_at(self._file, place)
            if block and block.flags & _FIRST and (block.flags ^ newest.flags) & _SHARED == 0:
                first, stop = block.samples
                if newest.samples[1] <= first < stop:
                    return place, first
        return None


def _magics(file: RangeFile, start: int) -> Iterator[int]:
    for at in range(start, file.size, _STEP):
        data = file.peek(at, _STEP + len(MAGIC) - 1)
        found = data.find(MAGIC)
        while found >= 0:
            yield at + found
            found = data.find(MAGIC, found + 1)


def _block_at(file: RangeFile, place: int) -> _Block | None:
    head = file.peek(place, _HEAD.size)
    if len(head) < _HEAD.size or not head.startswith(MAGIC):
        return None
    _, length, version, _, first, count, flags = _HEAD.unpack(head)
    is_known = version in _VERSIONS and length in _LENGTHS
    return _Block(place + _LENGTH_STOP + length, version, (first, first + count), flags) if is_known else None


def _empty(like: _Block, hole: tuple[int, int], samples: tuple[int, int]) -> Iterator[tuple[int, bytes]]:
    """Places and heads of blocks that fill a hole, for samples, each (start, stop); about as long as another one."""
    (start, stop), (first, last) = hole, samples
    size, usual = stop - start, max(like.samples[1] - like.samples[0], 1)
    least, most = -(-size // _LENGTHS[-1]), size // (_HEAD.size + _CRC)
    count = max(min(round((last - first) / usual), most, _MOST), least)
    # Of those for more than two channels, FFmpeg takes one alone for two.
    flags = like.flags & ~_FIRST | _LAST if _is_part(like) else like.flags
    for number in range(count):
        place, end = (start + each * size // count for each in (number, number + 1))
        time, until = (first + each * (last - first) // count for each in (number, number + 1))
        yield place, _HEAD.pack(MAGIC, end - place - _LENGTH_STOP, like.version, 0, time, until - time, flags)


def _is_part(block: _Block) -> bool:
    return block.flags & (_FIRST | _LAST) != _FIRST | _LAST
