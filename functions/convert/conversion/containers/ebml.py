"""The elements that a Matroska or WebM is made of (RFC 8794 and RFC 9559), as far as they tell about the whole file."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from functions.convert.conversion.source import RangeFile

__all__ = ["MAGIC", "Element", "Segment", "Sound", "elements", "first_moment", "last_moment", "segment"]

MAGIC = b"\x1a\x45\xdf\xa3"
_SEGMENT, _CLUSTER, _INFO, _TRACKS = 0x18538067, 0x1F43B675, 0x1549A966, 0x1654AE6B
_DURATION, _TICK = 0x4489, 0x2AD7B1
_TRACK, _TRACK_TYPE, _ENCODINGS, _ENCODING, _ENCRYPTION = 0xAE, 0x83, 0x6D80, 0x6240, 0x5035
_FLAG_ENABLED, _LANGUAGE = 0xB9, 0x22B59D
_TIMESTAMP, _SIMPLE_BLOCK, _GROUP, _BLOCK = 0xE7, 0xA3, 0xA0, 0xA1
_SOUND = 2
# No real file has more elements in one place, a cluster has its blocks; and how far from the end it is looked for.
_MAX_ELEMENTS, _MAX_TAIL = 16384, 16 * 1024 * 1024
_STEP = 1024 * 1024
# Of the name of a language, so many bytes are read.
_MAX_NAME = 40


@dataclass(frozen=True)
class Element:
    """An element: its ID, and where its content starts and ends (in bytes); an end of None is not known."""

    name: int
    content: int
    stop: int | None


@dataclass(frozen=True)
class Sound:
    """What FFmpeg does not tell of a sound track: whether it is encrypted or switched off, and its BCP 47 language."""

    encrypted: bool
    disabled: bool
    language: str


@dataclass(frozen=True)
class Segment:
    """What a file says of itself: where it ends (in bytes), and when (in seconds); and of its sound tracks."""

    stop: int | None
    seconds: float | None
    tick: float
    sounds: tuple[Sound, ...]


def elements(file: RangeFile, start: int, stop: int | None) -> Iterator[Element]:
    """The elements between two positions, beyond which none reaches. One whose end is not known is the last."""
    for _ in range(_MAX_ELEMENTS):
        found = _element(file.peek(start, 12), start) if stop is None or start < stop else None
        if found is None:
            return
        if stop is not None and found.stop is not None:
            found = replace(found, stop=min(found.stop, stop))
        yield found
        if found.stop is None:
            return
        start = found.stop


def _element(head: bytes, start: int) -> Element | None:
    """RFC 8794, 4 and 5: the number of leading zeros says how long an ID and a size are; a size of ones is unknown."""
    width = 9 - head[0].bit_length() if head else 9
    if width > 4 or len(head) <= width or not head[width]:
        return None
    length = 9 - head[width].bit_length()
    digits = head[width : width + length]
    if len(digits) < length:
        return None
    unknown = (1 << 7 * length) - 1
    size = int.from_bytes(digits, "big") & unknown
    content = start + width + length
    return Element(int.from_bytes(head[:width], "big"), content, None if size == unknown else content + size)


def segment(file: RangeFile) -> Segment | None:
    """The first segment of a file, or None when there is none."""
    found = _first_segment(file)
    if found is None:
        return None
    duration, tick = None, 1e-3
    sounds: tuple[Sound, ...] = ()
    for child in elements(file, found.content, found.stop):
        if child.name == _CLUSTER:
            break
        if child.name == _INFO:
            duration, tick = _info(file, child)
        elif child.name == _TRACKS:
            sounds = tuple(_sounds(file, child))
    return Segment(found.stop, None if duration is None else duration * tick, tick, sounds)


def _first_segment(file: RangeFile) -> Element | None:
    return next((each for each in elements(file, 0, None) if each.name == _SEGMENT), None)


def _info(file: RangeFile, info: Element) -> tuple[float | None, float]:
    """The duration in ticks, if there is one, and how long a tick is, in seconds."""
    texts = {each.name: file.peek(each.content, 8) for each in elements(file, info.content, info.stop)}
    sizes = {each.name: (each.stop or each.content) - each.content for each in elements(file, info.content, info.stop)}
    tick = int.from_bytes(texts.get(_TICK, b"")[: sizes.get(_TICK, 0)], "big") or 1_000_000
    raw = texts.get(_DURATION, b"")[: sizes.get(_DURATION, 0)]
    form = {4: ">f", 8: ">d"}.get(len(raw))
    return (struct.unpack(form, raw)[0] if form else None), tick / 1e9


def _sounds(file: RangeFile, tracks: Element) -> Iterator[Sound]:
    for track in elements(file, tracks.content, tracks.stop):
        if track.name != _TRACK:
            continue
        parts = list(elements(file, track.content, track.stop))
        texts = {part.name: file.peek(part.content, min((part.stop or 0) - part.content, _MAX_NAME)) for part in parts}
        if texts.get(_TRACK_TYPE) == bytes([_SOUND]):
            encrypted = any(_has_encryption(file, part) for part in parts if part.name == _ENCODINGS)
            language = texts.get(_LANGUAGE, b"").rstrip(b"\0").decode("ascii", "replace").lower()
            yield Sound(encrypted, not any(texts.get(_FLAG_ENABLED) or b"\1"), language)


def _has_encryption(file: RangeFile, encodings: Element) -> bool:
    encodings_of = elements(file, encodings.content, encodings.stop)
    found = [each for each in encodings_of if each.name == _ENCODING]
    return any(part.name == _ENCRYPTION for each in found for part in elements(file, each.content, each.stop))


def first_moment(file: RangeFile) -> float | None:
    """When the first block of the first segment begins, in seconds; None where there is none."""
    found = _first_segment(file)
    about = segment(file)
    children = elements(file, found.content, found.stop) if found else ()
    cluster = next((child for child in children if child.name == _CLUSTER), None)
    # The first of its moments is its own.
    return next(islice(_moments(file, cluster, about.tick), 1, None), None) if cluster and about else None


def last_moment(file: RangeFile, tick: float) -> float | None:
    """When the last block of any track begins, in seconds; None where no cluster is found near the end of the file."""
    mark, tail, start = _CLUSTER.to_bytes(4, "big"), b"", file.size
    while start > 0 and file.size - start < _MAX_TAIL:
        step = min(_STEP, start)
        start -= step
        tail = file.peek(start, step) + tail
        at = tail.rfind(mark)
        if at >= 0 and (cluster := _element(tail[at : at + 12], start + at)):
            return max(_moments(file, cluster, tick), default=None)
    return None


def _moments(file: RangeFile, cluster: Element, tick: float) -> Iterator[float]:
    base = 0
    for part in elements(file, cluster.content, cluster.stop or file.size):
        if part.name == _TIMESTAMP:
            base = int.from_bytes(file.peek(part.content, min((part.stop or part.content) - part.content, 8)), "big")
            yield base * tick
        blocks = [part] if part.name == _SIMPLE_BLOCK else []
        if part.name == _GROUP:
            blocks = [each for each in elements(file, part.content, part.stop) if each.name == _BLOCK]
        yield from ((base + _relative(file.peek(block.content, 10))) * tick for block in blocks)


def _relative(head: bytes) -> int:
    """RFC 9559, 10.1: after the number of the track, two bytes of time."""
    width = 9 - head[0].bit_length() if head and head[0] else 1
    return int.from_bytes(head[width : width + 2], "big", signed=True)
