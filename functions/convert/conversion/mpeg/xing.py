"""The frame that tells players about an MP3: Xing header, and LAME's tag with what makes it gapless and exact.

Its layout is that of LAME's VbrTag.c and of http://gabriel.mp3-tech.org/mp3infotag.html: in the slot of a frame whose
side information is zeros, "Xing" or "Info", flags, number of frames, bytes, 100 places for seeking, and quality; then
36 bytes of LAME's, of which decoders take the delay and the padding to cut off what is not sound.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import av.codec.codec

from functions.convert.conversion.mpeg import lame
from functions.convert.conversion.mpeg.frames import header, offsets, with_bitrate

if TYPE_CHECKING:
    from functions.convert.conversion.plan import Shape

__all__ = ["Tally"]

_FRAMES, _BYTES, _PLACES, _QUALITY = 1, 2, 4, 8
# From "Xing" to LAME's last checksum.
_LENGTH = 4 + 4 + 4 + 4 + 100 + 4 + 36
# The bitrate of this frame where that of the others varies, in kbit/s: what LAME takes.
_BITRATES = {"1": 128, "2": 64, "2.5": 32}
# How many frames' places are remembered: as in LAME, every other one is forgotten when there are more.
_POINTS = 400
# The delay and the padding have 12 bits each, lengths 32.
_MAX_SAMPLES, _MAX_BYTES = 0xFFF, 0xFFFF_FFFF
# Where LAME's tag has the quality and what follows it up to the delay, and what follows that up to the length.
_ABOUT, _MORE = slice(116, 141), slice(144, 148)
# What is said of frames that somebody else encoded: nothing, but ffmpeg and Firefox do not look at the delay unless
# "LAME" or "Lavc" is given for the writer.
_UNKNOWN = bytes(116) + bytes(4) + b"Lavc".ljust(9, b"\0") + bytes(19)
_NOBODY = bytes(len(_UNKNOWN))
# enum AVCRCId of libavutil: x¹⁶ + x¹⁵ + x² + 1 with its bits reversed, as in VbrTag.c.
_CRC_16_ANSI_LE = 5


@dataclass
class _Counts:
    frames: int = 0
    bytes: int = 0
    crc: int = 0
    word: str = ""  # the first frame's first four bytes, in hex
    bitrate: int = 0  # the first frame's
    varies: bool = False
    every: int = 1
    points: list[int] = field(default_factory=list)  # where the frames 0, every, 2 * every… begin


class Tally:
    """Counts the frames of an MP3, and makes the one that goes before them. Memory does not grow with their number."""

    def __init__(self, shape: Shape | None, state: dict[str, Any] | None = None) -> None:
        """`shape` is what LAME encodes, None when frames are copied; `state` is what `state()` gave, to resume from."""
        self._shape = shape
        self._counts = _Counts(**state) if state else _Counts()
        self._counts.points = [*self._counts.points]

    def state(self) -> dict[str, Any]:
        """What has been counted so far, fit for JSON and below 8 KB."""
        return vars(self._counts) | {"points": [*self._counts.points]}

    def count(self, data: bytes) -> None:
        """Count whole frames, in order. Raises: FrameError."""
        counts = self._counts
        for at, head in offsets(data):
            if counts.frames == 0:
                counts.word, counts.bitrate = data[at : at + 4].hex(), head.bitrate
            if counts.frames % counts.every == 0:
                self._remember(counts.bytes + at)
            counts.varies |= head.bitrate != counts.bitrate
            counts.frames += 1
        counts.bytes += len(data)
        counts.crc = _crc(data, counts.crc)

    def _remember(self, place: int) -> None:
        counts = self._counts
        counts.points.append(place)
        if len(counts.points) == _POINTS:
            counts.points, counts.every = counts.points[::2], counts.every * 2

    def header(self, samples: int, delay: int | None = lame.DELAY) -> bytes:
        """The frame to put first; it decodes to silence where it is not understood.

        `samples` is how many samples the frames stand for, and `delay` how many come before them. The padding is what
        is left. Without a delay nothing is to be cut off. No frames counted give no header: b"".
        """
        if not self._counts.frames:
            return b""
        frame = self._frame()
        head = header(frame)
        padding = self._counts.frames * head.samples - (delay or 0) - samples
        gapless = 0 if delay is None else min(delay, _MAX_SAMPLES) << 12 | min(max(0, padding), _MAX_SAMPLES)
        about = lame.tag(self._shape)[head.overhead :] if self._shape else _UNKNOWN if delay is not None else _NOBODY
        body = self._xing(head.size) + about[_ABOUT] + gapless.to_bytes(3, "big") + about[_MORE]
        body += min(self._counts.bytes + head.size, _MAX_BYTES).to_bytes(4, "big") + self._counts.crc.to_bytes(2, "big")
        before = frame + bytes(head.overhead - 4) + body
        return (before + _crc(before, 0).to_bytes(2, "big")).ljust(head.size, b"\0")

    def _frame(self) -> bytes:
        """The header of a frame like the first one, without CRC and padding, in which there is room enough."""
        word = bytearray.fromhex(self._counts.word)
        word[1] |= 1
        word[2] &= 0b1111_1101
        head = header(bytes(word))
        wanted = _BITRATES[head.version] if self._counts.varies else head.bitrate
        fits = [kbps for kbps in head.bitrates if kbps >= wanted and head.size_at(kbps) >= head.overhead + _LENGTH]
        return with_bitrate(bytes(word), fits[0])

    def _xing(self, size: int) -> bytes:
        """All up to the places; a number of bytes that is too large for its field is left out with the places."""
        counts = self._counts
        total = counts.bytes + size
        known = total <= _MAX_BYTES
        flags = _FRAMES | _QUALITY | (_BYTES | _PLACES if known else 0)
        numbers = [flags, counts.frames, *([total] if known else [])]
        places = bytes(min(255, (size + self._place(percent)) * 256 // total) for percent in range(100))
        name = b"Xing" if counts.varies else b"Info"
        return name + b"".join(number.to_bytes(4, "big") for number in numbers) + (places if known else b"")

    def _place(self, percent: int) -> int:
        """Where the sound of this percentage of the time begins: between two places that are known, in proportion."""
        counts = self._counts
        index, rest = divmod(counts.frames * percent, 100 * counts.every)
        known = [*counts.points[index : index + 2], counts.bytes]
        span = min(counts.every, counts.frames - index * counts.every)
        return known[0] + (known[1] - known[0]) * rest // (100 * span)


@cache
def _libavutil() -> tuple[Any, int]:
    # A look-up in PyAV's own library continues in those that it is linked with.
    library = ctypes.CDLL(av.codec.codec.__file__)
    library.av_crc_get_table.restype = ctypes.c_void_p
    library.av_crc.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t]
    library.av_crc.restype = ctypes.c_uint32
    return library.av_crc, library.av_crc_get_table(_CRC_16_ANSI_LE)


def _crc(data: bytes, crc: int) -> int:
    function, table = _libavutil()
    return int(function(table, crc, data, len(data)))
