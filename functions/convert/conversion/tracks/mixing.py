"""Several tracks of one recording → one: each where its clock says, together without clipping."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard

from functions.convert.conversion.containers.needed_ranges import needed_ranges
from functions.convert.conversion.marks import Decoded
from functions.convert.conversion.media import Track
from functions.convert.conversion.plan import Shape
from functions.convert.conversion.sound.shaping import SAMPLE_BYTES, Mixer, Planes, Shaper, sliced
from functions.convert.conversion.sound.timelines import only_counts
from functions.convert.conversion.source import RangeFile
from functions.convert.conversion.tracks.layouts import side_of, tame
from functions.shared.job_warnings import JobWarning
from functions.shared.reasons import Failure

__all__ = ["MixReader"]

# A frame whose time is off by less follows the one before without a gap: so much is rounding and jitter. By more than
# the second, it is another clock, and not a hole. In seconds.
JITTER, JUMP = 0.04, 60.0
# How far one track may be ahead of the others in the file: in seconds, and in bytes of samples of all tracks together.
MAX_AHEAD_SECONDS, MAX_AHEAD_BYTES = 30.0, 64 * 1024 * 1024
# The lengths of the pieces in which tracks are mixed, in seconds.
MIN_PIECE, MAX_PIECE = 0.1, 1.0


class MixReader:
    """Reads several tracks of a freshly opened container as one, in the shape of the MP3; other streams are discarded.

    It reports what TrackReader does. There is no point in the middle from which a mix can be resumed.
    """

    def __init__(
        self,
        container: InputContainer,
        tracks: Sequence[Track],
        shape: Shape,
        warnings: list[JobWarning] | None = None,
    ) -> None:
        self.seconds = 0.0
        self.broken = self.broken_last = self.missing = 0
        self.warnings = [] if warnings is None else warnings
        self.origin = None
        self.packets_read = 0
        self.has_one_tick = False
        self.newest: Packet[AudioStream] | None = None
        self.stream = container.streams.audio[tracks[0].position]
        self.is_cut = False
        self.is_at_end = False
        self.is_unknown = False
        self.lost_index = False
        self._container, self._shape = container, shape
        streams = [(each, container.streams.audio[each.position]) for each in tracks]
        self._lanes = {
            each.stream_index: _Lane(stream, each, shape, only_counts(container, stream)) for each, stream in streams
        }
        self._sum = _Sum(list(self._lanes.values()), shape)
        _only(container, [lane.stream for lane in self._lanes.values()])

    def frames(self, mark: object = None, origin: object = None) -> Iterator[Decoded]:
        """As TrackReader.frames, from the start; times are in samples of the MP3. Raises: Failure (encrypted)."""
        assert mark is None
        for packet in self._packets():
            self._decode(self._lanes[packet.stream_index], packet)
            for frame in self._sum.ready():
                yield self._counted(frame)
        for lane in self._lanes.values():
            self._decode(lane, None)
            lane.flush()
        for frame in self._sum.rest():
            yield self._counted(frame)

    def stamps(self) -> Iterator[tuple[int | None, int]]:
        """As TrackReader.stamps: each lane has looked at the clock itself."""
        return iter(())

    def _counted(self, frame: AudioFrame) -> Decoded:
        self.seconds += frame.samples / frame.sample_rate
        return None, [frame], 0.0, 0.0

    def _packets(self) -> Iterator[Packet[AudioStream]]:
        streams = tuple(lane.stream for lane in self._lanes.values())
        try:
            yield from (packet for packet in self._container.demux(streams) if packet.size)
        except MemoryError:
            raise
        except av.error.FFmpegError:
            self.is_cut = True
        except IndexError:
            # As in TrackReader.packets.
            pass
        self.is_at_end = True

    def _decode(self, lane: _Lane, packet: Packet[AudioStream] | None) -> None:
        try:
            for frame in lane.stream.codec_context.decode(packet):
                lane.take(frame)
        except MemoryError:
            raise
        except av.error.FFmpegError as error:
            self.broken += packet is not None
            self.is_unknown = isinstance(error, av.error.PatchWelcomeError)
        if packet is not None and not lane.is_begun and packet.has_sidedata("encryption_info"):
            raise Failure("encrypted")


def _only(container: InputContainer, streams: Sequence[AudioStream]) -> None:
    """Read these streams, and fetch no more than them where the index says what they are."""
    file: RangeFile = container.file.file
    for other in container.streams:
        if other.index not in {stream.index for stream in streams}:
            other.discard = Discard.all
    wanted = [needed_ranges(file, stream) for stream in streams]
    if None not in wanted:
        file.keep_only([part for ranges in wanted for part in ranges or ()])


@dataclass
class _Lane:
    """One track in the shape of the mix: what is decoded and not mixed yet, as (number of the first sample, samples).

    `end` is the number of the sample after the last one. Numbers count from the zero of the file's clock. A clock that
    only `counts` knows where sound begins.
    """

    stream: AudioStream
    track: Track
    shape: Shape
    counts: bool = False
    held: deque[tuple[int, Planes]] = field(default_factory=deque)
    is_begun: bool = False
    end: int = 0
    # Until when there are samples by the clock, in seconds; how far that clock was set back; and what to leave out.
    _until: Fraction = Fraction(0)
    _set_back: Fraction = Fraction(0)
    _overlap: int = 0

    def __post_init__(self) -> None:
        # As in TrackReader: threads would make frames come late.
        self.stream.codec_context.thread_count = 1
        tame(self.stream.codec_context)
        self.side = side_of(self.track.layout) if self.shape.channels == 2 else None
        self._shaper = self._new_shaper()

    def take(self, frame: AudioFrame) -> None:
        """The next frame goes where its time says, or right after the one before."""
        follows = frame.pts is None or (self.counts and self.is_begun)
        at = self._until if follows else (frame.pts or 0) * Fraction(frame.time_base or 0) - self._set_back
        if self.is_begun and abs(at - self._until) > JUMP:
            self._set_back, at = self._set_back + at - self._until, self._until
        if not self.is_begun or abs(at - self._until) >= JITTER:
            self._move(at)
        self._until += Fraction(frame.samples, frame.sample_rate)
        for planes in self._shaper.feed([frame]):
            self._hold(planes)

    def flush(self) -> None:
        """Whatever has not come out of the shaper yet."""
        for planes in self._shaper.flush():
            self._hold(planes)
        self._shaper = self._new_shaper()

    def pop(self, start: int, stop: int) -> Planes:
        """The samples between two numbers, silence where there are none; what is before them is forgotten."""
        parts, at = [], start
        while self.held and self.held[0][0] < stop:
            first, planes = self.held.popleft()
            length = len(planes[0]) // SAMPLE_BYTES
            if first + length > stop:
                self.held.appendleft((stop, sliced(planes, stop - first, length)))
            begin, end = max(at, first), min(first + length, stop)
            if begin < end:
                parts += [self._silence(begin - at), sliced(planes, begin - first, end - first)]
                at = end
        parts.append(self._silence(stop - at))
        return tuple(map(b"".join, zip(*parts, strict=True)))

    def _move(self, at: Fraction) -> None:
        self.flush()
        number = round(at * self.shape.sample_rate)
        self._overlap = max(0, self.end - number) if self.is_begun else 0
        self.end = max(self.end, number) if self.is_begun else number
        self._until, self.is_begun = at, True

    def _hold(self, planes: Planes) -> None:
        length = len(planes[0]) // SAMPLE_BYTES
        left_out = min(self._overlap, length)
        self._overlap -= left_out
        if left_out < length:
            self.held.append((self.end, self._placed(sliced(planes, left_out, length))))
            self.end += length - left_out

    def _placed(self, planes: Planes) -> Planes:
        if self.side is None:
            return planes
        silent = bytes(len(planes[0]))
        return (planes[0], silent) if self.side == "left" else (silent, planes[0])

    def _silence(self, samples: int) -> Planes:
        return (bytes(samples * SAMPLE_BYTES),) * self.shape.channels

    def _new_shaper(self) -> Shaper:
        order = self.track.layout if self.track.codec.startswith("pcm_") else ""
        return Shaper(replace(self.shape, channels=1) if self.side else self.shape, order, None)


class _Sum:
    """Mixes what all lanes have."""

    def __init__(self, lanes: Sequence[_Lane], shape: Shape) -> None:
        self._lanes, self._shape = lanes, shape
        self._mixer = Mixer(shape, [lane.side for lane in lanes])
        self._done: int | None = None
        ahead = min(
            MAX_AHEAD_SECONDS, MAX_AHEAD_BYTES / (len(lanes) * shape.samples(1.0) * shape.channels * SAMPLE_BYTES)
        )
        self._ahead, self._least, self._most = map(shape.samples, (ahead, MIN_PIECE, MAX_PIECE))

    def ready(self) -> Iterator[AudioFrame]:
        """What can be mixed: up to where all lanes have samples, or one is so far ahead that the others have none."""
        begun = [lane.end for lane in self._lanes if lane.is_begun]
        if begun:
            waiting = min(begun) if len(begun) == len(self._lanes) else max(begun) - self._ahead
            yield from self._mixed(max(waiting, max(begun) - self._ahead), self._least)

    def rest(self) -> Iterator[AudioFrame]:
        """All that is left, at the end."""
        yield from self._mixed(max(lane.end for lane in self._lanes), 1)

    def _mixed(self, stop: int, least: int) -> Iterator[AudioFrame]:
        first = [lane.held[0][0] for lane in self._lanes if lane.held]
        done = self._done if self._done is not None or not first else min(first)
        while done is not None and stop - done >= least:
            end = min(stop, done + self._most)
            for frame in self._mixer.mixed([lane.pop(done, end) for lane in self._lanes]):
                frame.pts, frame.time_base = done, Fraction(1, self._shape.sample_rate)
                done += frame.samples
                yield frame
            self._done = done
