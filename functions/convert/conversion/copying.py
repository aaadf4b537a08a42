"""MP3 frames that are copied as they are, under a new header that makes them gapless."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import repeat

from av.audio.stream import AudioStream
from av.packet import Packet

from functions.convert.conversion.frames import header, muted, side_info, silent, slot
from functions.convert.conversion.mp3 import around
from functions.convert.conversion.plan import Plan
from functions.convert.conversion.reading import with_next
from functions.convert.conversion.timeline import Timeline
from functions.convert.conversion.xing import Tally
from functions.convert.errors import FrameError

__all__ = ["Copy"]

# Frames go out in pieces of about this size.
PIECE = 256 * 1024
# The delay of every decoder, which FFmpeg adds to the delay that a file states (libavformat/mp3dec.c).
DECODER_DELAY = 529
# AV_PKT_DATA_SKIP_SAMPLES: how many samples of the packet to discard at its start, and at its end.
_SKIP = struct.Struct("<II")


class Copy:
    """Takes the packets of an MP3 track, and puts frames of silence where it has a hole. `samples` counts the audible
    samples so far."""

    def __init__(self, plan: Plan, timeline: Timeline) -> None:
        self.samples = 0
        self._plan, self._timeline = plan, timeline
        self._tally = Tally(None)
        self._skipped = 0
        # How many bytes of main data there are since a hole; None once no frame wants more.
        self._reservoir: int | None = None

    def frames(self, packets: Iterable[Packet[AudioStream]]) -> Iterator[bytes]:
        """The frames of the packets, in pieces; what is no frame is left out."""
        piece = bytearray()
        last = None
        for packet, after in with_next(packets):
            data = bytes(packet)
            if not _is_frame(data) or (packet.is_discard and last):
                continue
            if last is None:
                self._begin(packet, header(data[:4]).sample_rate)
            last = packet
            for frame in self._on_the_clock(packet.pts, after.pts if after else None, data):
                self.samples += header(frame[:4]).samples
                piece += frame
                if len(piece) >= PIECE:
                    yield self._counted(piece)
        # Only the first and the last one can have samples to discard, and asking every packet takes long.
        self.samples = max(0, self.samples - _skip(last)[1])
        yield self._counted(piece)

    def ends(self, cover: bytes | None) -> tuple[bytes, bytes]:
        """What stands before the frames, and what after them."""
        delay = self._skipped - DECODER_DELAY if self._skipped >= DECODER_DELAY else None
        return around(self._plan, self._tally.header(self.samples, delay), cover)

    def _begin(self, packet: Packet[AudioStream], rate: int) -> None:
        self._skipped, _ = _skip(packet)
        self.samples = -self._skipped
        self._timeline.skip(self._skipped, rate)

    def _on_the_clock(self, pts: int | None, following: int | None, frame: bytes) -> Iterator[bytes]:
        head = header(frame[:4])
        gap, dropped = self._timeline.place(pts, head.samples, head.sample_rate, following, whole=True)
        if gap:
            yield from repeat(silent(frame), gap // head.samples)
            self._reservoir = 0
        if not dropped:
            yield self._mended(frame)

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


def _skip(packet: Packet[AudioStream] | None) -> tuple[int, int]:
    """How many samples of a packet are not heard, at its start and at its end."""
    if packet is None or not packet.has_sidedata("skip_samples"):
        return 0, 0
    start, end = _SKIP.unpack_from(bytes(packet.get_sidedata("skip_samples")))
    return start, end


def _is_frame(data: bytes) -> bool:
    try:
        return header(data[:4]).size == len(data)
    except FrameError:
        return False
