"""Packets that come twice: a recorder or a muxer that writes each one again, at the same time stamp."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from av.audio.stream import AudioStream
from av.packet import Packet

__all__ = ["once"]

# A PES packet of a transport stream holds several frames, and is written again as a whole.
_RECENT = 32


def once(packets: Iterable[Packet[AudioStream]]) -> Iterator[Packet[AudioStream]]:
    """The packets without those that have time stamp and bytes of one of the last ones.

    A decoder would put each of them after the other: sound twice as long, and blurred.
    """
    recent: deque[Packet[AudioStream]] = deque(maxlen=_RECENT)
    newest: int | None = None
    for packet in packets:
        pts = packet.pts
        if newest is not None and pts is not None and pts <= newest and _is_among(packet, recent):
            continue
        newest = pts
        recent.append(packet)
        yield packet


def _is_among(packet: Packet[AudioStream], recent: Iterable[Packet[AudioStream]]) -> bool:
    # Packets as short as a tick of the clock share a time stamp, and their bytes where they are silent.
    if (packet.duration or 0) <= 1:
        return False
    same = (each for each in recent if each.pts == packet.pts and each.size == packet.size)
    return any(bytes(each) == bytes(packet) for each in same)
