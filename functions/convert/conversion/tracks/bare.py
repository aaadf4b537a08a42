"""Frames with nothing around them, and zeros where some of them never came: a download, or a disk, that lost a block.

Such a file has no clock. How many frames are missing is known by how many bytes one has: each the same (AC-3, MP2,
DTS), or on average (AAC, TrueHD). FFmpeg takes zeros for a part of the frame before, or passes over them, and then is
wrong about where in the file it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from av.audio.stream import AudioStream
from av.packet import Packet

from functions.convert.conversion.containers.mp3_file import after_id3
from functions.convert.conversion.containers.mp3_tags import first_tag
from functions.convert.conversion.containers.zeros import share_of_zeros
from functions.convert.conversion.marks import LOST, like, with_next
from functions.convert.conversion.source import RangeFile

__all__ = ["BARE", "with_lost_frames"]

# FFmpeg's names of the formats; MP2 is one of "mp3".
BARE = {"mp3", "aac", "loas", "ac3", "eac3", "dts", "truehd", "mlp"}
# What lies between frames has to be zeros for this share to stand for frames: at its ends are parts of some.
_MOSTLY = 0.9
# So many bytes tell a tag; so many of a frame are looked at, and it is looked for in pieces of so many.
_TAG_HEAD, _LOOK, _STEP = 32, 16, 256 * 1024


class _Frames:
    """The frames of a file so far: how many, of how many bytes and ticks, and how long the longest is.

    They end `at` a place in the file; None once nobody knows.
    """

    def __init__(self, file: RangeFile) -> None:
        self.count = self.bytes = self.ticks = self.longest = 0
        self._file = file
        self._at: int | None = None

    def add(self, packet: Packet[AudioStream], size: int) -> None:
        """Count one; its frame has so many bytes."""
        self.count += 1
        self.bytes += size
        self.ticks += packet.duration or 0
        self.longest = max(self.longest, size)
        if self._at is not None:
            self._at += packet.size

    @property
    def ticks_each(self) -> int:
        """How long a frame is."""
        return round(self.ticks / self.count)

    def lost_before(self, packet: Packet[AudioStream]) -> int:
        """How many frames are missing between the newest and a packet."""
        if not self.count:
            self._at = self._found(packet, after_id3(self._file))
        at = self._at
        if at is None or self._file.glance(at, _LOOK) == bytes(memoryview(packet)[:_LOOK]):
            return 0
        self._at = self._found(packet, at)
        return 0 if self._at is None else self._frames_in(at, self._at)

    def lost_within(self, packet: Packet[AudioStream]) -> int:
        """How many frames are missing behind the first one in a packet."""
        if not self.count or packet.size < 2 * self.longest:
            return 0
        behind = bytes(packet)[self.longest :]
        return self._in_bytes(len(behind)) if behind.count(0) > _MOSTLY * len(behind) else 0

    def _found(self, packet: Packet[AudioStream], at: int) -> int | None:
        """Where in what was read a packet is, from a place on."""
        data, stop = bytes(packet), self._file.tell()
        for start in range(at, stop, _STEP):
            found = self._file.peek(start, min(_STEP + len(data) - 1, stop - start)).find(data)
            if found >= 0:
                return start + found
        return None

    def _frames_in(self, start: int, stop: int) -> int:
        tag = first_tag(self._file.peek(start, _TAG_HEAD))
        is_tag = tag is not None and tag[0] == 0
        is_lost = stop > start and not is_tag and share_of_zeros(self._file, start, stop - start) > _MOSTLY
        return self._in_bytes(stop - start) if is_lost else 0

    def _in_bytes(self, size: int) -> int:
        return round(size * self.count / self.bytes)


def with_lost_frames(file: RangeFile, packets: Iterable[Packet[AudioStream]]) -> Iterator[Packet[AudioStream]]:
    """The packets of bare frames, and packets that are none for those that zeros stand for; what follows is later.

    `file` is the one that the packets are of. Zeros at its end stand for nothing.
    """
    frames, moved = _Frames(file), 0
    for packet, after in with_next(packets):
        before, within = frames.lost_before(packet), frames.lost_within(packet) if after is not None else 0
        yield from _lost(packet, before, frames, moved)
        moved += before and before * frames.ticks_each
        taken = like(packet, bytes(packet)[: frames.longest], packet.pts, packet.duration or 0) if within else packet
        if moved and packet.pts is not None:
            taken.pts = taken.dts = packet.pts + moved
        yield taken
        frames.add(packet, taken.size)
        yield from _lost(taken, within, frames, packet.duration or 0)
        moved += within * frames.ticks_each


def _lost(packet: Packet[AudioStream], lost: int, frames: _Frames, later: int) -> Iterator[Packet[AudioStream]]:
    for number in range(lost):
        pts = None if packet.pts is None else packet.pts + later + number * frames.ticks_each
        yield like(packet, LOST, pts, frames.ticks_each)
