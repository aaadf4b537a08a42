"""The first of two passes: how loud a track is (EBU R128, ITU-R BS.1770), and where its silent ends are."""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterator
from dataclasses import replace

from av.container import InputContainer

from functions.convert.conversion.plan import Plan, Shape, within
from functions.convert.conversion.sound.decode import Block, blocks
from functions.convert.conversion.sound.filters import LOUDNESS, Filter, gain
from functions.convert.conversion.sound.shaping import SAMPLE_BYTES, Chain, Planes

__all__ = ["SILENCE_DB", "measured"]

# What is nowhere louder than this is silence, in dB of full scale.
SILENCE_DB = -60.0
_PEAK_OF_BLOCK: Filter = (
    "astats",
    {"metadata": 1, "reset": 1, "measure_perchannel": "none", "measure_overall": "Peak_level"},
)
_FLOAT = "f"


def measured(container: InputContainer, plan: Plan) -> Generator[float, None, Plan]:
    """Reads all that `plan` wants of a freshly opened container, and yields the seconds that it got through.

    Returns: the plan with the `gain` (dB) that makes it as loud as wanted, or as loud as its peaks allow, and with
    `start` and `end` where the sound is; for another container to be opened. All silence is left as it is.
    Raises: Failure, as `blocks` does.
    """
    plain = replace(plan, fade_in=0.0, fade_out=0.0, gain=None)
    meter = _Meter(plan.shape) if plan.loudness is not None else None
    edges = _Edges(plan.shape) if plan.trim_silence else None
    done = 0
    for block in blocks(container, plain):
        is_silent = edges is not None and not edges.feed(block)
        if meter:
            meter.feed(block, is_silent)
        done += block.samples
        yield done / plan.shape.sample_rate
    if edges:
        plan = _cut(plan, edges)
    return replace(plan, gain=meter.gain(plan.loudness)) if meter and plan.loudness is not None else plan


def _cut(plan: Plan, edges: _Edges) -> Plan:
    first, last = edges.found()
    rate, start = plan.shape.sample_rate, plan.start or 0.0
    begin, end = start + first / rate, start + last / rate
    chapters = within(plan.chapters, first / rate, last / rate)
    return replace(plan, trim_silence=False, start=begin, end=end, chapters=chapters, seconds=(last - first) / rate)


class _Meter:
    """Integrated loudness and true peak."""

    def __init__(self, shape: Shape) -> None:
        self._chain = Chain(shape, LOUDNESS)
        self._shape = shape
        self._told: dict[str, str] = {}
        self._silent: int | None = None

    def feed(self, block: Block, is_silent: bool) -> None:
        """Silence counts only between sounds: at the ends, it will be cut."""
        if not is_silent:
            self._measure_silence()
            self._measure(block.planes)
            self._silent = 0
        elif self._silent is not None:
            self._silent += block.samples

    def gain(self, target: float) -> float:
        for tags, _ in self._chain.flush():
            self._told |= tags
        return gain(target, self._told)

    def _measure_silence(self) -> None:
        while self._silent:
            samples = min(self._silent, self._shape.sample_rate)
            self._measure((bytes(samples * SAMPLE_BYTES),) * self._shape.channels)
            self._silent -= samples

    def _measure(self, planes: Planes) -> None:
        for tags, _ in self._chain.feed(planes):
            self._told |= tags


class _Edges:
    """Where the first and the last sample are that are no silence."""

    def __init__(self, shape: Shape) -> None:
        self._chain = Chain(shape, _PEAK_OF_BLOCK)
        self._done = 0
        self._first: int | None = None
        self._newest: tuple[int, Planes] | None = None

    def feed(self, block: Block) -> bool:
        """Whether there is sound in the block."""
        ((tags, planes),) = self._chain.feed(block.planes)
        has_sound = float(tags.get("lavfi.astats.Overall.Peak_level", "-inf")) > SILENCE_DB
        if has_sound:
            if self._first is None:
                self._first = self._done + min(_loud(planes))
            self._newest = self._done, planes
        self._done += block.samples
        return has_sound

    def found(self) -> tuple[int, int]:
        """The first sample with sound, and the one after the last; everything when there is none."""
        if self._first is None or self._newest is None:
            return 0, self._done
        start, planes = self._newest
        return self._first, start + max(_loud(planes)) + 1


def _loud(planes: Planes) -> Iterator[int]:
    least = 10 ** (SILENCE_DB / 20)
    for plane in planes:
        yield from (at for at, sample in enumerate(array(_FLOAT, plane)) if abs(sample) > least)
