"""The packets of one recording, mended by what its container lets know of them."""

from __future__ import annotations

from collections.abc import Iterator

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from functions.convert.conversion.containers.flac import is_first
from functions.convert.conversion.source import RangeFile
from functions.convert.conversion.tracks.bare import BARE, with_lost_frames
from functions.convert.conversion.tracks.chunks import with_lost_chunks
from functions.convert.conversion.tracks.doubled import once
from functions.convert.conversion.tracks.following import Packets, followed
from functions.convert.conversion.tracks.stitched import frames_alone

__all__ = ["mended_packets"]


def mended_packets(
    file: RangeFile, container: InputContainer, stream: AudioStream, packets: Packets
) -> Iterator[Packet[AudioStream]]:
    """The packets of a stream, as `packets` gives them, and of those in which its sound goes on, each once.

    `file` is the one that the container was opened with.
    """
    found = once(followed(file, container, stream, packets))
    name = container.format.name
    if name == "mp3" and stream.codec_context.codec.canonical_name == "mp3":
        return frames_alone(found)
    if name == "avi":
        return with_lost_chunks(file, stream, found)
    if name == "flac":
        return _from_zero(found)
    return with_lost_frames(file, found) if name in BARE else found


def _from_zero(packets: Iterator[Packet[AudioStream]]) -> Iterator[Packet[AudioStream]]:
    """The packets of a FLAC. Where frames are lost behind the first ones, FFmpeg takes those for the last of them."""
    for packet in packets:
        if is_first(bytes(packet)):
            packet.pts = packet.dts = 0
        yield packet
        break
    yield from packets
