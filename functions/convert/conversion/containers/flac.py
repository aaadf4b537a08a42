"""FLACs whose first frames are lost; and that were joined end to end.

Where one ends shows only while it is read, as it does not say how long it is in bytes.
FFmpeg would go on with the frames of the next one, and with time stamps by the sample rate of the first.
"""

from __future__ import annotations

import re

from functions.convert.conversion.containers.mp3_file import after_id3
from functions.convert.conversion.source import RangeFile

__all__ = ["MAGIC", "is_first", "lost_ahead", "up_to_the_next"]

# How a FLAC begins: with a block of 34 bytes, which may be the last one of its kind (RFC 9639, 8.1 and 8.2).
MAGIC = b"fLaC"
_HEAD, _HEAD_SIZE = re.compile(re.escape(MAGIC) + rb"[\x00\x80]\0\0\x22"), 8

# How a frame begins (9.1.1), and where its number follows.
_SYNC, _NUMBER = (b"\xff\xf8", b"\xff\xf9"), 4
# No file has more blocks ahead of its frames: they have seven bits for their kind.
_MAX_BLOCKS = 128


def lost_ahead(file: RangeFile, first: float, length: float) -> float:
    """How many seconds of sound are lost ahead of the first frame that FFmpeg found, which is so late.

    `length` is that of all sound. A part of a longer stream may begin with any number.
    """
    head = file.peek(_frames_at(file), _NUMBER + 1) if 0 < first < length else b""
    is_part = head.startswith(_SYNC) and not is_first(head)
    return first if head and not is_part else 0.0


def is_first(frame: bytes) -> bool:
    """Whether a frame is the first one of a stream, by its number."""
    return frame.startswith(_SYNC) and frame[_NUMBER : _NUMBER + 1] == b"\0"


def _frames_at(file: RangeFile) -> int:
    """Where the blocks that are no sound end (8.1)."""
    place = after_id3(file) + len(MAGIC)
    for _ in range(_MAX_BLOCKS):
        head = file.peek(place, 4)
        place += 4 + int.from_bytes(head[1:], "big")
        if head[:1] >= b"\x80":
            break
    return place


def up_to_the_next(file: RangeFile, start: int, position: int, data: bytes) -> bytes:
    """What was read at a position, up to where the next FLAC begins behind the one at `start`.

    From then on, the file ends there.
    """
    stop = position + len(data)
    more = file.peek(stop, _HEAD_SIZE - 1) if MAGIC[0] in data[1 - _HEAD_SIZE :] else b""
    found = _HEAD.search(data + more, max(start + 1 - position, 0))
    if found is None:
        return data
    file.end_at(position + found.start())
    return data[: found.start()]
