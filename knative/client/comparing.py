"""Whether two files have the same sound: the same bytes at the same time, under the same description."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream

__all__ = ["Contents", "is_cover", "stays"]

# What a container says of itself, or of who wrote it.
_OWN_TAGS = {
    "major_brand",
    "minor_version",
    "compatible_brands",
    "encoder",
    "duration",
    "handler_name",
    "vendor_id",
    "software",
}
# Frames that share a packet of a transport stream have one time stamp; those of the others are made up, and rounded.
_ROUNDED_TICKS = 2
# So much two files of the same sound may differ in how long they say they are.
_SAME_SECONDS = 0.1
# For a packet without a time.
_NO_TIME = -(2**63)


def is_cover(stream: Stream) -> bool:
    """Whether it is a picture for the whole file, no moving ones."""
    return bool(stream.disposition & Disposition.attached_pic)


def stays(stream: Stream) -> bool:
    """Whether all of it is needed."""
    return stream.type == "audio" or (stream.type == "video" and is_cover(stream))


@dataclass(frozen=True)
class _Track:
    """What came of a track: its bytes as a digest, its times in ticks since the file's clock began."""

    said: tuple[Any, ...]
    digest: Any
    times: array[int]

    def is_like(self, other: _Track, slack: int) -> bool:
        if (self.said, self.digest.digest(), self.times[:1]) != (other.said, other.digest.digest(), other.times[:1]):
            return False
        return all(abs(one - two) <= slack for one, two in zip(self.times, other.times, strict=True))


class Contents:
    """What there is to hear in a file, and what is said of it."""

    def __init__(self, container: InputContainer) -> None:
        self._start = Fraction(container.start_time or 0, av.time_base)
        self._rounds = container.format.name == "mpegts"
        self._said = _tags(container.metadata), [self._chapter(each) for each in container.chapters()]
        # An FLV says how long it is in its beginning, and by that one knows when it is cut off.
        self._seconds = (container.duration or 0) / av.time_base if container.format.name == "flv" else 0.0
        kept = [stream for stream in container.streams if stays(stream)]
        self._tracks = {stream.index: _Track(_said(stream), hashlib.blake2b(), array("q")) for stream in kept}

    def add(self, packet: Packet[Any]) -> None:
        """Take note of a packet, if it is of a track that stays."""
        if track := self._tracks.get(packet.stream.index):
            track.digest.update(packet.size.to_bytes(8))
            track.digest.update(packet)
            for each in packet.iter_sidedata():
                track.digest.update(str(each.data_type).encode() + bytes(each))
            start = round(self._start / packet.time_base) if packet.time_base else 0
            track.times.append(_NO_TIME if packet.pts is None else packet.pts - start)

    def read(self, container: InputContainer) -> Contents:
        """Take note of all that is in the file."""
        for packet in container.demux(*(container.streams[index] for index in self._tracks)):
            if packet.size:
                self.add(packet)
        return self

    def is_like(self, other: Contents) -> bool:
        """Whether both make the same MP3."""
        slack = _ROUNDED_TICKS if self._rounds else 0
        tracks = list(zip(self._tracks.values(), other._tracks.values(), strict=False))
        alike = self._said == other._said and len(self._tracks) == len(other._tracks)
        alike &= abs(self._seconds - other._seconds) < _SAME_SECONDS
        return alike and all(len(one.times) == len(two.times) and one.is_like(two, slack) for one, two in tracks)

    def _chapter(self, chapter: Any) -> tuple[Any, ...]:
        begins, ends = (time * chapter["time_base"] - self._start for time in (chapter["start"], chapter["end"]))
        return begins, ends, _tags(chapter["metadata"])


def _said(stream: Stream) -> tuple[Any, ...]:
    """What a file says of a track. Raises: ValueError for a codec that the library does not know."""
    codec = stream.codec_context
    if codec is None:
        raise ValueError("a codec is not known")
    sound = (stream.rate, stream.layout.name) if isinstance(stream, AudioStream) else ()
    return codec.name, codec.extradata, stream.time_base, *sound, _tags(stream.metadata), stream.disposition


def _tags(metadata: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in metadata.items() if name.lower() not in _OWN_TAGS}
