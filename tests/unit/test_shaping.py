"""functions/convert/conversion/sound/shaping.py, gathering.py: frames of one kind together, whatever else differs."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from fractions import Fraction
from unittest.mock import Mock

import pytest
from av.audio.frame import AudioFrame

from functions.convert.conversion.plan import Shape
from functions.convert.conversion.sound.gathering import ENOUGH, Gatherer
from functions.convert.conversion.sound.shaping import Shaper

SHAPE = Shape(48000, 2, "vbr", 2)


def frame(
    form: str = "fltp",
    samples: int = 1024,
    value: float = 0.5,
    tick: int = 48000,
    rate: int = 48000,
    layout: str = "stereo",
) -> AudioFrame:
    made = AudioFrame(format=form, layout=layout, samples=samples)
    made.sample_rate, made.pts, made.time_base = rate, 7, Fraction(1, tick)
    for plane in made.planes:
        code, whole = ("f", value) if form == "fltp" else ("h", round(value * 32768))
        memoryview(plane).cast("B")[:] = array(code, [whole]).tobytes() * (plane.buffer_size // array(code).itemsize)
    return made


def heard(parts: Iterable[tuple[bytes, ...]]) -> tuple[bytes, ...]:
    return tuple(map(b"".join, zip(*parts, strict=True)))


@pytest.mark.parametrize("form", ["fltp", "s16"])
def test_frames_that_count_time_in_other_ticks_are_one_sound(form: str) -> None:
    shaper = Shaper(SHAPE, "", None)
    some = [frame(form, value=0.25, tick=90000), frame(form, samples=100, tick=1000), frame(form, tick=48000)]
    parts = [*shaper.feed(some), *shaper.flush()]
    wanted = array("f", [0.25] * 1024 + [0.5] * 1124).tobytes()
    assert heard(parts) == (wanted, wanted)


def gathered(frames: list[AudioFrame]) -> list[list[AudioFrame]]:
    reader = Mock(broken=0, warnings=[], origin=None)
    gatherer = Gatherer(reader, Mock(clock=None), silences_wild=False)
    return [some for _, some in gatherer.gathered(((n, n, n), each) for n, each in enumerate(frames))]


def test_frames_of_another_kind_are_no_part_of_the_others() -> None:
    kinds = [frame(), frame(), frame("s16"), frame(rate=44100), frame(layout="mono"), frame(), frame(samples=0)]
    assert gathered(kinds) == [kinds[:2], [kinds[2]], [kinds[3]], [kinds[4]], [kinds[5]]]


def test_no_more_are_kept_than_are_enough() -> None:
    frames = [frame(samples=ENOUGH // 4) for _ in range(10)]
    assert [len(some) for some in gathered(frames)] == [4, 4, 2]
