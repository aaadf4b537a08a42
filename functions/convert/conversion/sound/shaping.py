"""Frames as a decoder gives them → samples as the encoder takes them: rate, channels, format and volume."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import av
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.filter import Graph

from functions.convert.conversion.containers.bitstream import BitstreamCheck
from functions.convert.conversion.plan import Shape
from functions.convert.conversion.sound.filters import Filter, arguments, mixing, shaping
from functions.convert.conversion.tracks.layouts import LIKELY, as_pan
from functions.shared.reasons import Failure

__all__ = ["SAMPLE_BYTES", "Chain", "Mixer", "Planes", "Shaper", "filtered", "planes_of", "sliced"]

Planes = tuple[bytes, ...]
SAMPLE_BYTES = 4


class Shaper:
    """Gives every frame the sample rate and the channels of `shape`; the frames of a stream may differ.

    `order` names the channels of frames whose layout is only LIKELY; "" to believe the frames.
    `exact` says that all samples so far depend on nothing but themselves.
    """

    def __init__(self, shape: Shape, order: str, gain: float | None) -> None:
        self.exact = True
        self._shape, self._order, self._gain = shape, order, gain
        self._bitstream = BitstreamCheck()
        self._kind: tuple[str, int, str] | None = None
        self._graph: Graph | None = None

    def feed(self, frames: Sequence[AudioFrame]) -> list[Planes]:
        """The samples that are ready once these frames, which are alike, are there.

        Raises: Failure (unsupported-codec).
        """
        first = frames[0]
        kind = (first.format.name, first.sample_rate, first.layout.name)
        before = [] if kind == self._kind else self._change(kind, first)
        if self._graph is None:
            return [*before, planes_of(*frames)]
        frame = _together(frames)
        self._bitstream.feed(frame)
        self._graph.push(frame)
        return [*before, *map(planes_of, _pulled(self._graph))]

    def flush(self) -> list[Planes]:
        """The samples that have not come out yet. Raises: Failure (unsupported-codec)."""
        self._bitstream.flush()
        return self._rest()

    def _rest(self) -> list[Planes]:
        if self._graph is None:
            return []
        self._graph.push(None)
        return list(map(planes_of, _pulled(self._graph)))

    def _change(self, kind: tuple[str, int, str], frame: AudioFrame) -> list[Planes]:
        rest = self._rest()
        self._kind = kind
        self.exact &= frame.sample_rate == self._shape.sample_rate
        wanted = ("fltp", self._shape.sample_rate, self._shape.layout)
        usual = as_pan(self._order, frame.layout.nb_channels) is None
        try:
            self._graph = None if kind == wanted and usual and not self._gain else self._built(frame)
        except MemoryError:
            raise
        except av.error.FFmpegError as error:
            raise Failure("unsupported-codec") from error
        return rest

    def _built(self, frame: AudioFrame) -> Graph:
        count, name = frame.layout.nb_channels, frame.layout.name
        chain = shaping(self._shape, self._gain)
        own = self._order if self._order and name == LIKELY.get(count) else name
        if (pan := as_pan(own, count)) is not None:
            chain.insert(0, ("pan", {"args": pan}))
        return _graph(frame.sample_rate, frame.format.name, name, chain)


def _together(frames: Sequence[AudioFrame]) -> AudioFrame:
    """Frames that are alike, as one: a filter takes its time for each. One that is alone is not copied."""
    if len(frames) == 1:
        frames[0].pts = None
        return frames[0]
    fifo, tick = AudioFifo(), Fraction(1, frames[0].sample_rate)
    for frame in frames:
        # Those of a further recording may count time in other ticks, which the FIFO does not take.
        frame.pts, frame.time_base = None, tick
        fifo.write(frame)
    whole = fifo.read()
    assert whole is not None, "all frames have samples"
    whole.pts = None
    return whole


def planes_of(*frames: AudioFrame) -> Planes:
    """The samples of frames of planar floats, one after the other."""
    return tuple(map(b"".join, zip(*map(_views, frames), strict=True)))


def _views(frame: AudioFrame) -> list[memoryview]:
    size = frame.samples * SAMPLE_BYTES
    return [memoryview(plane)[:size] for plane in frame.planes]


def sliced(planes: Planes, start: int, stop: int) -> Planes:
    """The samples from `start` up to, not including, `stop`."""
    return tuple(plane[start * SAMPLE_BYTES : stop * SAMPLE_BYTES] for plane in planes)


def filtered(blocks: Iterable[Planes], shape: Shape, *filters: Filter) -> Iterator[Planes]:
    """What filters make of samples in that shape."""
    chain = Chain(shape, *filters)
    for planes in blocks:
        yield from (made for _, made in chain.feed(planes))
    yield from (made for _, made in chain.flush())


class Chain:
    """Filters for samples in one shape: what comes out are FFmpeg's metadata and the samples."""

    def __init__(self, shape: Shape, *filters: Filter) -> None:
        self._rate, self._layout = shape.sample_rate, shape.layout
        self._graph = _graph(self._rate, "fltp", self._layout, list(filters))
        self._done = 0

    def feed(self, planes: Planes) -> Iterator[tuple[dict[str, str], Planes]]:
        """What is ready once these samples are there; to be read whole."""
        # Fades go by the time stamps.
        frame = _frame_of(planes, self._rate, self._layout, self._done)
        self._done += frame.samples
        self._graph.push(frame)
        return ((made.metadata, planes_of(made)) for made in _pulled(self._graph))

    def flush(self) -> Iterator[tuple[dict[str, str], Planes]]:
        """What has not come out yet."""
        self._graph.push(None)
        return ((made.metadata, planes_of(made)) for made in _pulled(self._graph))


class Mixer:
    """Adds up several tracks in that shape, the same number of samples of each at a time, without clipping."""

    def __init__(self, shape: Shape, sides: Sequence[str | None]) -> None:
        self._rate, self._layout, self._done = shape.sample_rate, shape.layout, 0
        self._graph = Graph()
        self._graph.threads = 1
        first, *more = [self._graph.add(name, arguments(options)) for name, options in mixing(sides)]
        for at in range(len(sides)):
            source = self._graph.add_abuffer(sample_rate=self._rate, format="fltp", layout=self._layout)
            source.link_to(first, 0, at)
        self._graph.link_nodes(first, *more, self._graph.add("abuffersink")).configure()

    def mixed(self, parts: Sequence[Planes]) -> Iterator[AudioFrame]:
        """Their sum; as many samples come out as go in."""
        for at, planes in enumerate(parts):
            self._graph.push(_frame_of(planes, self._rate, self._layout, self._done), at)
        self._done += len(parts[0][0]) // SAMPLE_BYTES
        return _pulled(self._graph)


def _frame_of(planes: Planes, rate: int, layout: str, at: int) -> AudioFrame:
    """A frame of planar floats, of which `at` numbers the first sample."""
    frame = AudioFrame(format="fltp", layout=layout, samples=len(planes[0]) // SAMPLE_BYTES)
    frame.sample_rate = rate
    frame.pts, frame.time_base = at, Fraction(1, rate)
    for plane, data in zip(frame.planes, planes, strict=True):
        memoryview(plane).cast("B")[: len(data)] = data
    return frame


def _graph(rate: int, kind: str, layout: str, filters: list[Filter]) -> Graph:
    graph = Graph()
    graph.threads = 1
    source = graph.add_abuffer(sample_rate=rate, format=kind, layout=layout)
    nodes = [graph.add(name, arguments(options)) for name, options in filters]
    graph.link_nodes(source, *nodes, graph.add("abuffersink")).configure()
    return graph


def _pulled(graph: Graph) -> Iterator[AudioFrame]:
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        assert isinstance(frame, AudioFrame)
        yield frame
