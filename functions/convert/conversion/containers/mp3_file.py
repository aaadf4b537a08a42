"""An MP3 that has no container: where its frames begin, and what its header states of how many there are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from functions.convert.conversion.containers.mp3_tags import ID3_HEAD, id3_size
from functions.convert.conversion.containers.stated import Stated
from functions.convert.conversion.mpeg.frames import Header, header
from functions.convert.conversion.source import RangeFile
from functions.convert.errors import FrameError
from functions.shared.reasons import Failure

__all__ = ["after_id3", "begins_row", "cuts_a_frame", "sound_start", "stated_by_header"]

# How far frames are looked for, at so many places at most, and how many have to follow one another.
_LOOK, _STEP, _MAX_PLACES, _ROW = 4 * 1024 * 1024, 256 * 1024, 20_000, 4
_MAX_FRAME = 2881
# Layer III of any version; a bitrate, or none ("free format"); a sample rate.
_ANY = re.compile(
    rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x00-\x0b\x10-\x1b\x20-\x2b\x30-\x3b\x40-\x4b\x50-\x5b\x60-\x6b\x70-\x7b"
    rb"\x80-\x8b\x90-\x9b\xa0-\xab\xb0-\xbb\xc0-\xcb\xd0-\xdb\xe0-\xeb]"
)
_FRAMES, _BYTES = 1, 2


def sound_start(file: RangeFile) -> int | None:
    """Where the first of several frames in a row begins, whatever lies before; None where there are none.

    Raises: Failure (unsupported-codec) where they are in free format, which no decoder here knows.
    """
    places = 0
    for start in range(0, min(file.size, _LOOK), _STEP):
        data = file.peek(start, _STEP + _ROW * _MAX_FRAME)
        for match in _ANY.finditer(data, 0, _STEP):
            places += 1
            if places > _MAX_PLACES:
                return None
            if data[match.start() + 2] & 0xF0 == 0:
                _check_free_format(data, match.start())
            elif _is_row(data, match.start()):
                return start + match.start()
    return None


def begins_row(file: RangeFile, at: int) -> bool:
    """Whether the first of several frames in a row begins at a position."""
    data = file.peek(at, _ROW * _MAX_FRAME)
    return bool(_ANY.match(data)) and _is_row(data, 0)


def cuts_a_frame(file: RangeFile, at: int) -> bool:
    """Whether a position lies within the first of several frames in a row."""
    start = max(at - _MAX_FRAME, 0)
    data = file.peek(start, (1 + _ROW) * _MAX_FRAME)
    places = [match.start() for match in _ANY.finditer(data, 0, at - start)]
    return any(_is_row(data, place) and place + header(data[place : place + 4]).size > at - start for place in places)


def _is_row(data: bytes, at: int) -> bool:
    found = list(_row(data, at))
    return len(found) == _ROW and len({(head.version, head.sample_rate, head.channels) for head in found}) == 1


def _row(data: bytes, at: int) -> Iterator[Header]:
    for _ in range(_ROW):
        try:
            head = header(data[at : at + 4])
        except FrameError:
            return
        yield head
        at += head.size


def _check_free_format(data: bytes, at: int) -> None:
    """All frames have one length then, which the distance of two headers tells (ISO/IEC 11172-3, 2.4.2.3)."""
    word = data[at : at + 2]
    second = data.find(word, at + 36, at + 2 * _MAX_FRAME)
    while second > 0:
        places = [at + number * (second - at) for number in range(_ROW)]
        # A frame may have one more byte of padding.
        if all(any(_is_free(data, place + more, word) for more in range(-_ROW, _ROW)) for place in places):
            raise Failure("unsupported-codec")
        second = data.find(word, second + 1, at + 2 * _MAX_FRAME)


def _is_free(data: bytes, at: int, word: bytes) -> bool:
    return data[at : at + 2] == word and len(data) > at + 2 and data[at + 2] < 0x0C


def stated_by_header(file: RangeFile) -> Stated | None:
    """What the first frame says of the others, if it is a Xing header; xing.py says how it is laid out."""
    start = after_id3(file)
    data = file.peek(start, _MAX_FRAME)
    try:
        head = header(data[:4])
    except FrameError:
        return None
    at = head.overhead
    flags = int.from_bytes(data[at + 4 : at + 8], "big")
    if data[at : at + 4] not in (b"Xing", b"Info") or not flags & _FRAMES:
        return None
    frames = int.from_bytes(data[at + 8 : at + 12], "big")
    size = int.from_bytes(data[at + 12 : at + 16], "big") if flags & _BYTES else 0
    return Stated(start + size if size else 0, frames * head.samples / head.sample_rate)


def after_id3(file: RangeFile) -> int:
    """Where an ID3v2 tag at the beginning ends; 0 where there is none."""
    return id3_size(file.peek(0, ID3_HEAD))
