"""Zeros in a file: a part of it never came, or a disk has lost it.

At its end: its room was taken, and no more of it came. (Or a camera takes the same room for all.)
"""

from __future__ import annotations

from functions.convert.conversion.source import RangeFile

__all__ = ["before_zeros", "share_of_zeros"]

# Fewer are what a disk's block or a program put behind a file. So many bytes are looked at in one place.
_LEAST, _LOOK = 64 * 1024, 4096
# Where they are in a file, they are looked at in so many places, however many there are.
_PLACES = 16


def before_zeros(file: RangeFile) -> RangeFile:
    """The file up to where nothing but zeros follows; the same one where there are none, or only a few."""
    if not _are_zeros(file, file.size - 16, 16) or not _are_zeros(file, file.size - _LEAST, _LEAST):
        return file
    last, first = 0, file.size - _LEAST
    # What is between two places with zeros is taken for zeros, once there is no more of it than is looked at.
    while first - last > _LOOK:
        middle = (last + first) // 2
        last, first = (last, middle) if _are_zeros(file, middle, _LOOK) else (middle, first)
    kept = file.peek(last, first - last + _LOOK).rstrip(b"\0")
    found = file.rest(0)
    found.become([(0, last + len(kept))])
    return found


def share_of_zeros(file: RangeFile, start: int, size: int) -> float:
    """How many of so many bytes from a place on are zeros, as a share."""
    look = min(size, _LOOK)
    step = max((size - look) // (_PLACES - 1), 1)
    data = b"".join(file.glance(at, look) for at in range(start, start + size - look + 1, step))
    return data.count(0) / len(data)


def _are_zeros(file: RangeFile, start: int, size: int) -> bool:
    return start > 0 and not any(file.glance(start, size))
