"""Samples to MP3 frames on several cores: the audio in segments, an encoder for each, the results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING

from functions.convert.conversion.mpeg import frames, segments
from functions.convert.conversion.mpeg.lame import SAMPLE_BYTES, Encoder
from functions.convert.conversion.mpeg.segments import OVERLAP, Segment, boundary, frame_samples
from functions.convert.conversion.sound.peaks import heights, step_of
from functions.convert.errors import LameError

if TYPE_CHECKING:
    from functions.convert.conversion.plan import Shape
    from functions.convert.conversion.sound.decode import Block, ResumePoint
    from functions.convert.conversion.sound.shaping import Planes

__all__ = ["Encoded", "HeadStart", "encoded", "made"]

# So many frames are given to LAME at once, or as many as there are to a height: LAME copies them first, and more would
# have to come from the slower memory.
AT_ONCE = 128
# One thread cannot decode for more encoders than these; and the samples of more segments, which wait where the first
# one takes long, would be more data than a conversion may have.
MAX_ENCODERS = 32


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


class HeadStart:
    """Has the first segment encoded while it is decoded: until it is whole, there is nothing else to encode."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._left = segments.stop_of(segments.width(0, 0)) * frame_samples(shape)
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
            stream += encoder.flush()
        found = b"".join(_heights(piece, self._shape, *chunk) for chunk in _chunks(piece, self._shape))
        return _cut(piece, self._shape, stream, found)


def made(
    blocks: Iterable[Block], shape: Shape, threads: int, index: int = 0, sample: int = 0, about: int = 0
) -> Iterator[Encoded]:
    """What comes of decoded audio (as in `segments`), in order. Raises: as `encoded`."""
    head_start = HeadStart(shape) if not index and threads > 1 else None
    heard = head_start.overheard(blocks) if head_start else blocks
    return encoded(segments.segments(heard, shape, index, sample, about), shape, threads, head_start)


def encoded(
    parts: Iterable[Segment], shape: Shape, threads: int, head_start: HeadStart | None = None
) -> Iterator[Encoded]:
    """Encode segments on `threads` threads, but at most MAX_ENCODERS; the results come in order.

    At most two more segments than threads are in memory. One of them waits for a thread that is done while the first in
    order is not: results are taken in order.
    `head_start` overhears the blocks of which the segments are made, from the very first one on.

    Raises: LameError; and what `parts` raises, after the results of the segments before.
    """
    waiting: deque[Future[Encoded]] = deque()
    threads = min(threads, MAX_ENCODERS)
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
    stream, found = bytearray(), bytearray()
    with Encoder(shape) as encoder:
        for at, planes in _chunks(part, shape):
            stream += encoder.encode(planes, len(planes[0]) // SAMPLE_BYTES)
            found += _heights(part, shape, at, planes)
        stream += encoder.flush()
    return _cut(part, shape, bytes(stream), bytes(found))


def _chunks(part: Segment, shape: Shape) -> Iterator[tuple[int, Planes]]:
    """The samples of a segment in chunks, each with the number in the segment of its first sample.

    A chunk ends where a height does.
    """
    size = max(AT_ONCE, _step(part)) * frame_samples(shape) * SAMPLE_BYTES
    at, room = 0, _lead(part, shape) * SAMPLE_BYTES + size
    held: list[Planes] = []
    for planes in part.pieces:
        while len(planes[0]) >= room:
            chunk = _joined([*held, tuple(plane[:room] for plane in planes)])
            yield at, chunk
            planes = tuple(plane[room:] for plane in planes)
            at, room = at + len(chunk[0]) // SAMPLE_BYTES, size
            held.clear()
        held.append(planes)
        room -= len(planes[0])
    yield at, _joined(held)


def _joined(pieces: Sequence[Planes]) -> Planes:
    return tuple(map(b"".join, zip(*pieces, strict=True)))


def _heights(part: Segment, shape: Shape, at: int, planes: Planes) -> bytes:
    """The heights that a chunk has of the segment's own frames."""
    samples, first = frame_samples(shape), _lead(part, shape)
    stop = part.samples if part.last else first + (part.after - part.index) * segments.SEGMENT * samples
    here = min(stop - at, len(planes[0]) // SAMPLE_BYTES)
    return heights(planes, max(first - at, 0), here, _step(part), samples)


def _lead(part: Segment, shape: Shape) -> int:
    """How many samples a segment has before its own frames."""
    return (boundary(part.index) - part.start) * frame_samples(shape)


def _step(part: Segment) -> int:
    return step_of(part.index, segments.SEGMENT)


def _cut(part: Segment, shape: Shape, stream: bytes, found: bytes) -> Encoded:
    kept = frames.split(stream)
    end = part.start * frame_samples(shape) + part.samples
    if not part.last:
        del kept[boundary(part.after) + OVERLAP - part.start :]
    return Encoded(part.index, part.after, part.start, tuple(kept), part.last, end, part.resume, _step(part), found)
