"""Sound that goes on elsewhere in the file, under another PID or stream number, or in an FLV in another codec."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from functions.convert.conversion.containers import flv_tags
from functions.convert.conversion.containers.probe import opened, probe
from functions.convert.conversion.source import RangeFile
from functions.convert.conversion.tracks.choosing import ranked
from functions.convert.conversion.tracks.languages import same_language
from functions.convert.conversion.tracks.layouts import tame
from functions.shared.reasons import Failure

__all__ = ["Packets", "followed"]

# Containers without an index, that can be read from anywhere on; and one in which each codec has a stream of its own.
_STREAMED, _FLV = ("mpegts", "mpeg"), "flv"
# Less than so much of the file after the last packet is its end: as a share, and in bytes.
_END_SHARE, _END_BYTES = 0.02, 32 * 1024
# A stream that began so much before the other one ended was there beside it; and only where there is nothing for longer
# than this, somewhere else is looked for it. In seconds.
_BESIDE_SECONDS, _HOLE_SECONDS = 1.0, 1.0
# In the file, a stream may begin before the last packets of the one that it follows: by so much, in seconds.
_EARLIER_SECONDS = 0.5
# A gap in the file of so much of it, though none in time, is what a muxer leaves that wrote the last packets too late.
_LARGE_SHARE = 0.2
# So many holes are looked into: each costs what FFmpeg reads of a file to know its streams.
_MAX_HOLES = 32

Packets: TypeAlias = "Callable[[InputContainer, AudioStream], Iterator[Packet[AudioStream]]]"


class _Part:
    """A container that begins at `start` of the file, and the stream in it with which the sound goes on.

    `last` is the packet that was taken last; its sound ends at `stop` of the file, or else a little after `before`.
    """

    def __init__(self, file: RangeFile, container: InputContainer, stream: AudioStream, start: int = 0) -> None:
        self.container, self.stream = container, stream
        self.kind = container.format.name
        self.last: Packet[AudioStream] | None = None
        self.before = self.stop = self._place = self._start = start
        # Where `before` is next, and the time there; and whether what comes now comes too late in the file.
        self._next: tuple[int, int | None] = (start, None)
        self._is_late, self._large = False, _LARGE_SHARE * file.size

    def place(self, packet: Packet[AudioStream]) -> int:
        """Where in the file a packet is; where the one before was, if it does not know."""
        return self._place if packet.pos is None else self._start + packet.pos

    def take(self, packet: Packet[AudioStream]) -> None:
        """The next packet. A muxer may have kept a few of a stream that ended, and written them where the file ends."""
        place = self.place(packet)
        self._is_late |= place - self._place >= self._large and self._seconds_to(packet) < _HOLE_SECONDS
        if self._next[1] is None or self._seconds(self._next[1], packet.pts) > _EARLIER_SECONDS:
            self.before, self._next, self._is_late = self._next[0], (place, packet.pts), False
        self.stop = self.stop if self._is_late else place
        self.last, self._place = packet, place

    def is_hole(self, packet: Packet[AudioStream]) -> bool:
        """Whether there is room for another stream between the last packet and this one: in time, and in the file."""
        if self.place(packet) - self._place < _END_BYTES:
            return False
        return self._seconds_to(packet) > _HOLE_SECONDS

    def is_after(self, packet: Packet[AudioStream]) -> bool:
        """Whether a packet of another stream comes after the last one of this."""
        return self.kind not in _STREAMED or self._seconds_to(packet) > 0

    def _seconds_to(self, packet: Packet[AudioStream]) -> float:
        return self._seconds(self.last.pts if self.last is not None else None, packet.pts)

    def _seconds(self, earlier: int | None, later: int | None) -> float:
        if earlier is None or later is None:
            return 0.0
        return float((later - earlier) * (self.stream.time_base or 0))


def followed(
    file: RangeFile, container: InputContainer, stream: AudioStream, packets: Packets
) -> Iterator[Packet[AudioStream]]:
    """The packets of a stream, as `packets` gives them, and of those in which its sound goes on, in order.

    `file` is the one that the container was opened with.
    """
    part, before, holes = _Part(file, container, stream), None, _MAX_HOLES
    if part.kind not in (*_STREAMED, _FLV):
        yield from packets(container, stream)
        return
    while True:
        for packet in packets(part.container, part.stream):
            if before is not None and part.last is None and not before.is_after(packet):
                continue
            if holes and part.is_hole(packet):
                holes -= 1
                yield from _filling(file, part, packet, packets)
            yield packet
            part.take(packet)
        following = _successor(file, part, file.size)
        if following is None:
            return
        part, before = following, part


def _filling(
    file: RangeFile, part: _Part, until: Packet[AudioStream], packets: Packets
) -> Iterator[Packet[AudioStream]]:
    """What another stream has in a hole, `until` the packet after it."""
    other = _successor(file, part, part.place(until))
    if other is None:
        return
    for packet in packets(other.container, other.stream):
        other.take(packet)
        if other.stop >= part.place(until):
            return
        if part.is_after(packet):
            yield packet


def _successor(file: RangeFile, part: _Part, until: int) -> _Part | None:
    """Where the sound goes on after a part, and before a place in the file; None where it does not."""
    found = (_part_at(file, start, part) for start in _starts(part, file, until))
    return next((each for each in found if each is not None), None)


def _part_at(file: RangeFile, start: int, part: _Part) -> _Part | None:
    head = flv_tags.HEAD if part.kind == _FLV else b""
    try:
        rest = opened(file.rest(start, head), searched=False)
        tracks = ranked(probe(rest).tracks, {}) if rest.format.name == part.kind else ()
    except Failure:
        return None
    for track in tracks:
        other = rest.streams.audio[track.position]
        # Only a codec that is accepted has a name here, and only one whose packets have been seen has a rate.
        if track.codec and track.sample_rate and _goes_on(other, part):
            tame(other.codec_context)
            other.codec_context.thread_count = 1
            return _Part(file, rest, other, start - len(head))
    return None


def _starts(part: _Part, file: RangeFile, until: int) -> tuple[int, ...]:
    """Where in the file to look, if there is enough left of it."""
    if part.last is None:
        return ()
    if part.kind == _FLV:
        start = flv_tags.other_sound(file, part.stop, until)
        return () if start is None else (start,)
    is_end = file.size - part.stop <= max(_END_SHARE * file.size, _END_BYTES)
    # Of what begins at the first of the two, FFmpeg may look at no more than the old stream.
    return () if is_end else (part.before, part.stop)


def _goes_on(other: AudioStream, part: _Part) -> bool:
    if part.kind == _FLV:
        return other.codec_context.codec.name != part.stream.codec_context.codec.name
    languages = [each.metadata.get("language", "") for each in (part.stream, other)]
    is_other = all(languages) and not same_language(*languages)
    return not (other.id == part.stream.id or is_other or _was_beside(other, part))


def _was_beside(other: AudioStream, part: _Part) -> bool:
    """Whether it was there at the same time: then it is another version, and no continuation."""
    same = next((each for each in part.container.streams.audio if each.id == other.id), None)
    last = part.last.pts if part.last is not None else None
    if same is None or same.start_time is None or last is None:
        return False
    is_known = same.codec_context is not None and same.codec_context.sample_rate
    return bool(is_known) and float((last - same.start_time) * (same.time_base or 0)) > _BESIDE_SECONDS
