"""A WAV or W64 whose samples have fewer bits that matter than they have room for: 24 of 32, as Windows records.

The room decides where samples begin. FFmpeg takes the bits that matter for it, and decodes noise.
"""

from __future__ import annotations

import struct

from functions.convert.conversion.containers.heads import w64_chunks
from functions.convert.conversion.containers.tails import W64, riff_chunks
from functions.convert.conversion.source import RangeFile

__all__ = ["right_bits"]

# Codec, channels, bytes of all channels' samples, bits of room for a sample, bits that matter, and what codec it is
# (WAVEFORMATEXTENSIBLE). Where the bits that matter are.
_FORMAT, _VALID = struct.Struct("<HH8xHH2xH4xH14x"), 18
_EXTENSIBLE, _PLAIN = 0xFFFE, (1, 3)


def right_bits(file: RangeFile) -> bool:
    """From now on, the head states bits that fit the size of the samples. Returns: whether it did not."""
    start = _format_at(file)
    numbers = file.peek(start, _FORMAT.size) if start else b""
    if len(numbers) < _FORMAT.size:
        return False
    codec, channels, block, room, valid, kind = _FORMAT.unpack(numbers)
    is_plain = codec == _EXTENSIBLE and kind in _PLAIN and block == channels * room // 8
    if not is_plain or not valid or (valid + 7) // 8 == room // 8:
        return False
    file.patch(start + _VALID, room.to_bytes(2, "little"))
    return True


def _format_at(file: RangeFile) -> int:
    """Where the numbers of the format begin; 0 where there are none."""
    head = file.peek(0, 16)
    if head.startswith(W64):
        return next((start + 24 for name, start, _ in w64_chunks(file) if name == b"fmt "), 0)
    is_wav = head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE"
    chunks = riff_chunks(file, 12, file.size) if is_wav else ()
    return next((start for name, start, _ in chunks if name == b"fmt "), 0)
