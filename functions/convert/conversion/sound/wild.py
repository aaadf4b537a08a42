"""Samples that are no sound: infinite, not a number, or so far beyond full scale that no recording means them.

One of them would decide how loud all others become. They are made silent before anything is measured or mixed. Only
the byte of each sample that has the most of its exponent is looked at, for all samples of a frame at once.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from av.audio.frame import AudioFrame

__all__ = ["are_possible", "silenced"]

# Decoders whose samples are numbers that stand in the file. What others make of a file is far beyond full scale only
# where the file is damaged.
_AS_WRITTEN = ("pcm_f", "wavpack")
# A few samples in a frame may be wild where all of them would be a recording on another scale: one in so many.
_FEW = 16


@dataclass(frozen=True)
class _Kind:
    """Floats of `width` bytes. By their top byte without the sign: what is strange, and what is no sound on any scale.

    Beyond full scale by up to 30 dB a mix of floats may get; on the scale of 32-bit integers full scale is 2^31.
    """

    width: int
    strange: int
    impossible: int

    def top(self, data: bytes) -> bytes:
        """The sign and most of the exponent of each sample (IEEE 754, 3.4)."""
        return data[(self.width - 1 if sys.byteorder == "little" else 0) :: self.width]


# 2^5 and 2^33; of doubles, where a byte tells no more than 16 powers of two apart, 2^17 and 2^33.
_KINDS = {"flt": _Kind(4, 0x42, 0x50), "dbl": _Kind(8, 0x41, 0x42)}
_BELOW = {limit: bytes(byte for byte in range(256) if byte & 0x7F < limit) for limit in (0x41, 0x42, 0x50)}
_FLAGS = {limit: bytes(0 if byte & 0x7F >= limit else 255 for byte in range(256)) for limit in _BELOW}


def are_possible(codec: str) -> bool:
    """Whether a sound file of this codec may hold such samples."""
    return codec.startswith(_AS_WRITTEN)


def silenced(frame: AudioFrame) -> int:
    """Make the wild samples of a decoded frame silent. Returns: how many there were."""
    kind = _KINDS.get(frame.format.name.removesuffix("p"))
    if kind is None:
        return 0
    size = frame.samples * kind.width * (1 if frame.format.is_planar else frame.layout.nb_channels)
    return sum(_silenced(memoryview(plane).cast("B")[:size], kind) for plane in frame.planes)


def _silenced(plane: memoryview, kind: _Kind) -> int:
    data = bytes(plane)
    top = kind.top(data)
    strange = len(top.translate(None, _BELOW[kind.strange]))
    if not strange:
        return 0
    # More than a few: strange, but maybe music.
    limit = kind.strange if strange * _FEW <= len(top) else kind.impossible
    wild = len(top.translate(None, _BELOW[limit]))
    if wild:
        plane[:] = _masked(data, top.translate(_FLAGS[limit]), kind.width)
    return wild


def _masked(data: bytes, flags: bytes, width: int) -> bytes:
    """Zero for each sample whose flag is zero: one AND of two long numbers."""
    mask = bytearray(len(data))
    for at in range(width):
        mask[at::width] = flags
    both = int.from_bytes(data, "little") & int.from_bytes(mask, "little")
    return both.to_bytes(len(data), "little")
