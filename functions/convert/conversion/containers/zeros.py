"""Zeros at the end of a file: its room was taken, and no more of it came. (Or a camera takes the same room for all.)"""

from __future__ import annotations

from functions.convert.conversion.source import RangeFile

__all__ = ["before_zeros"]

# Fewer are what a disk's block or a program put behind a file. So many bytes are looked at in one place.
_LEAST, _LOOK = 64 * 1024, 4096


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


def _are_zeros(file: RangeFile, start: int, size: int) -> bool:
    return start > 0 and not any(file.glance(start, size))
