"""The packets and decoded frames of one track, from the start or from a packet in the middle."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain, count
from typing import TypeAlias

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Stream

from functions.convert.conversion import decoders
from functions.convert.conversion.decoders import Decoder
from functions.convert.conversion.following import followed
from functions.convert.conversion.further import opened_further
from functions.convert.conversion.layouts import tame
from functions.convert.conversion.media import Track
from functions.convert.conversion.needed_ranges import lost_seconds, needed_ranges
from functions.convert.conversion.probe import opened
from functions.convert.conversion.source import RangeFile
from functions.convert.conversion.tails import is_chained
from functions.shared.job_warnings import JobWarning
from functions.shared.reasons import Failure

__all__ = ["Mark", "TrackReader"]

Mark = tuple[int, int | None]
Numbered: TypeAlias = "Iterator[tuple[int, Packet[AudioStream]]]"

# From so many packets on, an index may want more memory than there is.
LARGE_INDEX = 1_000_000
# The demuxer seeks this many seconds back for the packets that a decoder needs ahead.
WARM_UP_SECONDS = 10


class TrackReader:
    """Reads one track of a freshly opened container; other streams are discarded.

    What it reports of what it read: `seconds` of samples, how many packets were `broken`, whether the demuxer stopped
    because the file `is_cut`, whether it `is_at_end`, and whether what the decoder could not do `is_unknown` to it.
    `newest` is the last packet that was read, `recordings` counts those in the file that were read, `left_rest` says
    that one more was not. `warnings`, the caller's list if there is one, has each code once. `origin` is the packet
    with which the decoder of now began, None for the first one.
    """

    def __init__(self, container: InputContainer, track: Track, warnings: list[JobWarning] | None = None) -> None:
        self.seconds = 0.0
        self.broken = 0
        self.warnings = [] if warnings is None else warnings
        self.newest: Packet[AudioStream] | None = None
        self.recordings = 1
        self.left_rest = False
        self.is_cut = False
        self.is_at_end = False
        self.is_unknown = False
        self.origin: Mark | None = None
        self._need = decoders.need_of(track.codec)
        self._track = track
        self._container = container
        self._file = self.file
        self._stream = self._decoding = self._only()
        self._decoder = Decoder(self._stream, self._need)

    @property
    def lost_index(self) -> bool:
        """Whether there was no memory for the whole index of an MP4: FFmpeg says nothing, and reads a part.

        A small one always fits: there it is damage.
        """
        return self._stream.frames > max(len(self._stream.index_entries), LARGE_INDEX)

    @property
    def file(self) -> RangeFile:
        """What is read."""
        # Typed as what av keeps: it wraps the file that it was given.
        file: RangeFile = self._container.file.file
        return file

    @property
    def format(self) -> str:
        """FFmpeg's name of the container."""
        return self._container.format.name

    @property
    def reached(self) -> float:
        """When the newest packet ends, in seconds of the file's clock; by the samples, where there is no clock."""
        packet = self.newest
        if packet is None or packet.pts is None:
            return self.seconds
        # Of a packet that is not whole, only plain samples are worth anything.
        is_whole = self._track.codec.startswith("pcm_") or not packet.is_corrupt
        return self._seconds(packet.pts + ((packet.duration or 0) if is_whole else 0))

    @property
    def file_reached(self) -> float:
        """When the newest packet of any track begins by the index, or that of this one ends, in the same seconds."""
        others = (stream for stream in self._container.streams if stream.index != self._stream.index)
        return max([self.reached, *map(_newest_in_index, others)])

    @property
    def stated_end(self) -> float | None:
        """When the track ends by what FFmpeg read of its length, or the file's, in seconds of the file's clock."""
        if self._stream.duration:
            return self._seconds(self._stream.duration + (self._stream.start_time or 0))
        whole = self._container.duration
        return (whole + (self._container.start_time or 0)) / av.time_base if whole else None

    @property
    def last_byte(self) -> int:
        """Where the last packet of any track ends by the index, in bytes."""
        last = [stream.index_entries[-1] for stream in self._container.streams if len(stream.index_entries)]
        return max((entry.pos + entry.size for entry in last), default=0)

    def lost_seconds(self) -> float:
        """How much sound the index of an MP4 has beyond the end of the file."""
        return lost_seconds(self._stream, self.file.size)

    def packets(self) -> Numbered:
        """Number and packet, from the first one on, wherever the sound goes on, and in further recordings."""
        counting = count()
        yield from zip(counting, self._recording(), strict=False)
        while self._go_on():
            yield from zip(counting, self._recording(), strict=False)
        self.is_at_end = True

    def _recording(self) -> Iterator[Packet[AudioStream]]:
        return followed(self.file, self._container, self._stream, self._packets_of)

    def _packets_of(self, container: InputContainer, stream: AudioStream) -> Iterator[Packet[AudioStream]]:
        self.is_cut = False
        try:
            for packet in container.demux(stream):
                # Packets without content are av's own, at the end: they would make the decoder stop.
                if packet.size:
                    self.newest = packet
                    yield packet
        except MemoryError:
            raise
        except av.error.FFmpegError as error:
            self.is_cut = True
            self.is_unknown = isinstance(error, av.error.PatchWelcomeError)
        except IndexError:
            # Where a stream began in the middle of the file, av 18 fails at the end of its own list of streams.
            pass

    def _go_on(self) -> bool:
        """Whether there is another recording behind the one that was read, which is open now."""
        try:
            container = opened_further(self._container, self.newest, self._track.position)
        except Failure:
            self.left_rest = True
            return False
        if container is None:
            return False
        self._container = container
        self._stream = self._only()
        self.is_cut = self.is_unknown = False
        self.recordings += 1
        return True

    def frames(
        self, mark: Mark | None, origin: Mark | None = None
    ) -> Iterator[tuple[int, int | None, list[AudioFrame]]]:
        """Number and time stamp of each packet, and its frames; what comes at the end has the number -1.

        The time stamp is None where it does not tell the packet from others. With a mark (number, time stamp), it is
        the first, and gives what it gave when it was read from the start; `origin` is what there was then. Raises:
        Failure (encrypted).
        """
        newest: int | None = None
        packets = self._numbered(mark and self._begin(mark, origin))
        self._decoding, self._decoder, self.origin = self._stream, Decoder(self._stream, self._need), origin
        for number, packet in packets:
            pts = packet.pts
            if newest is None or (pts is not None and pts > newest):
                newest = pts
            else:
                pts = None
            frames = self._decoded(number, packet)
            if number and self._decoder.renewed_at == number:
                self.origin = number, pts
            if mark is None or number >= mark[0]:
                self._count(frames)
                yield number, pts, frames
        rest = self._decoded(-1, None)
        self._count(rest)
        yield -1, None, rest

    def _count(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            self.seconds += frame.samples / frame.sample_rate

    def _decoded(self, number: int, packet: Packet[AudioStream] | None) -> list[AudioFrame]:
        if packet is not None and packet.stream is not self._decoding:
            # The sound goes on in another stream, and may come back.
            rest = self._decoded(number, None)
            self._decoding.codec_context.flush_buffers()
            self._decoding = packet.stream
            self._decoder = Decoder(packet.stream, self._need)
            return rest + self._decoded(number, packet)
        try:
            frames = self._decoder.flush() if packet is None else self._decoder.decode(number, packet)
            # Asking each packet would take longer than to demux it. What is encrypted later on cannot be decoded.
            self._look(packet if self.seconds == 0 else None)
            return frames
        except MemoryError:
            raise
        except av.error.FFmpegError as error:
            self._look(packet)
            # Decoders fail at broken packets in any way, and after one have nothing left to flush.
            self.broken += packet is not None
            self.is_unknown = isinstance(error, av.error.PatchWelcomeError)
        return []

    def _look(self, packet: Packet[AudioStream] | None) -> None:
        if packet is not None and packet.has_sidedata("encryption_info"):
            raise Failure("encrypted")

    def _begin(self, mark: Mark, origin: Mark | None) -> Mark | None:
        """The packet that decoding has to begin with so that it gives the same from the mark on; None: the first."""
        if not self._need.is_renewed:
            return mark if self._need.packets is not None else None
        # The releases before this one know no origin.
        return origin or (mark if mark[0] > decoders.RENEWED_AFTER else None)

    def _numbered(self, mark: Mark | None) -> Numbered:
        """The packets that a decoder needs before one, and those from there on."""
        if mark is None:
            return self.packets()
        (number, pts), ahead = mark, self._need.packets or 0
        if number > 2 * ahead and pts is not None and self._can_seek():
            found = self._sought(number, pts, ahead)
            if found is not None:
                return found
            self._reopen()
        return ((each, packet) for each, packet in self.packets() if each >= number - ahead)

    def _can_seek(self) -> bool:
        """Whether a time stamp is that of one packet, and what comes after it is the same as without seeking.

        In a chain of recordings it may be that of several. In an MP3, FFmpeg trims by times, and guesses them after it.
        """
        return self.format != "mp3" and not is_chained(self.file)

    def _sought(self, number: int, pts: int, ahead: int) -> Numbered | None:
        """As `_numbered`, by the demuxer's index; None if it fails."""
        try:
            # In plain samples, packets are wherever one begins to read.
            self._seek(self._seconds(pts) - (WARM_UP_SECONDS if ahead else 0))
        except av.error.FFmpegError:
            return None
        before: deque[Packet[AudioStream]] = deque(maxlen=ahead)
        packets = (packet for _, packet in self.packets())
        for seen, packet in enumerate(packets):
            if packet.pts is None or packet.pts > pts:
                return None
            if packet.pts == pts:
                # The first one after a jump may be a part of a packet.
                is_warm = not ahead or seen > ahead
                return enumerate(chain(before, [packet], packets), number - len(before)) if is_warm else None
            before.append(packet)
        return None

    def _seconds(self, ticks: int) -> float:
        return float(ticks * (self._stream.time_base or 0))

    def _seek(self, seconds: float) -> None:
        # The index of a Matroska is that of its pictures.
        by_picture = "matroska" in self._container.format.name and self._container.streams.video
        stream = self._container.streams.video[0] if by_picture else self._stream
        self._container.seek(round(seconds / (stream.time_base or 1)), stream=stream)

    def _reopen(self) -> None:
        self._container = opened(self._file)
        self._stream = self._decoding = self._only()
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


def _newest_in_index(stream: Stream) -> float:
    entries = stream.index_entries
    return float(entries[-1].timestamp * (stream.time_base or 0)) if len(entries) else 0.0
