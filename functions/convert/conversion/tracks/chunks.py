"""Chunks of an AVI that are in its index and cannot be found in the file: a download, or a disk, that lost a block.

FFmpeg looks for the next chunk that it knows, and counts on as if none had been between. The index knows each chunk,
and how much of the clock it takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from av.audio.stream import AudioStream
from av.packet import Packet

from functions.convert.conversion.marks import LOST, like
from functions.convert.conversion.source import RangeFile

__all__ = ["with_lost_chunks"]

# What is ahead of the content of a chunk: its kind and its size.
_HEAD = 8


def with_lost_chunks(
    file: RangeFile, stream: AudioStream, packets: Iterable[Packet[AudioStream]]
) -> Iterator[Packet[AudioStream]]:
    """The packets of an AVI, and one for each chunk that is missing; what follows is later.

    `file` is the one that the packets are of.
    """
    index, packet, moved = _Index(stream), None, 0
    for packet in packets:
        for duration in index.lost_before(packet):
            yield like(packet, LOST, None if packet.pts is None else packet.pts + moved, duration)
            moved += duration
        if moved and packet.pts is not None:
            packet.pts = packet.dts = packet.pts + moved
        yield packet
    if packet is not None:
        yield from (like(packet, LOST, None, duration) for duration in index.lost_at_the_end(file.size))


class _Index:
    """Which chunk in the index of a stream is next, and where: None where that is not known."""

    def __init__(self, stream: AudioStream) -> None:
        self._entries, self._count = stream.index_entries, len(stream.index_entries)
        self._number, self._place = 0, self._place_of(0)
        # Place and time stamp of the newest packet.
        self._pos, self._pts = -1, 0
        # In the index of plain samples, time is in bytes: so many are a tick.
        self._units = 0

    def lost_before(self, packet: Packet[AudioStream]) -> Iterable[int]:
        """How many ticks each chunk lasts that is missing between the newest packet and this one."""
        pos, pts = packet.pos, packet.pts
        if pos is None or pts is None:
            return ()
        lost = self._lost_until(pos, pts) if self._place is not None and pos >= self._place else ()
        self._pos, self._pts = pos, pts
        return lost

    def lost_at_the_end(self, size: int) -> Iterator[int]:
        """The same behind the newest packet, in a file of that size: what lies beyond that was cut off."""
        stop = self._number
        while (place := self._place_of(stop)) is not None and place + self._entries[stop].size <= size:
            stop += 1
        if self._place is None or self._place <= self._pos:
            return
        duration = 0
        for duration in self._durations(self._number, stop - 1):
            yield duration
        # How long the last one is, its size tells.
        if duration:
            share = self._entries[stop - 1].size / max(self._entries[stop - 2].size, 1)
            yield round(min(share, 1.0) * duration)

    def _lost_until(self, pos: int, pts: int) -> Iterable[int]:
        before, place = self._number, self._place
        number = before
        while (following := self._place_of(number + 1)) is not None and following <= pos:
            number += 1
        # Elsewhere, the index is wrong about where chunks are.
        is_known = self._place_of(number) == pos and place is not None and place > self._pos
        self._number, self._place = number + 1, following
        if number == before and is_known:
            self._measure(pts)
        return self._durations(before, number) if is_known else ()

    def _place_of(self, number: int) -> int | None:
        """Where the content of a chunk is; None behind the last."""
        return int(self._entries[number].pos) + _HEAD if number < self._count else None

    def _measure(self, pts: int) -> None:
        if not self._units and self._number > 1 and pts > self._pts:
            self._units = (self._time(self._number - 1) - self._time(self._number - 2)) // (pts - self._pts)

    def _durations(self, first: int, last: int) -> Iterator[int]:
        """How long each chunk lasts, from the first to the one before the last; nothing before a tick is known."""
        for number in range(first, last if self._units > 0 else first):
            yield max(self._time(number + 1) // self._units - self._time(number) // self._units, 0)

    def _time(self, number: int) -> int:
        return int(self._entries[number].timestamp)
