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

from functions.convert.conversion.containers.further import opened_further
from functions.convert.conversion.containers.tails import has_gxf_end, is_chained
from functions.convert.conversion.marks import Ahead, Decoded, Mark, Place, is_lost
from functions.convert.conversion.media import Track
from functions.convert.conversion.tracks import changing, decoders
from functions.convert.conversion.tracks.decoders import Decoder
from functions.convert.conversion.tracks.recording import mended_packets
from functions.convert.conversion.tracks.track_file import TrackFile
from functions.shared.job_warnings import JobWarning
from functions.shared.reasons import Failure

__all__ = ["TrackReader"]

Numbered: TypeAlias = "Iterator[tuple[int, Packet[AudioStream]]]"

# The demuxer seeks this many seconds back for the packets that a decoder needs ahead.
WARM_UP_SECONDS = 10
# So many packets may have a wrong time stamp in a row: a cluster of a Matroska, which has one for all of them, lasts
# five seconds at most in most files.
LOOK_AHEAD = 256
DAMAGED = "damaged-pages"


class TrackReader(TrackFile):
    """Reads one track of a freshly opened container; other streams are discarded.

    What it reports of what it read: `seconds` of decoded sound; of how many `packets_read`, since the first one of the
    track, how many were `broken`, with those that are `missing` between them; whether the demuxer stopped because the
    file `is_cut`, whether it `is_at_end`, and whether what the decoder could not do `is_unknown` to it. `newest` is the
    last packet that was read, `recordings` counts those in the file that were read, `left_rest` says that one more was
    not. `warnings`, the caller's list if there is one, has each code once. `origin` is the packet with which the
    decoder of now began, None for the first.
    """

    def __init__(self, container: InputContainer, track: Track, warnings: list[JobWarning] | None = None) -> None:
        super().__init__(container, track)
        self.seconds = 0.0
        self.packets_read = 0
        self.broken = self.missing = 0
        # How many of these came last, without sound after them.
        self.broken_last = 0
        self.warnings = [] if warnings is None else warnings
        self.recordings = 1
        # Whether all frames count time in ticks of the first stream; to ask each of them would take long.
        self.has_one_tick = True
        self.left_rest = False
        self.is_cut = False
        self.is_at_end = False
        self.is_unknown = False
        self.origin: Mark | None = None
        # Of an Ogg: how many damaged pages of this recording, and of those before it, there is a warning of.
        self._told = self._told_before = 0
        # How long the sound of the newest packet was, in seconds.
        self._usual = 0.0
        self._ahead: Ahead[tuple[int, Packet[AudioStream]]] = Ahead(())
        self._need = decoders.need_of(track.codec)
        self._decoding = self.stream
        self._decoder = Decoder(self.stream.codec_context, self._need)
        # The name of the decoder, where the codec may change; else "".
        self._kind = changing.decoder_of(track.codec) if self.format in changing.CHANGING else ""

    def packets(self) -> Numbered:
        """Number and packet, from the first one on, wherever the sound goes on, and in further recordings."""
        counting = count()
        yield from zip(counting, self._recording(), strict=False)
        while self._go_on():
            yield from zip(counting, self._recording(), strict=False)
        self._look_at_pages()
        self.is_at_end = True

    def _recording(self) -> Iterator[Packet[AudioStream]]:
        return mended_packets(self.file, self._container, self.stream, self._packets_of)

    def _packets_of(self, container: InputContainer, stream: AudioStream) -> Iterator[Packet[AudioStream]]:
        self.is_cut = False
        try:
            for packet in container.demux(stream):
                # Packets without content are av's own, at the end: they would make the decoder stop.
                if packet.size:
                    self.newest = packet
                    self._look_at_pages()
                    yield packet
        except MemoryError:
            raise
        except av.error.FFmpegError as error:
            # FFmpeg's demuxer knows no end of a GXF, and fails there.
            self.is_cut = self.format != "gxf" or not has_gxf_end(self.file)
            self.is_unknown = isinstance(error, av.error.PatchWelcomeError)
        except IndexError:
            # Where a stream began in the middle of the file, av 18 fails at the end of its own list of streams.
            pass

    def _look_at_pages(self) -> None:
        """Warn of damaged pages. Resumed, they are counted from the start again."""
        pages = self._file.pages
        if pages is None or pages.damaged == self._told:
            return
        self._told = pages.damaged
        others = [warning for warning in self.warnings if warning.code != DAMAGED]
        self.warnings[:] = [*others, JobWarning(DAMAGED, {"pages": self._told_before + self._told})]

    def _go_on(self) -> bool:
        """Whether there is another recording behind the one that was read, which is open now."""
        self._look_at_pages()
        try:
            container = opened_further(self._container, self.newest, self._track.position)
        except Failure:
            self.left_rest = True
            return False
        if container is None:
            return False
        self._told_before, self._told = self._told_before + self._told, 0
        self._container = container
        self.stream = self._only()
        self.is_cut = self.is_unknown = False
        self.recordings += 1
        self.has_one_tick = False
        return True

    def frames(self, mark: Mark | None, origin: Mark | None = None) -> Iterator[Decoded]:
        """What comes of each packet, from the one with the mark on; `origin` is what there was then.

        It is what came of it when it was read from the start. Raises: Failure (encrypted).
        """
        newest = byte = None
        numbered = self._numbered(mark and self._begin(mark, origin))
        self._ahead = Ahead(numbered)
        first = next(self._ahead.next_ones(1), None)
        self._decoding, self.origin = first[1].stream if first else self.stream, origin
        self._decoder = Decoder(self._decoding.codec_context, self._need)
        for number, packet in self._ahead:
            pts = packet.pts
            if newest is None or (pts is not None and pts > newest):
                newest = pts
            else:
                pts = None
            byte = byte if (pos := packet.pos) is None else pos
            here = (number, pts, byte)
            frames = self._made(here, packet)
            if number and self._decoder.renewed_at == number:
                self.origin = Mark(*here)
            if mark is None or number >= mark.number:
                yield self._counted(here, frames, packet)
        rest = self._decoded(-1, None) or []
        self.seconds += _length_of(rest)
        yield None, rest, 0.0, 0.0

    def stamps(self) -> Iterator[tuple[int | None, int]]:
        """Time stamp and length of the packets that come next, in ticks of the track."""
        for _, packet in self._ahead.next_ones(LOOK_AHEAD):
            if not self.has_one_tick:
                return
            yield packet.pts, packet.duration or 0

    def _counted(self, here: Place, frames: list[AudioFrame] | None, packet: Packet[AudioStream]) -> Decoded:
        self.packets_read = here[0] + 1
        if frames:
            self.seconds += self._usual if len(frames) == 1 else _length_of(frames)
            self.broken_last = 0
            return here, frames, 0.0, 0.0
        if frames is None:
            self.broken += 1
            self.broken_last += 1
            return here, [], self._length(packet), 0.0
        is_awaited = self.seconds and not packet.is_discard
        return here, [], 0.0, self._length(packet) if is_awaited else 0.0

    def _length(self, packet: Packet[AudioStream]) -> float:
        """How long the sound of a packet would be, in seconds: what it states, or, if rounded, that of others."""
        tick = float(packet.time_base or 0)
        stated = (packet.duration or 0) * tick
        return self._usual if not stated or abs(stated - self._usual) <= tick else stated

    def _decoded(self, number: int, packet: Packet[AudioStream] | None) -> list[AudioFrame] | None:
        """The frames of a packet, or what is left at the end; None where it could not be decoded."""
        if packet is not None and is_lost(packet):
            return None
        try:
            frames = self._decoder.flush() if packet is None else self._decoder.decode(number, packet)
            # Asking each packet would take longer than to demux it. What is encrypted later on cannot be decoded.
            if not self.seconds:
                self._look(packet)
            if packet is not None and frames:
                self._usual = frames[0].samples / frames[0].sample_rate if len(frames) == 1 else _length_of(frames)
            return frames
        except MemoryError:
            raise
        except av.error.FFmpegError as error:
            # Decoders fail at broken packets in any way, and after one have nothing left to flush.
            self._look(packet)
            self.is_unknown = isinstance(error, av.error.PatchWelcomeError)
        return None

    def _made(self, here: Place, packet: Packet[AudioStream]) -> list[AudioFrame] | None:
        """As `_decoded`, by another decoder from a packet on that needs one."""
        if packet.stream is not self._decoding:
            return self._moved_to(packet.stream, here) + (self._decoded(here[0], packet) or [])
        kind = changing.changed(packet, self._after, self._kind) if self._kind else None
        if kind is None:
            return self._decoded(here[0], packet)
        rest, self.origin = self._changed_to(kind), Mark(*here)
        return rest + (self._decoded(here[0], packet) or [])

    @property
    def _after(self) -> Packet[AudioStream] | None:
        return next((packet for _, packet in self._ahead.next_ones(1)), None)

    def _changed_to(self, kind: str) -> list[AudioFrame]:
        """Go on with another decoder. Returns: what is left in the one before."""
        rest = self._decoded(-1, None) or []
        self._kind, self._need = kind, decoders.RENEWED
        self._decoder = Decoder(changing.made(kind), self._need)
        return rest

    def _moved_to(self, stream: AudioStream, here: Place) -> list[AudioFrame]:
        """Go on in another stream; the sound may come back. Returns: what is left in the decoder of the one before."""
        rest = self._decoded(-1, None) or []
        before, codec = self._decoding.codec_context, stream.codec_context.codec
        before.flush_buffers()
        if before.codec.canonical_name != codec.canonical_name:
            self._need, self.origin = decoders.need_of(codec.canonical_name), Mark(*here)
        self._decoding, self._decoder = stream, Decoder(stream.codec_context, self._need)
        return rest

    def _look(self, packet: Packet[AudioStream] | None) -> None:
        if packet is not None and packet.has_sidedata("encryption_info"):
            raise Failure("encrypted")

    def _begin(self, mark: Mark, origin: Mark | None) -> Mark | None:
        """The packet that decoding has to begin with so that it gives the same from the mark on; None: the first."""
        if not self._need.is_renewed and origin is None:
            return mark if self._need.packets is not None else None
        # The releases before this one know no origin.
        return origin or (mark if mark[0] > decoders.RENEWED_AFTER else None)

    def _numbered(self, mark: Mark | None) -> Numbered:
        """The packets that a decoder needs before one, and those from there on."""
        if mark is None:
            return self.packets()
        number, ahead = mark.number, self._need.packets or 0
        if number > 2 * ahead and mark.pts is not None and self._can_seek():
            found = self._sought(mark, mark.pts, ahead)
            if found is not None:
                return found
            self._reopen()
            self.is_at_end = self.is_cut = False
        return ((each, packet) for each, packet in self.packets() if each >= number - ahead)

    def _can_seek(self) -> bool:
        """Whether a time stamp is that of one packet, and what comes after it is the same as without seeking.

        In a chain of recordings it may be that of several. In an MP3, FFmpeg trims by times, and guesses them after it.
        Of an Ogg, pages that are damaged are mended by those before them.
        """
        is_damaged = any(warning.code == DAMAGED for warning in self.warnings)
        return self.format != "mp3" and not is_damaged and not is_chained(self.file)

    def _sought(self, mark: Mark, pts: int, ahead: int) -> Numbered | None:
        """As `_numbered`, by the demuxer's index; None if it fails."""
        try:
            # In plain samples, packets are wherever one begins to read.
            self._seek(self._seconds(pts) - (WARM_UP_SECONDS if ahead else 0))
        except av.error.FFmpegError:
            return None
        before: deque[Packet[AudioStream]] = deque(maxlen=ahead)
        packets = (packet for _, packet in self.packets())
        found = None
        for seen, packet in enumerate(packets):
            found = found if packet.pos is None else packet.pos
            if packet.pts is None or packet.pts > pts:
                return None
            if packet.pts == pts:
                if None not in (mark.byte, found) and mark.byte != found:
                    return None
                # The first one after a jump may be a part of a packet.
                is_warm = not ahead or seen > ahead
                return enumerate(chain(before, [packet], packets), mark.number - len(before)) if is_warm else None
            before.append(packet)
        return None


def _length_of(frames: list[AudioFrame]) -> float:
    """How long the sound of frames is, in seconds."""
    return sum([frame.samples / frame.sample_rate for frame in frames])
