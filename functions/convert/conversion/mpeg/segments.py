"""Decoded audio in segments: an encoder can take each by itself, and they can be had again from any of them on."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.convert.conversion.mpeg.lame import SAMPLE_BYTES

if TYPE_CHECKING:
    from functions.convert.conversion.plan import Shape
    from functions.convert.conversion.sound.decode import Block, ResumePoint
    from functions.convert.conversion.sound.shaping import Planes

__all__ = ["OVERLAP", "SEGMENT", "Segment", "boundary", "frame_samples", "segments", "stop_of", "units", "width"]

# Frames from one place for a seam to the next: 20 seconds at 44.1 kHz.
SEGMENT = 768
# A segment has up to WIDE of these units: the wider, the fewer frames are encoded twice. The first ones have fewer, so
# that all cores have something to do soon; and the last ones, so that they have until the end.
WIDE = 3
# A seam may lie this many frames before or after the boundary of its segments: both sides have these frames.
OVERLAP = 6
# Frames that an encoder makes first, which are dropped: until then it shows that it was just started.
WARM_UP = 8
# Frames after the last one wanted, so that the silence which LAME appends when it is flushed reaches into none.
LOOK_AHEAD = 3


@dataclass(frozen=True)
class Segment:
    """What one encoder gets: `samples` samples of each channel, of which frame number `start` is the first.

    They are in the `pieces` that they came in: to join them takes long, which the encoders' threads do. Its own are the
    units from `index` up to `after`. `resume` is where decoding can be resumed so that the segment after this one has
    all its samples.
    """

    index: int
    after: int
    start: int
    pieces: tuple[Planes, ...]
    samples: int
    last: bool
    resume: ResumePoint | None


def frame_samples(shape: Shape) -> int:
    """Samples in a frame: 1152, or 576 at the sample rates of MPEG-2 and 2.5 (ISO/IEC 13818-3 §2.4.2)."""
    return 1152 if shape.sample_rate >= 32000 else 576


def boundary(index: int) -> int:
    """The number of the frame with which a unit nominally begins."""
    return index * SEGMENT


def units(samples: float, shape: Shape) -> int:
    """How many units about so many samples are."""
    return math.ceil(samples / (SEGMENT * frame_samples(shape)))


def stop_of(after: int) -> int:
    """The number of the frame up to which the segment that ends with unit `after` has samples."""
    return boundary(after) + OVERLAP + LOOK_AHEAD


def segments(
    blocks: Iterable[Block], shape: Shape, index: int = 0, sample: int = 0, about: int = 0
) -> Iterator[Segment]:
    """Cut decoded audio of `about` so many units (0: nobody knows) into segments. Samples stay in memory for one only.

    `index` is the first unit wanted, and `sample` the number of the sample that the first block begins with: the
    `resume.sample` that came with the segment before, or any sample before that.
    """
    window = _Window(iter(blocks), shape, sample)
    while True:
        start = _start(index)
        window.drop(start)
        after = index + width(index, about)
        stop = stop_of(after)
        last = not window.fill(stop)
        samples = window.samples if last else (stop - start) * frame_samples(shape)
        resume = None if last else window.resume_point(_start(after))
        yield Segment(index, after, start, window.pieces(samples), samples, last, resume)
        if last:
            return
        index = after


def width(index: int, about: int) -> int:
    """How many units the segment has that begins with this one, of `about` so many: at most a quarter of the rest."""
    return max(1, min(WIDE, 1 + index // 2, (about - index) // 4))


def _start(index: int) -> int:
    return max(0, boundary(index) - OVERLAP - WARM_UP)


class _Window:
    """The decoded samples from one point on, in the blocks that they came in; positions in it are given in frames."""

    def __init__(self, blocks: Iterator[Block], shape: Shape, sample: int) -> None:
        self._source = blocks
        self._frame, self._channels = frame_samples(shape), shape.channels
        # The blocks that are kept begin with sample `_first`; from `_wanted` on they are needed.
        self._first = self._next = self._wanted = sample
        self._blocks: deque[Block] = deque()
        self._resume_points: deque[ResumePoint] = deque()

    def fill(self, frame: int) -> bool:
        """Take blocks until all samples before `frame` are here. False when there are not that many."""
        stop = frame * self._frame
        # What goes for each packet, in the fewest steps.
        while self._next < stop:
            block = next(self._source, None)
            if block is None:
                return False
            if block.resume is not None:
                self._resume_points.append(block.resume)
            self._blocks.append(block)
            self._next += block.samples
            if self._next <= self._wanted:
                self._forget()
        return True

    def drop(self, frame: int) -> None:
        """Forget the samples before `frame`; those that are yet to come as soon as they do."""
        self._wanted = max(self._wanted, frame * self._frame)
        self._forget()

    def _forget(self) -> None:
        while self._blocks and self._first + self._blocks[0].samples <= self._wanted:
            self._first += self._blocks.popleft().samples

    def resume_point(self, frame: int) -> ResumePoint | None:
        """The last point from which nothing of `frame` and what follows is missed."""
        found = None
        while self._resume_points and self._resume_points[0].sample <= frame * self._frame:
            found = self._resume_points.popleft()
        return found

    def pieces(self, samples: int) -> tuple[Planes, ...]:
        """So many samples of each channel, from the first one on that is needed. `fill` took no block beyond these."""
        pieces = [block.planes for block in self._blocks] or [(b"",) * self._channels]
        first, last = (self._wanted - self._first) * SAMPLE_BYTES, (self.samples - samples) * SAMPLE_BYTES
        pieces[-1] = tuple(plane[: len(plane) - last] for plane in pieces[-1])
        pieces[0] = tuple(plane[first:] for plane in pieces[0])
        return tuple(pieces)

    @property
    def samples(self) -> int:
        """How many there are from the first one on that is needed."""
        return max(self._next - self._wanted, 0)
