"""FLACs that were joined end to end: where one ends shows only while it is read, as it does not say how long it is.

FFmpeg would go on with the frames of the next one, and with time stamps by the sample rate of the first.
"""

from __future__ import annotations

import re

from functions.convert.conversion.source import RangeFile

__all__ = ["MAGIC", "up_to_the_next"]

# How a FLAC begins: with a block of 34 bytes, which may be the last one of its kind (RFC 9639, 8.1 and 8.2).
MAGIC = b"fLaC"
_HEAD, _HEAD_SIZE = re.compile(re.escape(MAGIC) + rb"[\x00\x80]\0\0\x22"), 8


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
