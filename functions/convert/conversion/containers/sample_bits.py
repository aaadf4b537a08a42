"""A WAV or W64 whose samples have fewer bits that matter than they have room for: 24 of 32, as Windows records.

The room decides where samples begin. FFmpeg takes the bits that matter for it, and decodes noise.
"""

from __future__ import annotations

import struct

from functions.convert.conversion.containers.heads import format_of
from functions.convert.conversion.source import RangeFile

__all__ = ["right_bits"]

# Codec, channels, bytes of all channels' samples, bits of room for a sample, bits that matter, and what codec it is
# (WAVEFORMATEXTENSIBLE). Where the bits that matter are.
_FORMAT, _VALID = struct.Struct("<HH8xHH2xH4xH14x"), 18
_EXTENSIBLE, _PLAIN = 0xFFFE, (1, 3)


def right_bits(file: RangeFile) -> bool:
    """From now on, the head states bits that fit the size of the samples. Returns: whether it did not."""
    start, order = format_of(file) or (0, "big")
    numbers = file.peek(start, _FORMAT.size) if order == "little" else b""
    if len(numbers) < _FORMAT.size:
        return False
    codec, channels, block, room, valid, kind = _FORMAT.unpack(numbers)
    is_plain = codec == _EXTENSIBLE and kind in _PLAIN and block == channels * room // 8
    if not is_plain or not valid or (valid + 7) // 8 == room // 8:
        return False
    file.patch(start + _VALID, room.to_bytes(2, "little"))
    return True
