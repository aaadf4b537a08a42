"""Compressed sound in the guise of 16-bit stereo: DTS as on CDs, and what goes over S/PDIF (IEC 61937).

Played as samples it is noise at full scale. FFmpeg finds it where a WAV begins with it; here it is found in any
codec without loss, and after silence.
"""

from __future__ import annotations

import sys

from av.audio.frame import AudioFrame

from functions.shared.reasons import Failure

__all__ = ["BitstreamCheck"]

# The words that a frame begins with, each in the one and the other order of bytes: DTS in 16 and in 14 bits of a word
# (ETSI TS 102 114, 5.3.1 and annex on packing), and the preamble Pa, Pb of a burst (IEC 61937-1, 6.1.3).
_WORDS = ((0x7FFE, 0x8001), (0x1FFF, 0xE800), (0xF872, 0x4E1F))
_SYNCS = tuple(b"".join(word.to_bytes(2, order) for word in words) for words in _WORDS for order in ("little", "big"))
# The longest burst is one of TrueHD, 61440 bytes: so much has two of each kind. In samples, one is there by chance in
# one file of 20,000, and two of a kind in one of a billion.
_LOOK_BYTES = 128 * 1024
_WIDTHS = {"s16": 2, "s32": 4}


class BitstreamCheck:
    """Looks at the first sound of a stream."""

    def __init__(self) -> None:
        self._data: bytearray | None = bytearray()

    def feed(self, frame: AudioFrame) -> None:
        """Take a decoded frame. Raises: Failure (unsupported-codec) once it is known that this is no sound."""
        if self._data is None:
            return
        if frame.layout.nb_channels != 2 or frame.format.name.removesuffix("p") not in _WIDTHS:
            self._data = None
            return
        words = _words(frame)
        self._data += words if self._data else words.lstrip(b"\0")
        if len(self._data) >= _LOOK_BYTES:
            self.flush()

    def flush(self) -> None:
        """There is no more. Raises: as `feed`."""
        data, self._data = self._data or b"", None
        if any(data.count(sync) > 1 for sync in _SYNCS):
            raise Failure("unsupported-codec")


def _words(frame: AudioFrame) -> bytes:
    """The upper 16 bits of each sample, both channels in turn."""
    width = _WIDTHS[frame.format.name.removesuffix("p")]
    high = width - 2 if sys.byteorder == "little" else 0
    if not frame.format.is_planar:
        samples = bytes(memoryview(frame.planes[0])[: 2 * frame.samples * width])
        return _interleaved([samples[high::width], samples[high + 1 :: width]])
    planes = [bytes(memoryview(plane)[: frame.samples * width]) for plane in frame.planes]
    return _interleaved([plane[at::width] for plane in planes for at in (high, high + 1)])


def _interleaved(rows: list[bytes]) -> bytes:
    whole = bytearray(len(rows) * len(rows[0]))
    for at, row in enumerate(rows):
        whole[at :: len(rows)] = row
    return bytes(whole)
