"""What kind of file a video is, and whether it is all there, by its outermost layer."""

from __future__ import annotations

import enum
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["Kind", "is_complete", "kind_of"]

_EBML, _SEGMENT = bytes.fromhex("1a45dfa3"), bytes.fromhex("18538067")
# ISO/IEC 14496-12 and QuickTime: boxes that are there once, and such as may be there, too. No fragments.
_ONCE, _AGAIN = (b"ftyp", b"moov"), (b"mdat", b"free", b"skip", b"wide", b"udta", b"meta", b"uuid", b"pnot", b"PICT")
# ISO/IEC 13818-1, 2.4.3.2: all packets are of one size, and begin with the same byte.
_PACKET, _PACKETS = 188, 5


class Kind(enum.Enum):
    """What the sound can be taken out of."""

    MP4 = "MP4"
    MOV = "MOV"
    MATROSKA = "Matroska"
    WEBM = "WebM"
    MPEG_TS = "MPEG transport stream"
    AVI = "AVI"
    FLV = "FLV"


def kind_of(video: Path) -> Kind | None:
    """By the first bytes; None for any other."""
    with video.open("rb") as file:
        head = file.read(4096)
    if head[4:8] == b"ftyp":
        return Kind.MOV if head[8:10] == b"qt" else Kind.MP4
    if head.startswith(_EBML):
        return Kind.WEBM if b"webm" in head[:64] else Kind.MATROSKA
    if head.startswith(b"FLV\1"):
        return Kind.FLV
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return Kind.AVI
    starts = head[: _PACKET * _PACKETS : _PACKET]
    return Kind.MPEG_TS if starts == b"G" * _PACKETS else None


def is_complete(video: Path, kind: Kind) -> bool:
    """Whether nothing is missing at the end, or follows, as far as the outermost layer says.

    Of a file in fragments nobody can know: it is not.
    """
    with video.open("rb") as file:
        if kind in (Kind.MP4, Kind.MOV):
            return _is_one_movie(file)
        if kind is Kind.MPEG_TS:
            return file.seek(0, os.SEEK_END) % _PACKET == 0
        whole = {Kind.AVI: _is_one_riff, Kind.FLV: _ends_with_a_tag}
        return whole.get(kind, _is_one_segment)(file)


def _is_one_movie(file: BinaryIO) -> bool:
    # ISO/IEC 14496-12, 4.2.
    kinds = [kind for kind, _size in _boxes(file)]
    once = [kinds.count(kind) for kind in _ONCE]
    return once == [1, 1] and set(kinds) <= {*_ONCE, *_AGAIN}


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    at, end = 0, file.seek(0, os.SEEK_END)
    while at < end:
        file.seek(at)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        size = int.from_bytes(head[8:16], "big") if size == 1 else size
        # A size of 0 lasts to the end of the file, wherever that is.
        yield (head[4:8], size) if 8 <= size <= end - at else (b"", 0)
        at += max(size, 8)


def _is_one_riff(file: BinaryIO) -> bool:
    # Microsoft's AVI RIFF file reference, and OpenDML 1.02: a list, and others beside it where it is a gigabyte.
    at, end = 0, file.seek(0, os.SEEK_END)
    while at < end:
        file.seek(at)
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != (b"AVIX" if at else b"AVI "):
            return False
        at += 8 + int.from_bytes(head[4:8], "little")
    return at == end


def _ends_with_a_tag(file: BinaryIO) -> bool:
    # Adobe Flash Video File Format Specification 10.1, E.3: behind each tag stands how long it is.
    end = file.seek(0, os.SEEK_END)
    file.seek(max(end - 4, 0))
    tag = int.from_bytes(file.read(4), "big")
    file.seek(max(end - 4 - tag, 0))
    head = file.read(4)
    return len(head) == 4 and tag == 11 + int.from_bytes(head[1:], "big")


def _is_one_segment(file: BinaryIO) -> bool:
    # RFC 8794, section 4, and RFC 9559: a header, then one segment of known size up to the end.
    end = file.seek(0, os.SEEK_END)
    file.seek(4)
    file.seek(_size(file) + file.tell())
    found = file.read(4) == _SEGMENT
    size = _size(file)
    return found and file.tell() + size == end


def _size(file: BinaryIO) -> int:
    first = file.read(1)
    if not first or not first[0]:
        return -1
    length = 8 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0x7F >> length)]) + file.read(length), "big")
    return value if value != (1 << 7 * (length + 1)) - 1 else -1
