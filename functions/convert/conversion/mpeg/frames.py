"""MPEG audio layer III frames: header, side information, main data slot (ISO/IEC 11172-3 and 13818-3, §2.4.1)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from functions.convert.errors import FrameError

__all__ = [
    "Granule",
    "Header",
    "SideInfo",
    "header",
    "muted",
    "offsets",
    "side_info",
    "silent",
    "slot",
    "split",
    "with_bitrate",
    "with_main_data_begin",
    "with_slot",
    "without_last_channel",
]

_BITRATES = {
    "1": (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    "2": (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES = {"1": (44100, 48000, 32000), "2": (22050, 24000, 16000), "2.5": (11025, 12000, 8000)}
_VERSIONS = {0b00: "2.5", 0b10: "2", 0b11: "1"}
_LAYER_III = 0b01
_MONO = 0b11


class Header(NamedTuple):
    """What the first four bytes of a frame say; sizes in bytes, `bitrate` in kbit/s."""

    version: str
    bitrate: int
    sample_rate: int
    channels: int
    size: int
    samples: int
    overhead: int  # header, CRC and side information: what comes before the slot

    @property
    def bitrates(self) -> tuple[int, ...]:
        """The bitrates, in kbit/s, that a frame of this version can have. The header's index counts them from one."""
        return _BITRATES["1" if self.version == "1" else "2"]

    def size_at(self, bitrate: int) -> int:
        """The frame's size with another bitrate, in kbit/s."""
        grown = _unpadded(bitrate, self.sample_rate, self.samples)
        return self.size + grown - _unpadded(self.bitrate, self.sample_rate, self.samples)

    @property
    def reach(self) -> int:
        """How many bytes before its header a frame's main data may begin, at most (main_data_begin has 9 or 8 bits)."""
        return 511 if self.version == "1" else 255


class Granule(NamedTuple):
    """One channel of one granule: the length of its main data in bits, and its window."""

    part2_3_length: int
    block_type: int
    mixed: bool


class SideInfo(NamedTuple):
    """What a frame's side information says. `granules` go by time and then by channel."""

    main_data_begin: int
    granules: tuple[tuple[Granule, ...], ...]

    @property
    def main_data_length(self) -> int:
        """How many bytes of main data the frame has, in its own slot or before it."""
        return (sum(granule.part2_3_length for channels in self.granules for granule in channels) + 7) // 8


@lru_cache(maxsize=4096)
def header(word: bytes) -> Header:
    """Read a frame's first four bytes. Raises: FrameError when they are not the header of a layer III frame."""
    bits = int.from_bytes(word, "big")
    version = _VERSIONS.get(bits >> 19 & 3)
    bitrate, rate = bits >> 12 & 15, bits >> 10 & 3
    if len(word) != 4 or bits >> 21 != 0x7FF or version is None or bits >> 17 & 3 != _LAYER_III:
        raise FrameError("no layer III frame begins here")
    if bitrate in (0, 15) or rate == 3:
        raise FrameError("the frame has no bitrate or sample rate")
    first = version == "1"
    channels = 1 if bits >> 6 & 3 == _MONO else 2
    kbps = _BITRATES["1" if first else "2"][bitrate - 1]
    sample_rate = _SAMPLE_RATES[version][rate]
    samples = 1152 if first else 576
    size = _unpadded(kbps, sample_rate, samples) + (bits >> 9 & 1)
    side = (17 if channels == 1 else 32) if first else (9 if channels == 1 else 17)
    overhead = 4 + (0 if bits >> 16 & 1 else 2) + side
    return Header(version, kbps, sample_rate, channels, size, samples, overhead)


def _unpadded(bitrate: int, sample_rate: int, samples: int) -> int:
    # §2.4.3.1
    return samples // 8 * 1000 * bitrate // sample_rate


def offsets(stream: bytes) -> Iterator[tuple[int, Header]]:
    """Where each frame begins, and its header. Raises: FrameError when the stream is not whole frames, end to end."""
    at = 0
    while at < len(stream):
        found = header(stream[at : at + 4])
        yield at, found
        at += found.size
    if at != len(stream):
        raise FrameError("the last frame is not whole")


def split(stream: bytes) -> list[bytes]:
    """The frames of a stream. Raises: FrameError when the stream is not whole frames, end to end."""
    return [stream[at : at + found.size] for at, found in offsets(stream)]


# Where segments are joined, the same frames are asked for again and again.
@lru_cache(maxsize=64)
def side_info(frame: bytes) -> SideInfo:
    """Read a frame's side information (§2.4.1.7, and 13818-3 §2.4.1.7 for the lower sample rates)."""
    head = header(frame[:4])
    first = head.version == "1"
    start = 4 if frame[1] & 1 else 6
    bits = _Bits(frame[start : head.overhead])
    begin = bits.take(9 if first else 8)
    mono = head.channels == 1
    # Private bits, and in MPEG-1 four bits of scfsi for each channel.
    bits.take((9 if mono else 11) if first else (1 if mono else 2))
    granules = [tuple(_granule(bits, first) for _ in range(head.channels)) for _ in range(2 if first else 1)]
    return SideInfo(begin, tuple(granules))


def _granule(bits: _Bits, first: bool) -> Granule:
    length = bits.take(12)
    bits.take(9 + 8 + (4 if first else 9))  # big_values, global_gain, scalefac_compress
    if bits.take(1):
        block_type, mixed = bits.take(2), bool(bits.take(1))
        bits.take(19)  # table_select, subblock_gain
    else:
        block_type, mixed = 0, False
        bits.take(22)  # table_select, region counts
    bits.take(3 if first else 2)  # preflag, scalefac_scale, count1table_select
    return Granule(length, block_type, mixed)


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def take(self, count: int) -> int:
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)


def slot(frame: bytes) -> bytes:
    """The room for main data in a frame: all that comes after its side information."""
    return frame[header(frame[:4]).overhead :]


def with_bitrate(frame: bytes, bitrate: int) -> bytes:
    """The frame, or the beginning of one, with another bitrate, in kbit/s, in its header."""
    index = header(frame[:4]).bitrates.index(bitrate) + 1
    return frame[:2] + bytes([frame[2] & 0x0F | index << 4]) + frame[3:]


def with_slot(frame: bytes, data: bytes, bitrate: int | None = None) -> bytes:
    """The frame with other bytes in its slot and, where one is given, with another bitrate in kbit/s.

    Raises: FrameError when `data` does not fill the slot exactly.
    """
    changed = (frame if bitrate is None else with_bitrate(frame, bitrate))[: header(frame[:4]).overhead] + data
    if len(changed) != header(changed[:4]).size:
        raise FrameError("the main data does not fill the slot")
    return changed


def without_last_channel(frame: bytes) -> bytes:
    """The frame without the sound of its last granule's last channel, whose main data is the last that it has.

    Lengths and scalefac_compress become 0, so that nothing is read; the window stays, since what is left overlaps.
    """
    head = header(frame[:4])
    first = head.version == "1"
    width, compress = (59, 4) if first else (63, 9)
    fields = ((1 << 21) - 1) << (width - 21) | ((1 << compress) - 1) << (width - 29 - compress)
    start = 4 if frame[1] & 1 else 6
    side = int.from_bytes(frame[start : head.overhead], "big") & ~fields
    return frame[:start] + side.to_bytes(head.overhead - start, "big") + frame[head.overhead :]


def silent(frame: bytes) -> bytes:
    """A frame like another one, but without sound, and as small as can be."""
    word = bytearray(frame[:4])
    word[1] |= 1
    word[2] &= 0b1111_1101
    head = header(bytes(word))
    bitrate = next(kbps for kbps in head.bitrates if head.size_at(kbps) >= head.overhead)
    return with_bitrate(bytes(word), bitrate).ljust(head.size_at(bitrate), b"\0")


def muted(frame: bytes) -> bytes:
    """The frame without its sound; its slot stays where it ends, since later frames may have main data in it."""
    head = header(frame[:4])
    return bytes([frame[0], frame[1] | 1, *frame[2:4]]) + bytes(head.overhead - 4) + frame[head.overhead :]


def with_main_data_begin(frame: bytes, begin: int) -> bytes:
    """The frame with another main_data_begin, in bytes, which must be within its reach."""
    head = header(frame[:4])
    if not 0 <= begin <= head.reach:
        raise FrameError("main_data_begin is out of reach")
    start = 4 if frame[1] & 1 else 6
    nine_bits = (begin << 7 | frame[start + 1] & 0x7F).to_bytes(2, "big")
    field = nine_bits if head.version == "1" else bytes([begin])
    return frame[:start] + field + frame[start + len(field) :]
