"""MP3 frames that are copied as they are, under a new header that makes them gapless."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from av.audio.stream import AudioStream
from av.packet import Packet

from functions.convert.conversion.frames import header
from functions.convert.conversion.mp3 import around
from functions.convert.conversion.plan import Plan
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
    """Takes the packets of an MP3 track. `samples` counts the audible samples so far."""

    def __init__(self, plan: Plan) -> None:
        self.samples = 0
        self._plan = plan
        self._tally = Tally(None)
        self._skipped = 0

    def frames(self, packets: Iterable[Packet[AudioStream]]) -> Iterator[bytes]:
        """The frames of the packets, in pieces; what is no frame is left out."""
        piece = bytearray()
        first = last = None
        for packet in packets:
            data = bytes(packet)
            if _is_frame(data):
                self.samples += header(data[:4]).samples
                piece += data
                first, last = first or packet, packet
            if len(piece) >= PIECE:
                yield self._counted(piece)
        # Only these can have samples to discard, and asking every packet takes long.
        for end in {first, last}:
            self._skip(end)
        yield self._counted(piece)

    def ends(self, cover: bytes | None) -> tuple[bytes, bytes]:
        """What stands before the frames, and what after them."""
        delay = self._skipped - DECODER_DELAY if self._skipped >= DECODER_DELAY else None
        return around(self._plan, self._tally.header(self.samples, delay), cover)

    def _skip(self, packet: Packet[AudioStream] | None) -> None:
        if packet is not None and packet.has_sidedata("skip_samples"):
            start, end = _SKIP.unpack_from(bytes(packet.get_sidedata("skip_samples")))
            self._skipped += start
            self.samples = max(0, self.samples - start - end)

    def _counted(self, piece: bytearray) -> bytes:
        frames = bytes(piece)
        piece.clear()
        self._tally.count(frames)
        return frames


def _is_frame(data: bytes) -> bool:
    try:
        return header(data[:4]).size == len(data)
    except FrameError:
        return False
