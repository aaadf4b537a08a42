"""Compressed sound in the guise of 16-bit stereo: DTS as on CDs, and what goes over S/PDIF (IEC 61937).

Played as samples it is noise at full scale. FFmpeg finds it where a WAV begins with it; here it is found in any
codec without loss, and after silence. In a WAV, what comes after the silence is then a WAV that begins with it.
"""

from __future__ import annotations

import re
import struct
import sys
from typing import NamedTuple

from av.audio.frame import AudioFrame

from functions.convert.conversion.containers.tails import RIFF_UNKNOWN_FROM, riff_chunks
from functions.convert.conversion.source import RangeFile
from functions.shared.reasons import Failure

__all__ = ["AfterSilence", "BitstreamCheck", "after_silence"]

# The words that a frame begins with, each in the one and the other order of bytes: DTS in 16 and in 14 bits of a word
# (ETSI TS 102 114, 5.3.1 and annex on packing), and the preamble Pa, Pb of a burst (IEC 61937-1, 6.1.3).
_WORDS = ((0x7FFE, 0x8001), (0x1FFF, 0xE800), (0xF872, 0x4E1F))
_SYNCS = tuple(b"".join(word.to_bytes(2, order) for word in words) for words in _WORDS for order in ("little", "big"))
# The beginning of a burst of E-AC-3, whose kind is the third word, and how often there is one: in every 6144 frames
# (IEC 61937-3, "Data type 21").
_EAC3, _EAC3_PERIOD = re.compile(rb"\x72\xf8\x1f\x4e[\x15\x95].", re.DOTALL), 24576
# The longest burst is one of TrueHD, 61440 bytes: so much has two of each kind. In samples, one is there by chance in
# one file of 20,000, and two of a kind in one of a billion.
_LOOK_BYTES = 128 * 1024
_WIDTHS = {"s16": 2, "s32": 4}
# How much silence is passed over (a minute and a half of a CD), how much of it is looked at at once, and the longest
# head of a WAV.
_MAX_SILENCE, _STEP, _MAX_HEAD = 16 * 1024 * 1024, 256 * 1024, 1024 * 1024
# Codec (plain samples, or that which says so later), channels, sample rate, and bits of a sample.
_FORMAT, _PLAIN, _FRAME_BYTES = struct.Struct("<HHI6xH"), (1, 0xFFFE), 4


class AfterSilence(NamedTuple):
    """A WAV without the silence that it begins with: its `head`, and where in the file the rest starts.

    That is so many `seconds` after its beginning. Without its head, it is a file of the kind `form` (FFmpeg's name).
    """

    head: bytes
    start: int
    seconds: float
    form: str | None = None


def after_silence(file: RangeFile) -> AfterSilence | None:
    """What is left of a WAV without silence where that hides compressed sound; None for all other files.

    Bursts of E-AC-3 are so far apart that FFmpeg does not see them in a WAV at all.
    """
    found = _samples(file)
    if found is None:
        return None
    content, rate = found
    start = _first_sound(file, content)
    if all(_EAC3.match(file.peek(at, 6)) for at in (start, start + _EAC3_PERIOD)):
        return AfterSilence(b"", start, (start - content) / _FRAME_BYTES / rate, "spdif")
    if start == content:
        # FFmpeg sees for itself.
        return None
    data = file.peek(start, _LOOK_BYTES)
    places = [data.find(sync) for sync in _SYNCS if data.count(sync) > 1]
    if not places:
        return None
    start += min(places) // _FRAME_BYTES * _FRAME_BYTES
    return AfterSilence(_head(file, content, start - content), start, (start - content) / _FRAME_BYTES / rate)


def _samples(file: RangeFile) -> tuple[int, int] | None:
    """Where the samples of a WAV of 16-bit stereo begin, and its sample rate."""
    rate = 0
    if file.peek(0, 4) != b"RIFF" or file.peek(8, 4) != b"WAVE":
        return None
    for name, content, _ in riff_chunks(file, 12, file.size):
        about = file.peek(content, _FORMAT.size) if name == b"fmt " else b""
        if len(about) == _FORMAT.size:
            codec, channels, rate, bits = _FORMAT.unpack(about)
            rate = rate if codec in _PLAIN and (channels, bits) == (2, 16) else 0
        if name == b"data":
            return (content, rate) if rate and content <= _MAX_HEAD else None
    return None


def _first_sound(file: RangeFile, start: int) -> int:
    """Where the first sample that is not 0 begins, from a position on; that position where there is none for long."""
    for at in range(start, min(start + _MAX_SILENCE, file.size), _STEP):
        data = file.peek(at, _STEP)
        if sound := data.lstrip(b"\0"):
            return at + (len(data) - len(sound)) // _FRAME_BYTES * _FRAME_BYTES
    return start


def _head(file: RangeFile, content: int, less: int) -> bytes:
    """All up to the samples, of which there are so many bytes less: of the file, and of the chunk of samples."""
    head = bytearray(file.peek(0, content))
    for at in (4, content - 4):
        stated = int.from_bytes(head[at : at + 4], "little")
        if less < stated < RIFF_UNKNOWN_FROM:
            head[at : at + 4] = (stated - less).to_bytes(4, "little")
    return bytes(head)


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
