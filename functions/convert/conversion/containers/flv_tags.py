"""The tags that an FLV is made of (Adobe Flash Video File Format Specification 10.1, annex E)."""

from __future__ import annotations

from collections.abc import Iterator

from functions.convert.conversion.source import RangeFile

__all__ = ["HEAD", "last_time", "other_sound"]

# With pictures and sound, and no tag before the first one.
HEAD = b"FLV\x01\x05\0\0\0\x09\0\0\0\0"
# Sound, pictures, and what is told of them; a head of 11 bytes, and how long all of a tag was behind it.
_SOUND, _KINDS, _HEAD_BYTES, _BEHIND = 8, {8, 9, 18}, 11, 4
# The upper four bits of what follows the head: these two are versions of Nellymoser and of MP3; behind the last one,
# four letters say which codec it is (Enhanced RTMP, "Enhanced Audio").
_SAME, _ENHANCED = {5: 6, 4: 6, 14: 2}, 9


def other_sound(file: RangeFile, start: int, stop: int) -> int | None:
    """Where, before `stop`, sound of another codec begins than that of the tag at `start`; None where none does."""
    own = _codec(file.peek(start, _HEAD_BYTES + 5))
    tags = ((place, head) for place, head in _tags(file, start, stop) if head[0] & 0x1F == _SOUND)
    return next((place for place, head in tags if len(head) > _HEAD_BYTES and _codec(head) != own), None)


def last_time(file: RangeFile) -> float:
    """When the last tag of a file is, in seconds; 0 where it does not end with one."""
    length = int.from_bytes(file.peek(max(file.size - _BEHIND, 0), _BEHIND), "big")
    head = file.peek(file.size - _BEHIND - length, _HEAD_BYTES) if _HEAD_BYTES <= length < file.size - _BEHIND else b""
    return int.from_bytes(head[7:8] + head[4:7], "big") / 1000


def _tags(file: RangeFile, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
    while start < stop:
        head = file.peek(start, _HEAD_BYTES + 5)
        if len(head) < _HEAD_BYTES or head[0] & 0x1F not in _KINDS:
            return
        yield start, head
        start += _HEAD_BYTES + int.from_bytes(head[1:4], "big") + _BEHIND


def _codec(head: bytes) -> tuple[int, bytes]:
    kind = head[_HEAD_BYTES] >> 4 if len(head) > _HEAD_BYTES else 0
    return _SAME.get(kind, kind), head[_HEAD_BYTES + 1 :] if kind == _ENHANCED else b""
