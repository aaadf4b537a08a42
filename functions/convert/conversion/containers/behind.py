"""Where another recording begins behind the first one, in containers that say how long they are.

FFmpeg would take the tracks of the first one for those of all.
"""

from __future__ import annotations

from collections.abc import Callable

from functions.convert.conversion.containers import boxes, ebml, tails
from functions.convert.conversion.containers.restarts import Restarts
from functions.convert.conversion.source import RangeFile

__all__ = ["MEASURED", "next_recording"]

# FFmpeg's names of these containers.
MEASURED = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi")


def next_recording(head: bytes) -> Callable[[RangeFile], int | None] | None:
    """How to find the next recording in a file that begins like that; None where it does not say how long it is."""
    if head[4:8] in (b"ftyp", b"moov"):
        return _next_mp4
    if head.startswith(ebml.MAGIC):
        return _next_matroska
    return _next_avi if head[:4] == b"RIFF" and head[8:12] == b"AVI " else None


def _next_mp4(file: RangeFile) -> int | None:
    restarts = Restarts(file)
    for box in boxes.at_the_top(file):
        if (box.start and boxes.begins_file(file, box)) or (box.kind == b"moof" and restarts.is_one(box)):
            return box.start
    return None


def _next_matroska(file: RangeFile) -> int | None:
    found = ebml.segment(file)
    stop = found.stop if found else None
    return stop if stop and _begins(file.glance(stop, 12)) else None


def _next_avi(file: RangeFile) -> int | None:
    stated = int.from_bytes(file.peek(4, 4), "little")
    if not stated or 8 + stated >= file.size:
        return None
    stop = 8 + tails.riff_stop(file, stated)
    stop += stop % 2
    return stop if _begins(file.glance(stop, 12)) else None


def _begins(head: bytes) -> bool:
    """Whether one of these containers begins like that."""
    is_avi = head[:4] == b"RIFF" and head[8:] == b"AVI "
    return head.startswith(ebml.MAGIC) or head[4:8] == b"ftyp" or is_avi
