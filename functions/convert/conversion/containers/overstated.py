"""Heads of plain sound files that state exactly two, four or eight times the sound that there is.

Whoever wrote one counted something else: bytes for samples, the samples of both channels, bits for bytes. A file that
was cut off has a length by chance, and hardly ever exactly a half, a quarter or an eighth of its sound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Literal, NamedTuple

from functions.convert.conversion.containers.heads import caf_chunks, w64_chunks
from functions.convert.conversion.containers.tails import W64, riff_chunks
from functions.convert.conversion.containers.voc import VOC
from functions.convert.conversion.source import RangeFile

__all__ = ["Overstated", "overstated"]

_TIMES = (2, 4, 8)
# Of so few bytes, any number of them may be exactly a half by chance.
_LEAST = 4096


class _Field(NamedTuple):
    """A length that a file states: where, in how many bytes, and where that begins which it counts, in units.

    Of what it counts, `ahead` bytes come before the first sample.
    """

    place: int
    width: int
    order: Literal["little", "big"]
    start: int
    ahead: int = 0
    unit: int = 1

    def stated(self, file: RangeFile) -> int:
        """What the file says."""
        return int.from_bytes(file.peek(self.place, self.width), self.order)

    def right(self, length: int) -> tuple[int, bytes]:
        """Where it stands, and what it should be where so many bytes are there."""
        return self.place, (length // self.unit).to_bytes(self.width, self.order)


@dataclass(frozen=True)
class Overstated:
    """How many times the sound that there is a file states, and what should stand where."""

    times: int
    _patches: list[tuple[int, bytes]]

    def mend(self, file: RangeFile) -> None:
        """From now on, the file states what there is."""
        for place, data in self._patches:
            file.patch(place, data)


def overstated(file: RangeFile) -> Overstated | None:
    """What is wrong with a file that states exactly two, four or eight times its sound; None for others."""
    head = file.peek(0, 12)
    fields = next((look(file) for magic, look in _LOOKS.items() if head.startswith(magic)), None)
    if not fields:
        return None
    sound = fields[0]
    stated = sound.stated(file) * sound.unit
    # A byte may be behind the sound: to make it even, or as the mark of the end.
    lengths = (file.size - sound.start, file.size - sound.start - 1)
    for ahead, there in product(dict.fromkeys((0, sound.ahead)), lengths):
        times = next((times for times in _TIMES if stated - ahead == times * (there - ahead)), None)
        if times and there >= _LEAST:
            others = [field.right(file.size - field.start) for field in fields[1:] if field.stated(file) > file.size]
            return Overstated(times, [sound.right(there), *others])
    return None


def _au(file: RangeFile) -> list[_Field]:
    """Sun and NeXT: where the sound begins, and how long it is."""
    return [_Field(8, 4, "big", int.from_bytes(file.peek(4, 4), "big"))]


def _caf(file: RangeFile) -> list[_Field]:
    """Core Audio: before the samples comes a number that counts edits."""
    found = [content for name, content, _ in caf_chunks(file) if name == b"data"][:1]
    return [_Field(content - 8, 8, "big", content, 4) for content in found]


def _w64(file: RangeFile) -> list[_Field]:
    """Sony Wave64: lengths count the heads of their chunks."""
    found = [start for name, start, _ in w64_chunks(file) if name == b"data"][:1]
    return [
        each for start in found for each in (_Field(start + 16, 8, "little", start, 24), _Field(16, 8, "little", 0))
    ]


def _sox(file: RangeFile) -> list[_Field]:
    """SoX counts samples of four bytes (soxformat(7))."""
    return [_Field(8, 8, "little", 4 + int.from_bytes(file.peek(4, 4), "little"), unit=4)]


def _riff(file: RangeFile) -> list[_Field]:
    return _in_chunks(file, b"WAVE", b"data", "little")


def _rf64(file: RangeFile) -> list[_Field]:
    """EBU Tech 3306: the lengths stand in the chunk ds64."""
    sound = next((content for name, content, _ in riff_chunks(file, 12, file.size) if name == b"data"), None)
    if sound is None or file.peek(12, 4) != b"ds64" or file.peek(sound - 4, 4) != b"\xff" * 4:
        return []
    return [_Field(28, 8, "little", sound), _Field(20, 8, "little", 8)]


def _form(file: RangeFile) -> list[_Field]:
    """AIFF, where two numbers come before the samples, and the sound of an Amiga. What AIFF counts in frames, heads.py
    mends."""
    if file.peek(8, 4) == b"8SVX":
        return _in_chunks(file, b"8SVX", b"BODY", "big")
    found = _in_chunks(file, b"AIFF", b"SSND", "big", 8)
    return found or _in_chunks(file, b"AIFC", b"SSND", "big", 8)


def _in_chunks(
    file: RangeFile, kind: bytes, wanted: bytes, order: Literal["little", "big"], ahead: int = 0
) -> list[_Field]:
    if file.peek(8, 4) != kind:
        return []
    sound = next((content for name, content, _ in riff_chunks(file, 12, file.size, order) if name == wanted), None)
    return [] if sound is None else [_Field(sound - 4, 4, order, sound, ahead), _Field(4, 4, order, 8)]


def _voc(file: RangeFile) -> list[_Field]:
    """The first block of a Creative Voice file, which begins with two bytes about it."""
    start = int.from_bytes(file.peek(20, 2), "little")
    return [_Field(start + 1, 3, "little", start + 4, 2)] if file.peek(start, 1) == b"\1" else []


_LOOKS: dict[bytes, Callable[[RangeFile], list[_Field]]] = {
    b".snd": _au,
    b"caff": _caf,
    W64[:12]: _w64,
    b".SoX": _sox,
    b"RIFF": _riff,
    b"RF64": _rf64,
    b"BW64": _rf64,
    b"FORM": _form,
    VOC[:12]: _voc,
}
