"""MP3s that were joined end to end: what lies between the frames of one and of the next is no sound.

FFmpeg's parser gives a tag in one packet with the frame behind it, and takes a picture in a tag for frames. Its packets
have all bytes of the file in order, so that they can be cut anew from there on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from av.audio.stream import AudioStream
from av.packet import Packet

from functions.convert.conversion.containers.mp3_tags import (
    first_tag,
    is_info_frame,
    may_be_more_than_a_frame,
)
from functions.convert.conversion.marks import like, with_next
from functions.convert.conversion.mpeg.frames import Header, header
from functions.convert.errors import FrameError

__all__ = ["frames_alone"]

# So many bytes have to be there to know a tag: the head of an APE tag.
_HEAD = 32
# Of what is no frame, so many bytes may be frames that were damaged: two of the longest, or more of others.
_MAX_DAMAGED, _MOSTLY = 2 * 1441, 0.9


def frames_alone(packets: Iterable[Packet[AudioStream]]) -> Iterator[Packet[AudioStream]]:
    """The packets of an MP3, without the tags and the header frames between its frames.

    What lies behind these moves up on the clock: a header frame would be 26 ms of silence. What is no frame, and no
    tag, stays where it is short: frames may have been there. Neither is anything trimmed where the first part ends by
    its header, since more sound comes.
    """
    for packet, after in with_next(_without_junk(_Cutter().cut(packets))):
        if after is not None and _is_trimmed_at_its_end(packet):
            yield like(packet, bytes(packet), packet.pts, packet.duration or 0)
        else:
            yield packet


def _without_junk(packets: Iterable[Packet[AudioStream]]) -> Iterator[Packet[AudioStream]]:
    """The packets; of what is no frame, and longer than a few, only the first one: it lasts as long as one frame.

    FFmpeg makes packets of any length of junk, each as long as a frame, and takes the frame behind it for more of it.
    Zeros stand for frames that were lost, or not downloaded yet: they last as long as frames of so many bytes.
    """
    moved = size = 0
    row: list[Packet[AudioStream]] = []
    frame: Packet[AudioStream] | None = None
    for packet in packets:
        if moved and packet.pts is not None:
            packet.pts = packet.dts = packet.pts + moved
        if _is_frame(packet):
            yield from row
            row, size, frame = [], 0, packet
            yield packet
            continue
        row.append(packet)
        was, size = size, size + packet.size
        if size > _MAX_DAMAGED:
            for number, junk in enumerate(row):
                lasts = _duration(junk, frame, is_first=not number and was <= _MAX_DAMAGED)
                moved += lasts - (junk.duration or 0)
                junk.duration = lasts
                if lasts:
                    yield junk
            row = []
    yield from row


def _duration(junk: Packet[AudioStream], frame: Packet[AudioStream] | None, *, is_first: bool) -> int:
    """How long junk lasts behind a frame, in ticks."""
    zeros = bytes(junk).count(0)
    # Parts of frames are in front of them and behind them.
    if frame and zeros > _MOSTLY * junk.size:
        return round(zeros * (frame.duration or 0) / frame.size)
    return (junk.duration or 0) if is_first else 0


def _is_frame(packet: Packet[AudioStream]) -> bool:
    """Whether it begins with the header of a frame of any layer (ISO/IEC 11172-3, 2.4.2.3)."""
    data = memoryview(packet)
    return len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0 and data[1] & 0x06 != 0


def _is_trimmed_at_its_end(packet: Packet[AudioStream]) -> bool:
    # AV_PKT_DATA_SKIP_SAMPLES: how many samples to discard at the start, and at the end, in four bytes each.
    return packet.has_sidedata("skip_samples") and any(bytes(packet.get_sidedata("skip_samples"))[4:8])


class _Cutter:
    """Cuts packets anew from the first tag or header frame on, until frames and packets are the same again."""

    def __init__(self) -> None:
        # What was read and not given yet, and how many bytes of a tag are still to come.
        self._rest, self._tag = b"", 0
        # When the next packet is, in ticks, once it is not when FFmpeg says.
        self._pts: int | None = None

    def cut(self, packets: Iterable[Packet[AudioStream]]) -> Iterator[Packet[AudioStream]]:
        """The packets without what lies between the frames."""
        packet = None
        for packet in packets:
            data = bytes(packet)
            if self._rest or self._tag or may_be_more_than_a_frame(data):
                self._pts = packet.pts if self._pts is None else self._pts
                self._rest += data
                yield from self._pieces(packet)
            else:
                yield self._timed(packet)
        if packet is not None and self._rest and first_tag(self._rest) != (0, None):
            yield self._piece(packet, len(self._rest))

    def _timed(self, packet: Packet[AudioStream]) -> Packet[AudioStream]:
        if self._pts is not None:
            packet.pts = packet.dts = self._pts
            self._pts += packet.duration or 0
        return packet

    def _pieces(self, packet: Packet[AudioStream]) -> Iterator[Packet[AudioStream]]:
        """Frames, and what is neither frame nor tag, as far as it is known with this packet what they are."""
        while self._rest:
            start, stop = (0, self._tag) if self._tag else first_tag(self._rest) or (len(self._rest), 0)
            head = _header(self._rest)
            if stop is None and start == 0:
                return
            if start == 0 and stop is not None:
                self._tag = max(stop - len(self._rest), 0)
                self._rest = self._rest[stop:]
            elif (head is None and 0 < len(self._rest) < _HEAD and start == len(self._rest)) or (
                head is not None and head.size > start and start == len(self._rest)
            ):
                return
            elif head is not None and is_info_frame(self._rest, head):
                self._rest = self._rest[head.size :]
            else:
                yield self._piece(packet, min(head.size, start) if head else start)

    def _piece(self, packet: Packet[AudioStream], size: int) -> Packet[AudioStream]:
        """So many bytes as a packet."""
        data, self._rest = self._rest[:size], self._rest[size:]
        head = _header(data)
        tick = packet.time_base
        duration = round(head.samples / head.sample_rate / tick) if head and tick else 0
        return self._timed(like(packet, data, None, duration))


def _header(data: bytes) -> Header | None:
    try:
        return header(data[:4])
    except FrameError:
        return None
