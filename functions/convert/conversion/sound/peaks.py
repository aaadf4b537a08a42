"""The waveform of an MP3, from the samples that its segments are encoded of, for the price of a look at some of them.

A look at all samples would be a third of what encoding them costs. In a long recording there are thousands of samples
to a height; of these, one in some fifty tells how high it is. How many are looked at, and which, depends on the place
in the MP3 alone, so that the heights are the same on any number of cores, and after a resumption.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from functions.shared.jobs.names import MAX_PEAKS

__all__ = ["Waveform", "heights", "resumed", "step_of"]

SAMPLE_BYTES = 4
# Which byte of a sample has its sign, and how that is left out.
_SIGN = 3 if sys.byteorder == "little" else 0
_POSITIVE = bytes(byte & 0x7F for byte in range(256))
# The most frames to a height that segments are cut into: any number of frames with which a segment begins is a multiple
# of it.
MAX_STEP = 256
# Every so many samples one is looked at; the second half of a height has another distance. A tone that has the same
# phase at all the samples of one half has not in the other.
_DISTANCES = ((17, 23), (41, 53))
# Up to so many frames to a height, the smaller distances.
_FEW = 2


def step_of(index: int, segment: int) -> int:
    """How many frames there are to a height in the segment of this number, if a segment has so many frames.

    A power of two. As few as can be, if this segment is the last one: longer MP3s have coarser heights.
    """
    step = 1
    while step < MAX_STEP and (index + 1) * segment > MAX_PEAKS * step:
        step *= 2
    return step


def heights(planes: Sequence[bytes], first: int, stop: int, step: int, samples: int) -> bytes:
    """The heights (0 to 255) of samples `first` up to, not including, `stop` of native floats, one plane a channel.

    There are `step` frames of so many `samples` to a height; the last one may have fewer.
    """
    views = [memoryview(plane).cast("f")[first:stop] for plane in planes]
    near, far = _DISTANCES[step > _FEW]
    size = step * samples
    return bytes(_height(views, start, size, near, far) for start in range(0, stop - first, size))


def _height(views: Sequence[memoryview[float]], start: int, size: int, near: int, far: int) -> int:
    half, end = start + size // 2, start + size
    samples = bytearray()
    for view in views:
        samples += view[start:half:near].tobytes()
        samples += view[half:end:far].tobytes()
    samples[_SIGN::SAMPLE_BYTES] = samples[_SIGN::SAMPLE_BYTES].translate(_POSITIVE)
    peak = max(memoryview(samples).cast("f").tolist())
    # Samples may be beyond full scale, or no numbers at all.
    return round(255 * peak) if 0 <= peak < 1 else 255


class Waveform:
    """Takes the heights of one segment after the other; of twice as many as there may be, it makes one of two."""

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        """`state` is what `state()` gave, to resume from."""
        self._step = state["step"] if state else 1
        self._heights = bytearray.fromhex(state["heights"]) if state else bytearray()

    def state(self) -> dict[str, Any]:
        """What is needed to resume after the segments so far, fit for JSON."""
        return {"step": self._step, "heights": self._heights.hex()}

    def add(self, frame: int, step: int, found: bytes) -> None:
        """The heights of what begins with this frame, with `step` frames to each."""
        while step > self._step or (frame + step * (len(found) - 1)) // self._step >= MAX_PEAKS:
            self._coarsen()
        self._heights.extend(bytes(max(0, -(-(frame + step * len(found)) // self._step) - len(self._heights))))
        for at, height in enumerate(found):
            place = (frame + at * step) // self._step
            self._heights[place] = max(self._heights[place], height)

    def drawn(self, frame_seconds: float) -> tuple[float, bytes]:
        """How many seconds there are to a height, if a frame is so long; and the heights."""
        return self._step * frame_seconds, bytes(self._heights)

    def _coarsen(self) -> None:
        self._step *= 2
        pairs = zip(self._heights[::2], [*self._heights[1::2], 0][: len(self._heights[::2])], strict=True)
        self._heights = bytearray(map(max, pairs))


def resumed(kept: tuple[int, Mapping[str, Any]] | None, first: int) -> Waveform | None:
    """The waveform of the segments before the first one that is encoded now, by what a checkpoint has kept.

    None when a release that knows no waveforms has encoded some of them.
    """
    if not first:
        return Waveform()
    until, state = kept or (None, None)
    return Waveform(state) if until == first else None
