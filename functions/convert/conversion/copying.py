"""MP3 frames that are copied as they are, under a new header that makes them gapless."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from av.audio.stream import AudioStream
from av.packet import Packet

from functions.convert.conversion.frames import Header, header, offsets
from functions.convert.conversion.mp3 import around
from functions.convert.conversion.plan import Plan
from functions.convert.conversion.xing import Tally
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
# AV_PKT_DATA_SKIP_SAMPLES: how many samples of the packet to discard at its start, and at its end.
_SKIP = struct.Struct("<II")


class Copy:
    """Takes the packets of an MP3 track. `samples` counts the audible samples so far."""

    def __init__(self, plan: Plan) -> None:
        self.samples = 0
        self._plan = plan
        self._tally = Tally(None)
        self._first: Header | None = None
        self._skipped = self._padding = 0
        self._is_odd = False

    @property
    def seconds(self) -> float:
        """How long the frames so far are to be heard, by their own sample rate."""
        return self.samples / self._first.sample_rate if self._first else 0.0

    def frames(self, packets: Iterable[Packet[AudioStream]]) -> Iterator[bytes]:
        """The frames of the packets, in pieces. What comes last and is no whole frame is left out.

        Raises: NotOneStream, after any number of pieces, where a copy would not be what a decoder gives.
        """
        piece = bytearray()
        for packet in packets:
            self._check_trim(packet)
            piece += self._frames(bytes(packet))
            if len(piece) >= PIECE:
                yield self._counted(piece)
        if self._first is None:
            raise NotOneStream("no frame at all")
        self.samples = max(0, self.samples - self._skipped - self._padding)
        yield self._counted(piece)

    def ends(self, cover: bytes | None) -> tuple[bytes, bytes]:
        """What stands before the frames, and what after them."""
        delay = self._skipped - DECODER_DELAY if self._skipped >= DECODER_DELAY else None
        return around(self._plan, self._tally.header(self.samples, delay), cover)

    def _frames(self, data: bytes) -> bytes:
        """The packet, if it is whole frames like the first one; nothing, if it may be what is left at the end."""
        if self._is_odd:
            raise NotOneStream("what is no frame, in between")
        try:
            head = header(data[:4])
            heads = [head] if head.size == len(data) else [each for _, each in offsets(data)]
        except FrameError:
            self._is_odd = True
            return b""
        for head in heads:
            self._take(head)
        return data

    def _take(self, head: Header) -> None:
        first = self._first = self._first or head
        if (head.sample_rate, head.channels) != (first.sample_rate, first.channels):
            raise NotOneStream("frames of another rate, or other channels")
        self.samples += head.samples

    def _check_trim(self, packet: Packet[AudioStream]) -> None:
        """An edit list trims by whole packets, and by samples of the first and the last one."""
        if packet.is_discard or self._padding:
            raise NotOneStream("trimmed")
        if packet.has_sidedata("skip_samples"):
            start, self._padding = _SKIP.unpack_from(bytes(packet.get_sidedata("skip_samples")))
            self._skipped += start
            if start > (0 if self._first else MAX_DELAY) or self._padding > MAX_PADDING:
                raise NotOneStream("trimmed")

    def _counted(self, piece: bytearray) -> bytes:
        frames = bytes(piece)
        piece.clear()
        self._tally.count(frames)
        return frames
