"""Creative Voice files, which are lists of blocks: what FFmpeg leaves out of them, it gets as other blocks.

FFmpeg takes the format of the first block for all, and passes over silence and repeats. So a block of silence becomes
one of samples that are silent, what is repeated is there as often as it is heard, and what has another format becomes
a file of its own behind the first one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from functions.convert.conversion.source import Part, RangeFile

__all__ = ["VOC", "as_runs", "voc_end"]

VOC = b"Creative Voice File\x1a"
# Kinds of blocks: samples with their format, more of them, silence, the begin and the end of what is repeated, the
# format of the next block, samples with a format of 12 bytes.
_END, _SOUND, _MORE, _SILENCE, _REPEAT, _AGAIN, _FORMAT, _NEW_SOUND = 0, 1, 2, 3, 6, 7, 8, 9
# How long the format is, and where in it is the codec.
_FORMATS = {_SOUND: 2, _NEW_SOUND: 12}
# So many blocks are looked at, and so many for the end alone; so many bytes of silence are made of them at most.
_MAX_BLOCKS, _MAX_ENDS, _MAX_SILENCE = 256, 64, 64 * 1024 * 1024
# A block says how often what follows is heard again: this is for ever, until a game stops it. So many blocks, and so
# many bytes, come of it at most.
_FOR_EVER, _MAX_REPEATED, _MAX_REPEATED_BYTES = 0xFFFF, 65536, 256 * 1024 * 1024
# A block is no longer; and so many bytes at the end of a file may be anything.
_MAX_LENGTH, _MIN_REST = 2**24 - 1, 1024
# SoX counts four of the twelve bytes of a format (its voc.c), so that its only block seems to end before its samples.
_SOX_LACKS = 8
# What lies between two heads that are fetched together.
_NEAR = 32 * 1024
# Codec → a silent sample: 8 bits without a sign, 16 bits, A-law, mu-law. (Others are differences.)
_SILENT = {0: b"\x80", 4: b"\0\0", 6: b"\xd5", 7: b"\xff"}


class _Block(NamedTuple):
    """A block: its kind, where its head begins and its content ends, in bytes, and the first bytes of its content."""

    kind: int
    start: int
    stop: int
    head: bytes


def as_runs(file: RangeFile) -> list[Part] | None:
    """The file as FFmpeg can read all of it; None where it can as it is."""
    if file.peek(0, len(VOC)) != VOC:
        return None
    start = int.from_bytes(file.peek(20, 2), "little")
    blocks = list(_blocks(file, start))
    is_more = any(_is_silence(block) or block.kind == _REPEAT for block in blocks)
    rest = list(_unstated(file, blocks))
    if len({_format(block) for block in blocks if block.kind in _FORMATS}) < 2 and not is_more and not rest:
        return None
    if not rest and blocks[-1].stop < file.size:
        rest = [(blocks[-1].stop, file.size)]
    return [(0, start), *_parts(file, start, _repeated(blocks)), *rest]


def voc_end(file: RangeFile, start: int) -> tuple[int, bool]:
    """How many bytes a Creative Voice file lacks of one of its first blocks, and whether it has the mark of its end.

    `start` is where the blocks begin: a byte that says of which kind it is, and three for its length. The mark is a
    block of kind 0 without a length, in which nothing else ends but samples that are 0.
    """
    for _ in range(_MAX_ENDS):
        head = file.glance(start, 4)
        if len(head) < 4 or head[0] == _END:
            return 0, head[:1] == bytes([_END])
        start = _stop(file, start, head)
        if start > file.size:
            return start - file.size, False
    return 0, _has_end(file)


def _stop(file: RangeFile, start: int, head: bytes) -> int:
    """Where a block ends that begins with this head."""
    stop, end = start + 4 + int.from_bytes(head[1:4], "little"), file.size - 1
    is_of_sox = head[0] == _NEW_SOUND and stop == end - _SOX_LACKS and _has_end(file)
    return end if is_of_sox else stop


def _has_end(file: RangeFile) -> bool:
    return file.glance(file.size - 1, 1) == bytes([_END])


def _unstated(file: RangeFile, blocks: list[_Block]) -> Iterator[Part]:
    """More of the samples of the last block, where it ends before what is no block: a length of 24 bits ran over."""
    at = blocks[-1].stop if blocks and blocks[-1].kind in (*_FORMATS, _MORE) else file.size
    data = file.peek(at, _MIN_REST)
    if len(data) < _MIN_REST or data[0] <= _NEW_SOUND or not any(data):
        return
    end = file.size - 1 if _has_end(file) else file.size
    for start in range(at, end, _MAX_LENGTH):
        stop = min(start + _MAX_LENGTH, end)
        yield bytes([_MORE]) + (stop - start).to_bytes(3, "little")
        yield start, stop
    yield end, file.size


def _blocks(file: RangeFile, start: int) -> Iterator[_Block]:
    look = file.peek
    for _ in range(_MAX_BLOCKS):
        head = look(start, 4 + 12)
        if len(head) < 4 or head[0] == _END or head[0] > _NEW_SOUND:
            return
        stop = _stop(file, start, head)
        look = file.peek if stop - start < _NEAR else file.glance
        yield _Block(head[0], start, stop, head[4:])
        start = stop


def _repeated(blocks: list[_Block]) -> Iterator[_Block]:
    """The blocks as they are heard: what is to be repeated as often as it is."""
    again: list[_Block] = []
    times, blocks_left, bytes_left = 0, _MAX_REPEATED, _MAX_REPEATED_BYTES
    for block in blocks:
        if block.kind == _REPEAT:
            times, again = int.from_bytes(block.head[:2], "little") % _FOR_EVER, []
        elif block.kind != _AGAIN:
            again += [block] if times else []
            yield block
        elif again:
            size = sum(each.stop - each.start for each in again)
            times = min(times, blocks_left // len(again), bytes_left // size)
            blocks_left, bytes_left = blocks_left - times * len(again), bytes_left - times * size
            yield from again * times
            times = 0


def _parts(file: RangeFile, first: int, blocks: Iterable[_Block]) -> Iterator[Part]:
    begun, silence = b"", 0
    for block in blocks:
        made = _format(block) if block.kind in _FORMATS else b""
        if begun and made and made != begun:
            yield bytes([_END])
            yield (0, first)
        begun = made or begun
        if not _is_silence(block):
            yield (block.start, min(block.stop, file.size))
        elif begun and silence < _MAX_SILENCE:
            more = _silent(block, begun)
            silence += len(more)
            yield more


def _is_silence(block: _Block) -> bool:
    return block.kind == _SILENCE and len(block.head) >= 3


def _format(block: _Block) -> bytes:
    return block.head[: _FORMATS[block.kind]]


def _silent(block: _Block, made: bytes) -> bytes:
    """A block of samples in place of one of silence: so many less one, at a rate of its own."""
    samples, seconds = int.from_bytes(block.head[:2], "little") + 1, (256 - block.head[2]) / 1_000_000
    new = len(made) > _FORMATS[_SOUND]
    codec = int.from_bytes(made[6:8], "little") if new else made[1]
    rate = int.from_bytes(made[:4], "little") * made[5] if new else 1_000_000 / (256 - made[0])
    data = _SILENT.get(codec, b"") * round(samples * seconds * rate)
    return bytes([_MORE]) + len(data).to_bytes(3, "little") + data if data else b""
