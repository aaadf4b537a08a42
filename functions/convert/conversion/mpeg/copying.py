"""MP3 frames that are copied as they are, under a new header that makes them gapless."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import repeat

from av.audio.stream import AudioStream
from av.packet import Packet

from functions.convert.conversion.marks import Ahead
from functions.convert.conversion.mpeg.frames import Header, muted, offsets, side_info, silent, slot, split
from functions.convert.conversion.mpeg.mp3 import around
from functions.convert.conversion.mpeg.xing import Tally
from functions.convert.conversion.plan import Plan
from functions.convert.conversion.sound.timeline import Timeline
from functions.convert.errors import FrameError, NotOneStream

__all__ = ["Copy"]

# Frames go out in pieces of about this size.
PIECE = 256 * 1024
# The delay of every decoder, which FFmpeg adds to the delay that a file states (libavformat/mp3dec.c).
DECODER_DELAY = 529
# An encoder's delay, and that of the decoder, are at most so many samples: what is cut off beyond that was sound.
MAX_DELAY = 1152 + DECODER_DELAY
# At the end an encoder fills up the last frame, and adds one so that the decoder gives all of it.
MAX_PADDING = 2 * 1152
# So many headers are remembered. A stream has a few: of each bitrate, with and without padding, in each stereo mode.
MAX_ALIKE = 4096
# How many packets may have a wrong time stamp in a row.
LOOK_AHEAD = 256
# AV_PKT_DATA_SKIP_SAMPLES: how many samples of the packet to discard at its start, and at its end.
_SKIP = struct.Struct("<II")


class Copy:
    """Takes the packets of an MP3 track, and puts frames of silence where it has a hole. `samples` counts the audible
    samples so far."""

    def __init__(self, plan: Plan, timeline: Timeline) -> None:
        self.samples = 0
        self._plan, self._timeline = plan, timeline
        self._tally = Tally(None)
        self._first: Header | None = None
        self._delay = self._skipped = 0
        self._is_at_end = False
        # The headers that have come, by their bytes: few.
        self._alike: dict[bytes, Header] = {}
        # How many bytes of main data there are since a hole; None once no frame wants more.
        self._reservoir: int | None = None

    @property
    def seconds(self) -> float:
        """How long the frames so far are to be heard, by their own sample rate."""
        return self.samples / self._first.sample_rate if self._first else 0.0

    def frames(self, packets: Iterable[Packet[AudioStream]]) -> Iterator[bytes]:
        """The frames of the packets, in pieces. What comes last and is no whole frame is left out.

        Raises: NotOneStream, after any number of pieces, where a copy would not be what a decoder gives.
        """
        piece = bytearray()
        ahead = Ahead(packets)
        for packet in ahead:
            data, samples = self._taken(packet)
            for part in self._on_the_clock(packet.pts, ahead, data, samples):
                piece += part
                if len(piece) >= PIECE:
                    yield self._counted(piece)
        if self._first is None:
            raise NotOneStream("no frame at all")
        self.samples = max(0, self.samples - self._skipped)
        yield self._counted(piece)

    def ends(self, cover: bytes | None) -> tuple[bytes, bytes]:
        """What stands before the frames, and what after them."""
        delay = self._delay - DECODER_DELAY if self._delay >= DECODER_DELAY else None
        return around(self._plan, self._tally.header(self.samples, delay), cover)

    def _taken(self, packet: Packet[AudioStream]) -> tuple[bytes, int]:
        """The frames of a packet, and how many samples they have."""
        data = bytes(packet)
        head = self._alike.get(data[:4])
        # What goes for nearly every packet of an hour, in the fewest steps.
        if head is None or head.size != len(data) or packet.is_discard or packet.has_sidedata("skip_samples"):
            return self._checked(packet, data)
        if self._is_at_end:
            raise NotOneStream("something after the end")
        return data, head.samples

    def _checked(self, packet: Packet[AudioStream], data: bytes) -> tuple[bytes, int]:
        """The packet, if it is whole frames like the first one; nothing, if it may be what is left at the end."""
        if self._is_at_end:
            raise NotOneStream("something after the end")
        self._take_trim(packet)
        try:
            heads = [head for _, head in offsets(data)]
        except FrameError:
            self._is_at_end = True
            return b"", 0
        for head in heads:
            self._check(head)
        if len(self._alike) < MAX_ALIKE:
            self._alike |= {data[:4]: head for head in heads[:1]}
        return data, sum(head.samples for head in heads)

    def _check(self, head: Header) -> None:
        if self._first is None:
            self._first = head
            self._timeline.skip(self._delay, head.sample_rate)
        if (head.sample_rate, head.channels) != (self._first.sample_rate, self._first.channels):
            raise NotOneStream("frames of another rate, or other channels")

    def _take_trim(self, packet: Packet[AudioStream]) -> None:
        """An edit list trims by whole packets, and by samples of the first and the last one."""
        if packet.is_discard:
            raise NotOneStream("trimmed")
        if packet.has_sidedata("skip_samples"):
            start, padding = _SKIP.unpack_from(bytes(packet.get_sidedata("skip_samples")))
            if start > (0 if self._first else MAX_DELAY) or padding > MAX_PADDING:
                raise NotOneStream("trimmed")
            self._delay += start
            self._skipped += start + padding
            self._is_at_end = padding > 0

    def _on_the_clock(
        self, pts: int | None, ahead: Ahead[Packet[AudioStream]], data: bytes, samples: int
    ) -> Iterator[bytes]:
        """The frames of a packet, silence before them where the clock has a hole; nothing, where they come twice."""
        if not samples or self._first is None:
            return
        gap, dropped = self._timeline.place(pts, samples, self._first.sample_rate, lambda: _stamps(ahead), whole=True)
        if gap:
            yield from repeat(silent(data), gap // self._first.samples)
            self.samples += gap
            self._reservoir = 0
        if not dropped:
            self.samples += samples
            yield data if self._reservoir is None else b"".join(map(self._mended, split(data)))

    def _mended(self, frame: bytes) -> bytes:
        """The frame; after a hole without its sound, if that has main data in frames that are missing."""
        if self._reservoir is None:
            return frame
        if side_info(frame).main_data_begin <= self._reservoir:
            self._reservoir = None
            return frame
        # Without its CRC, a frame has two bytes more between its main data and that of the frame before.
        self._reservoir = len(slot(frame)) + (self._reservoir if frame[1] & 1 else 0)
        return muted(frame)

    def _counted(self, piece: bytearray) -> bytes:
        frames = bytes(piece)
        piece.clear()
        self._tally.count(frames)
        return frames


def _stamps(ahead: Ahead[Packet[AudioStream]]) -> Iterator[tuple[int | None, int]]:
    return ((packet.pts, packet.duration or 0) for packet in ahead.next_ones(LOOK_AHEAD))
