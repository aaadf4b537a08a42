"""Whether a file ends before the end that it states: what FFmpeg does not check, or not for every container."""

from __future__ import annotations

from functions.convert.conversion.boxes import FIRST, FRAGMENTS, Box, boxes
from functions.convert.conversion.source import RangeFile

__all__ = ["is_cut_off"]

_HEAD = 1024
# A writer that cannot seek back leaves 0 where the length belongs, or a number from here on: sox and ffmpeg do.
_RIFF_UNKNOWN_FROM = 0x7FFF_0000


def is_cut_off(file: RangeFile) -> bool:
    """Whether a WAV, AVI, Matroska, MP4 or MOV is shorter than it states, or lacks its index."""
    head = file.peek(0, _HEAD)
    return file.size < (_riff_size(head) or _segment_size(head)) or _lacks_a_box(file)


def _riff_size(head: bytes) -> int:
    """The length that an AVI or WAV states, or 0: FFmpeg does not hold it against the file's own size."""
    if head[:4] != b"RIFF" or head[8:12] not in (b"AVI ", b"WAVE"):
        return 0
    # Some writers count the eight bytes before the length in, some do not.
    stated = int.from_bytes(head[4:8], "little")
    return stated if stated < _RIFF_UNKNOWN_FROM else 0


def _segment_size(head: bytes) -> int:
    """Where a Matroska's segment ends, or 0 when it does not say (RFC 8794, 6.2 and RFC 9559, 5.1)."""
    at = head.find(b"\x18\x53\x80\x67", 4) + 4
    if head[:4] != b"\x1a\x45\xdf\xa3" or at < 8 or at >= len(head) or not head[at]:
        return 0
    length = 9 - head[at].bit_length()
    size = int.from_bytes(head[at : at + length], "big") & ((1 << 7 * length) - 1)
    return 0 if size == (1 << 7 * length) - 1 else at + length + size


def _lacks_a_box(file: RangeFile) -> bool:
    """Whether the file is an MP4 or MOV whose end, or whose index, is missing."""
    needed: list[Box] = []
    for number, box in enumerate(boxes(file, 0, file.size)):
        if (not number and box.kind not in FIRST) or box.kind in FRAGMENTS:
            return False
        needed += [box] if box.kind in (b"moov", b"mdat") else []
    # What follows the last box that matters may be garbage that only looks like a longer one.
    return bool(needed) and (needed[-1].stop > file.size or all(box.kind == b"mdat" for box in needed))
