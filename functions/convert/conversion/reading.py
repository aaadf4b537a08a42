"""The packets and decoded frames of one track, from the start or from a packet in the middle."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple, TypeAlias, TypeVar

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard

from functions.convert.conversion.layouts import tame
from functions.convert.conversion.media import Track
from functions.convert.conversion.needed_ranges import needed_ranges
from functions.convert.conversion.probe import opened
from functions.convert.conversion.source import RangeFile
from functions.shared.job_warnings import JobWarning
from functions.shared.reasons import Failure

__all__ = ["Decoded", "Mark", "TrackReader", "with_next"]

T = TypeVar("T")
Numbered: TypeAlias = "Iterator[tuple[int, Packet[AudioStream]]]"

# From so many packets on, an index may want more memory than there is.
LARGE_INDEX = 1_000_000
# A decoder gives the same samples again only after it has decoded this many packets, or those of a second; the demuxer
# seeks this many seconds back for them.
WARM_UP_PACKETS, WARM_UP_SECONDS = 64, 3


class Mark(NamedTuple):
    """A packet, to find it again. What comes at the end has the number -1.

    `pts` is its time stamp, None where that does not tell it from those before it; `byte` is where in the file the
    newest packet up to it begins that says so: where a clock restarts, others have the same time stamp.
    """

    number: int
    pts: int | None
    byte: int | None


class Decoded(NamedTuple):
    """What came of a packet: its frames, or how long its sound would be, in seconds.

    That is `lost` where the decoder failed, and `awaited` where it gave nothing: it may, or it still will. `following`
    is the time stamp of the packet after it.
    """

    mark: Mark
    frames: list[AudioFrame]
    following: int | None = None
    lost: float = 0.0
    awaited: float = 0.0


class TrackReader:
    """Reads one track of a freshly opened container; other streams are discarded.

    What it reports of what it read: `seconds` of decoded sound; of how many `packets_read`, since the first one of the
    track, how many were `broken`; whether the demuxer stopped because the file `is_cut`, whether it `is_at_end`, and
    whether what the decoder could not do `is_unknown` to it.
    """

    def __init__(self, container: InputContainer, track: Track) -> None:
        self.seconds = 0.0
        self.packets_read = 0
        self.broken = 0
        self.is_cut = False
        self.is_at_end = False
        self.is_unknown = False
        # How long the sound of the newest packet was, in seconds.
        self._usual = 0.0
        self._track = track
        self._container = container
        self.stream = self._only()

    @property
    def warnings(self) -> list[JobWarning]:
        """What the owner has to know of how it was read so far."""
        found = JobWarning("undecodable", {"broken": self.broken, "frames": self.packets_read})
        return [found] if self.broken else []

    @property
    def lost_index(self) -> bool:
        """Whether there was no memory for the whole index of an MP4: FFmpeg says nothing, and reads a part.

        A small one always fits: there it is damage.
        """
        return self.stream.frames > max(len(self.stream.index_entries), LARGE_INDEX)

    def packets(self) -> Numbered:
        """Number and packet, from the first one on."""
        try:
            # Packets without content are av's own, at the end: they would make the decoder stop.
            yield from enumerate(packet for packet in self._container.demux(self.stream) if packet.size)
        except MemoryError:
            raise
        except av.error.FFmpegError:
            self.is_cut = True
        except IndexError:
            # Where a stream began in the middle of the file, av 18 fails at the end of its own list of streams.
            pass
        self.is_at_end = True

    def frames(self, mark: Mark | None) -> Iterator[Decoded]:
        """What comes of each packet, from the one with the mark on. Raises: Failure (encrypted)."""
        newest = byte = None
        for (number, packet), after in with_next(self._numbered(mark)):
            frames = self._decoded(packet)
            pts = packet.pts
            if newest is None or (pts is not None and pts > newest):
                newest = pts
            else:
                pts = None
            if packet.pos is not None:
                byte = packet.pos
            if mark is None or number >= mark.number:
                yield self._counted(Mark(number, pts, byte), frames, packet, after[1].pts if after else None)
        rest = self._decoded(None) or []
        self._heard(rest)
        yield Decoded(Mark(-1, None, None), rest)

    def _counted(
        self, mark: Mark, frames: list[AudioFrame] | None, packet: Packet[AudioStream], following: int | None
    ) -> Decoded:
        self.packets_read = mark.number + 1
        if frames:
            self._heard(frames)
            return Decoded(mark, frames, following)
        if frames is None:
            self.broken += 1
            return Decoded(mark, [], lost=self._length(packet))
        is_awaited = self.seconds and not packet.is_discard
        return Decoded(mark, [], awaited=self._length(packet) if is_awaited else 0.0)

    def _heard(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            self.seconds += frame.samples / frame.sample_rate

    def _length(self, packet: Packet[AudioStream]) -> float:
        """How long the sound of a packet would be, in seconds: what it states, or, if rounded, that of others."""
        stated, tick = self._seconds(packet.duration or 0), self._seconds(1)
        return self._usual if not stated or abs(stated - self._usual) <= tick else stated

    def _decoded(self, packet: Packet[AudioStream] | None) -> list[AudioFrame] | None:
        """The frames of a packet, or what is left at the end; None where it could not be decoded."""
        try:
            frames = self.stream.codec_context.decode(packet)
            # Asking each packet would take longer than to demux it. What is encrypted later on cannot be decoded.
            self._look(packet if self.seconds == 0 else None)
            if packet is not None and frames:
                self._usual = sum(frame.samples / frame.sample_rate for frame in frames)
            return frames
        except MemoryError:
            raise
        except av.error.FFmpegError as error:
            # Decoders fail at broken packets in any way, and after one have nothing left to flush.
            self._look(packet)
            self.is_unknown = isinstance(error, av.error.PatchWelcomeError)
        return None

    def _look(self, packet: Packet[AudioStream] | None) -> None:
        if packet is not None and packet.has_sidedata("encryption_info"):
            raise Failure("encrypted")

    def _numbered(self, mark: Mark | None) -> Numbered:
        if mark is None:
            return self.packets()
        number = mark.number
        if number > 2 * WARM_UP_PACKETS and mark.pts is not None:
            found = self._sought(number, mark.pts, mark.byte)
            if found is not None:
                return found
            self._reopen()
        return ((each, packet) for each, packet in self.packets() if each >= number - WARM_UP_PACKETS)

    def _sought(self, number: int, pts: int, byte: int | None) -> Numbered | None:
        """The packets from a little before the one with a mark, by the demuxer's index; None if it fails."""
        # In plain samples, packets are wherever one begins to read, and need nothing before them.
        ahead = 0 if self._track.codec.startswith("pcm_") else WARM_UP_SECONDS
        try:
            self._seek(self._seconds(pts) - ahead)
        except av.error.FFmpegError:
            return None
        before: deque[Packet[AudioStream]] = deque(maxlen=WARM_UP_PACKETS)
        packets = (packet for _, packet in self.packets())
        found = None
        for packet in packets:
            found = found if packet.pos is None else packet.pos
            if packet.pts is None or packet.pts > pts:
                return None
            if packet.pts == pts:
                if None not in (byte, found) and byte != found:
                    return None
                warm = not ahead or self._is_warm(before, pts)
                return enumerate(chain(before, [packet], packets), number - len(before)) if warm else None
            before.append(packet)
        return None

    def _is_warm(self, before: deque[Packet[AudioStream]], pts: int) -> bool:
        first = before[0].pts if before else None
        return len(before) == WARM_UP_PACKETS or (first is not None and self._seconds(pts - first) > 1)

    def _seconds(self, ticks: int) -> float:
        return float(ticks * (self.stream.time_base or 0))

    def _seek(self, seconds: float) -> None:
        # The index of a Matroska is that of its pictures.
        by_picture = "matroska" in self._container.format.name and self._container.streams.video
        stream = self._container.streams.video[0] if by_picture else self.stream
        self._container.seek(round(seconds / (stream.time_base or 1)), stream=stream)

    def _reopen(self) -> None:
        self._container = opened(self._container.file.file)
        self.stream = self._only()
        self.is_at_end = self.is_cut = False

    def _only(self) -> AudioStream:
        stream = self._container.streams.audio[self._track.position]
        for other in self._container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        # Threads would only make a fast decoder's frames come late.
        stream.codec_context.thread_count = 1
        tame(stream.codec_context)
        file: RangeFile = self._container.file.file
        if (wanted := needed_ranges(file, stream)) is not None:
            file.keep_only(wanted)
        return stream


def with_next(items: Iterable[T]) -> Iterator[tuple[T, T | None]]:
    """Each of them, and the one after it."""
    before: T | None = None
    for each in items:
        if before is not None:
            yield before, each
        before = each
    if before is not None:
        yield before, None
