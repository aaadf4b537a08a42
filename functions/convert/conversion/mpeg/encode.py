"""Samples to MP3 frames on several cores: the audio in segments, an encoder for each, the results in order."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING

from functions.convert.conversion.mpeg import frames
from functions.convert.conversion.mpeg.lame import SAMPLE_BYTES, Encoder
from functions.convert.conversion.sound.peaks import heights, step_of
from functions.convert.errors import LameError

if TYPE_CHECKING:
    from functions.convert.conversion.plan import Shape
    from functions.convert.conversion.sound.decode import Block, ResumePoint

__all__ = [
    "OVERLAP",
    "SEGMENT",
    "Encoded",
    "HeadStart",
    "Segment",
    "boundary",
    "encoded",
    "frame_samples",
    "made",
    "segments",
    "units",
]

# Frames from one place for a seam to the next: 20 seconds at 44.1 kHz.
SEGMENT = 768
# A segment has one of these units, or, between the first few and the last few, WIDE ones: fewer frames are encoded
# twice then, and still all cores have something to do soon, and until the end.
WIDE, NARROW = 2, 4
# A seam may lie this many frames before or after the boundary of its segments: both sides have these frames.
OVERLAP = 6
# Frames that an encoder makes first, which are dropped: until then it shows that it was just started.
WARM_UP = 8
# Frames after the last one wanted, so that the silence which LAME appends when it is flushed reaches into none.
LOOK_AHEAD = 3


@dataclass(frozen=True)
class Segment:
    """What one encoder gets: `samples` samples of each of the `planes`, of which frame number `start` is the first.

    Its own are the units from `index` up to `after`. `resume` is where decoding can be resumed so that the segment
    after this one has all its samples.
    """

    index: int
    after: int
    start: int
    planes: tuple[bytes, ...]
    samples: int
    last: bool
    resume: ResumePoint | None


@dataclass(frozen=True)
class Encoded:
    """A segment's frames: its own, and those on both sides that the joiner may choose from. `start` numbers the first.

    `end` is the number of the sample after the last one that the encoder got: of all samples, with the last segment.
    `heights` are those of its own frames (peaks.py), with `step` frames to each.
    """

    index: int
    after: int
    start: int
    frames: tuple[bytes, ...]
    last: bool
    end: int
    resume: ResumePoint | None
    step: int = 1
    heights: bytes = b""


def frame_samples(shape: Shape) -> int:
    """Samples in a frame: 1152, or 576 at the sample rates of MPEG-2 and 2.5 (ISO/IEC 13818-3 §2.4.2)."""
    return 1152 if shape.sample_rate >= 32000 else 576


def boundary(index: int) -> int:
    """The number of the frame with which a unit nominally begins."""
    return index * SEGMENT


def units(samples: float, shape: Shape) -> int:
    """How many units about so many samples are."""
    return math.ceil(samples / (SEGMENT * frame_samples(shape)))


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
        after = index + _width(index, about)
        stop = boundary(after) + OVERLAP + LOOK_AHEAD
        last = not window.fill(stop)
        samples = window.samples if last else (stop - start) * frame_samples(shape)
        resume = None if last else window.resume_point(_start(after))
        yield Segment(index, after, start, window.planes(samples), samples, last, resume)
        if last:
            return
        index = after


def _width(index: int, about: int) -> int:
    return WIDE if NARROW <= index <= about - NARROW - WIDE else 1


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

    def planes(self, samples: int) -> tuple[bytes, ...]:
        """So many samples of each channel, from the first one on that is needed. `fill` took no block beyond these."""
        if not self._blocks:
            return (b"",) * self._channels
        first, last = (self._wanted - self._first) * SAMPLE_BYTES, (self.samples - samples) * SAMPLE_BYTES
        planes = zip(*(block.planes for block in self._blocks), strict=True)
        return tuple(_without(list(pieces), first, last) for pieces in planes)

    @property
    def samples(self) -> int:
        """How many there are from the first one on that is needed."""
        return max(self._next - self._wanted, 0)


def _without(pieces: list[bytes], first: int, last: int) -> bytes:
    """The pieces, joined, without so many bytes at the beginning of the first one and at the end of the last."""
    pieces[-1] = pieces[-1][: len(pieces[-1]) - last]
    pieces[0] = pieces[0][first:]
    return b"".join(pieces)


class HeadStart:
    """Has the first segment encoded while it is decoded: until it is whole, there is nothing else to encode."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._left = (boundary(_width(0, 0)) + OVERLAP + LOOK_AHEAD) * frame_samples(shape)
        # Its samples, and then itself; None if that does not come.
        self._queue: SimpleQueue[tuple[Sequence[bytes], int] | Segment | None] = SimpleQueue()

    def overheard(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """The blocks, from the first one of all on, whose samples are taken as they pass."""
        for block in blocks:
            if self._left > 0:
                samples = min(block.samples, self._left)
                self._left -= samples
                self._queue.put((tuple(plane[: samples * SAMPLE_BYTES] for plane in block.planes), samples))
            yield block

    def end(self, part: Segment | None) -> None:
        """The first segment is whole, or will not be."""
        self._queue.put(part)

    def encoded(self) -> Encoded:
        """What comes of the first segment. Waits for its end."""
        with Encoder(self._shape) as encoder:
            stream = b""
            while isinstance(piece := self._queue.get(), tuple):
                stream += encoder.encode(*piece)
            if piece is None:
                raise LameError("the first segment did not come")
            return _cut(piece, self._shape, stream + encoder.flush())


def made(
    blocks: Iterable[Block], shape: Shape, threads: int, index: int = 0, sample: int = 0, about: int = 0
) -> Iterator[Encoded]:
    """What comes of decoded audio (as in `segments`), in order. Raises: as `encoded`."""
    head_start = HeadStart(shape) if not index and threads > 1 else None
    heard = head_start.overheard(blocks) if head_start else blocks
    return encoded(segments(heard, shape, index, sample, about), shape, threads, head_start)


def encoded(
    parts: Iterable[Segment], shape: Shape, threads: int, head_start: HeadStart | None = None
) -> Iterator[Encoded]:
    """Encode segments on `threads` threads; the results come in order, with at most two more segments in memory.

    One of them waits for a thread that is done while the first in order is not: results are taken in order.
    `head_start` overhears the blocks of which the segments are made, from the very first one on.

    Raises: LameError; and what `parts` raises, after the results of the segments before.
    """
    waiting: deque[Future[Encoded]] = deque()
    with ThreadPoolExecutor(threads, "lame") as pool:
        ahead = pool.submit(head_start.encoded) if head_start else None
        try:
            for part in parts:
                if head_start and ahead:
                    head_start.end(part)
                    waiting.append(ahead)
                    ahead = None
                else:
                    waiting.append(pool.submit(_encoded, part, shape))
                del part
                if len(waiting) > threads + 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            if head_start:
                head_start.end(None)
            for future in waiting:
                future.cancel()


def _encoded(part: Segment, shape: Shape) -> Encoded:
    with Encoder(shape) as encoder:
        return _cut(part, shape, encoder.encode(part.planes, part.samples) + encoder.flush())


def _cut(part: Segment, shape: Shape, stream: bytes) -> Encoded:
    found = frames.split(stream)
    end = part.start * frame_samples(shape) + part.samples
    if not part.last:
        del found[boundary(part.after) + OVERLAP - part.start :]
    step = step_of(part.index, SEGMENT)
    return Encoded(
        part.index, part.after, part.start, tuple(found), part.last, end, part.resume, step, _heights(part, shape, step)
    )


def _heights(part: Segment, shape: Shape, step: int) -> bytes:
    samples = frame_samples(shape)
    first = (boundary(part.index) - part.start) * samples
    stop = part.samples if part.last else first + (part.after - part.index) * SEGMENT * samples
    return heights(part.planes, first, stop, step, samples)
