"""The last piece of a file, by container: whether it is whole, and what is stated of where it ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, TypeAlias

from functions.convert.conversion.source import RangeFile

__all__ = [
    "ASF",
    "GXF",
    "MXF",
    "NUT",
    "RIFF_UNKNOWN_FROM",
    "SWF_UNKNOWN",
    "TS_PACKETS",
    "W64",
    "Order",
    "adx_stop",
    "asf_stop",
    "caf_stop",
    "ends_as_swf",
    "ends_in_a_packet",
    "ends_with_a_tag",
    "has_avi_index",
    "has_gxf_end",
    "has_nut_index",
    "has_wav_sound",
    "is_chained",
    "mxf_stop",
    "ogg_end",
    "riff_chunks",
    "riff_stop",
    "rm_stop",
    "sox_stop",
    "ts_packet",
    "understates",
    "was_never_measured",
    "wav_stated",
]

Order: TypeAlias = Literal["little", "big"]

# The header object of an ASF (Advanced Systems Format, 10.1), its file properties object (10.2), and its data (10.4).
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
# How a Wave64 begins: its length comes after this.
W64 = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_ASF_HEAD, _ASF_IS_LIVE = 64 * 1024, 1
# A page of Ogg is no longer (RFC 3533, 6): a header, 255 lengths, and 255 pieces of 255 bytes.
_MAX_PAGE = 27 + 255 + 255 * 255
_OGG_END_OF_STREAM, _OGG_BEGIN = 4, re.compile(rb"OggS\x00[\x02\x03\x06\x07]")
# A packet of an MPEG transport stream, bare, with a time stamp before it, or with a checksum after it.
TS_PACKETS = {188: 0, 192: 4, 204: 0}
_TS_LOOK, _TS_MARKS, _TS_SYNC = 1024, 4, 0x47
# The key of a header partition (SMPTE ST 377-1, 7.1), and where in it the position of the last partition stands.
MXF, _MXF_KEY, _MXF_FOOTER = bytes.fromhex("060e2b34020501010d0102010102"), 16, 24
# How a NUT begins, and how the index does that is written last.
NUT, _NUT_INDEX, _NUT_LOOK = b"nut/multimedia container\0", bytes.fromhex("4e58dd672f23e64e"), 1024 * 1024
_FLV_TAGS = {8, 9, 18}
# How a packet of a GXF begins, here the first one, a map (SMPTE ST 360, 5.1), and the last one, "end of stream".
GXF, _GXF_END, _GXF_LOOK = b"\0\0\0\0\1\xbc", b"\0\0\0\0\1\xfb", 64 * 1024
# What FFmpeg leaves for the length of a Flash film without pictures; and the last two tags of a film.
SWF_UNKNOWN, _SWF_END = 100 * 1024 * 1024, b"\x40\0\0\0"
# A sample of ADX has half a byte, and 32 of them two bytes more.
_ADX_SAMPLES = 32
_MAX_CHUNKS = 1024
# A writer that cannot seek back leaves 0 where the length belongs, or a number from here on: sox and ffmpeg do.
RIFF_UNKNOWN_FROM = 0x7FFF_0000
# The name of a chunk; and so many bytes at the end may be anything.
_CHUNK_NAME, _MIN_REST = re.compile(rb"[A-Za-z0-9_ ]{4}"), 1024


def riff_chunks(file: RangeFile, start: int, stop: int, order: Order = "little") -> Iterator[tuple[bytes, int, int]]:
    """Name, start of the content and stated end of each chunk between two positions of a RIFF."""
    for _ in range(_MAX_CHUNKS):
        head = file.peek(start, 8)
        if start + 8 > stop or len(head) < 8:
            return
        size = int.from_bytes(head[4:8], order)
        yield head[:4], start + 8, start + 8 + size
        start += 8 + size + size % 2


def wav_stated(file: RangeFile) -> tuple[int, float]:
    """Where the sound of a WAV ends by its own account, in bytes, and how long it is, in seconds; 0 if unknown."""
    rate = 0
    for name, content, stop in riff_chunks(file, 12, file.size):
        if name == b"fmt ":
            rate = int.from_bytes(file.peek(content + 8, 4), "little")
        if name == b"data":
            size = _size_of_data(file, stop - content)
            # An encoder of a variable bitrate may state none.
            return (content + size, size / rate if rate else 0.0) if size else (0, 0.0)
    return 0, 0.0


def _size_of_data(file: RangeFile, stated: int) -> int:
    """How many bytes of sound a WAV states; 0 if that is unknown. In a large one, it is said elsewhere (ds64)."""
    if _is_large(file) and stated == 0xFFFF_FFFF:
        size = int.from_bytes(file.peek(28, 8), "little")
        return 0 if was_never_measured(file) else size
    return stated if stated < RIFF_UNKNOWN_FROM else 0


def _is_large(file: RangeFile) -> bool:
    head = file.peek(0, 16)
    return head[:4] in (b"RF64", b"BW64") and head[12:] == b"ds64"


def has_wav_sound(file: RangeFile) -> bool:
    """Whether all of the sound of a WAV is there by its own chunk, whatever the file states of all chunks."""
    return 0 < wav_stated(file)[0] <= file.size and not understates(file)


def understates(file: RangeFile) -> bool:
    """Whether a WAV goes on with sound where it states that its sound ends: with what is no chunk, and no silence."""
    stop = wav_stated(file)[0] if file.peek(0, 4) in (b"RIFF", b"RF64", b"BW64") else 0
    stop += stop % 2
    if not 0 < stop < file.size - _MIN_REST:
        return False
    name, _, end = next(riff_chunks(file, stop, file.size))
    # Of another recording, the end may be missing.
    is_chunk = name == b"RIFF" or (_CHUNK_NAME.fullmatch(name) and end <= file.size)
    return not is_chunk and any(file.peek(stop, _MAX_PAGE))


def was_never_measured(file: RangeFile) -> bool:
    """Whether a WAV for more than 4 GB (EBU Tech 3306) has no length in its ds64: a recorder lost its power."""
    return _is_large(file) and file.peek(28, 8) in (bytes(8), b"\xff" * 8)


def riff_stop(file: RangeFile, stated: int) -> int:
    """Where an AVI or WAV ends that states a length: an AVI of more than a gigabyte goes on in further RIFFs (AVIX)."""
    stop = stated
    for name, content, end in riff_chunks(file, 8 + stated + stated % 2, file.size):
        if name != b"RIFF" or file.peek(content, 4) != b"AVIX":
            break
        stop = end - 8
    return stop


def has_avi_index(file: RangeFile) -> bool:
    """Whether an AVI of one RIFF has its index, which is written last, or lacks no more than that."""
    chunks = list(riff_chunks(file, 12, file.size))
    if any(name == b"idx1" and stop <= file.size for name, _, stop in chunks):
        return True
    is_sound_whole = any(name == b"LIST" and file.peek(content, 4) == b"movi" for name, content, _ in chunks)
    return is_sound_whole and all(name == b"idx1" or stop <= file.size for name, _, stop in chunks)


def caf_stop(file: RangeFile) -> int:
    """Where the sound of a Core Audio Format file ends by its own account; 0 where it does not say (-1)."""
    start = 8
    for _ in range(_MAX_CHUNKS):
        head = file.peek(start, 12)
        size = int.from_bytes(head[4:12], "big", signed=True)
        if len(head) < 12 or size < 0 or head[:4] == b"data":
            return start + 12 + size if head[:4] == b"data" and size > 0 else 0
        start += 12 + size
    return 0


def mxf_stop(head: bytes) -> int:
    """Where the last partition of an MXF begins by its first one, in bytes; 0 where that was not known yet."""
    length = head[_MXF_KEY]
    at = _MXF_KEY + 1 + (length & 0x7F if length & 0x80 else 0) + _MXF_FOOTER
    return int.from_bytes(head[at : at + 8], "big")


def sox_stop(head: bytes) -> int:
    """Where the samples of a SoX file end by its own account, in bytes; 0 where it does not say (soxformat(7))."""
    samples = int.from_bytes(head[8:16], "little")
    return 4 + int.from_bytes(head[4:8], "little") + 4 * samples if samples else 0


def has_gxf_end(file: RangeFile) -> bool:
    """Whether a GXF has the packet that comes last."""
    return _GXF_END in file.peek(max(file.size - _GXF_LOOK, 0), _GXF_LOOK)


def ends_as_swf(file: RangeFile) -> bool:
    """Whether a Flash film ends with its last frame's tag and its end tag (SWF File Format Specification, 19)."""
    return file.peek(max(file.size - 4, 0), 4) == _SWF_END


def rm_stop(file: RangeFile) -> int:
    """Where the packets of a RealMedia end by its own account, in bytes; 0 where it does not say."""
    start = 0
    for _ in range(_MAX_CHUNKS):
        head = file.peek(start, 8)
        size = int.from_bytes(head[4:8], "big")
        if size < 8 or head[:4] == b"DATA":
            return start + size if head[:4] == b"DATA" and size > 18 else 0
        start += size
    return 0


def adx_stop(head: bytes) -> int:
    """Where the samples of a CRI ADX end by its own account, in bytes; 0 where it is none, or does not say."""
    start = int.from_bytes(head[2:4], "big")
    if start < 16 or head[start - 2 : start + 4] != b"(c)CRI":
        return 0
    size, channels = head[5], head[7]
    samples = int.from_bytes(head[12:16], "big")
    return start + 4 + -(-samples // _ADX_SAMPLES) * size * channels if samples else 0


def has_nut_index(file: RangeFile) -> bool:
    """Whether a NUT has its index, which is written last."""
    return _NUT_INDEX in file.peek(max(file.size - _NUT_LOOK, 0), _NUT_LOOK)


def asf_stop(file: RangeFile) -> int:
    """Where the packets of an ASF end by its own account, in bytes; 0 where it was live, and nobody knew."""
    head = file.peek(0, _ASF_HEAD)
    at = head.find(_FILE_PROPERTIES)
    if at < 0 or len(head) <= at + 88 or head[at + 88] & _ASF_IS_LIVE:
        return 0
    start = int.from_bytes(head[16:24], "little")
    data = file.glance(start, 24)
    if data[:16] == _ASF_DATA:
        return start + int.from_bytes(data[16:], "little")
    return int.from_bytes(head[at + 40 : at + 48], "little")


def ogg_end(file: RangeFile) -> tuple[bool, bool]:
    """Whether the last page is whole, and whether it says that its stream ends (RFC 3533, 6)."""
    start = max(file.size - 2 * _MAX_PAGE, 0)
    tail = file.peek(start, 2 * _MAX_PAGE)
    tail = file.pages.mended(start, tail) if file.pages else tail
    at = tail.rfind(b"OggS\0")
    if at < 0 or len(tail) < at + 27:
        return False, False
    lengths = tail[at + 27 : at + 27 + tail[at + 26]]
    whole = len(lengths) == tail[at + 26] and at + 27 + len(lengths) + sum(lengths) <= len(tail)
    return whole, whole and bool(tail[at + 5] & _OGG_END_OF_STREAM)


def is_chained(file: RangeFile) -> bool:
    """Whether an Ogg ends with another stream than those that it begins with (RFC 3533, 4: chaining)."""
    head = file.peek(0, _MAX_PAGE)
    tail = file.peek(max(file.size - 2 * _MAX_PAGE, 0), 2 * _MAX_PAGE)
    at = tail.rfind(b"OggS\0")
    if not head.startswith(b"OggS") or at < 0:
        return False
    first = {head[found.start() + 14 : found.start() + 18] for found in _OGG_BEGIN.finditer(head)}
    return tail[at + 14 : at + 18] not in first


def ends_with_a_tag(file: RangeFile) -> bool:
    """Whether an FLV ends with a whole tag: the last four bytes are its length (Adobe Flash Video, E.3)."""
    length = int.from_bytes(file.peek(max(file.size - 4, 0), 4), "big")
    tag = file.peek(file.size - 4 - length, 4) if 11 <= length < file.size - 4 else b""
    return len(tag) == 4 and tag[0] & 0x1F in _FLV_TAGS and int.from_bytes(tag[1:], "big") == length - 11


def ts_packet(file: RangeFile) -> tuple[int, int]:
    """Where the first packet of a transport stream begins, and how long one is; (0, 0) where there is none.

    They are known by their first bytes (ISO/IEC 13818-1, 2.4.3.2: sync_byte).
    """
    head = file.peek(0, _TS_LOOK)
    for size, before in TS_PACKETS.items():
        for first in range(size):
            marks = head[first + before :: size]
            if len(marks) >= _TS_MARKS and set(marks) == {_TS_SYNC}:
                return first, size
    return 0, 0


def ends_in_a_packet(file: RangeFile) -> bool | None:
    """Whether a transport stream ends in the middle of a packet; None where the file is none."""
    first, size = ts_packet(file)
    return (file.size - first) % size != 0 if size else None
