"""The file that a track is read from: the open container, and what it says of the track's length and end."""

from __future__ import annotations

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Stream

from functions.convert.conversion.containers.needed_ranges import lost_seconds, needed_ranges
from functions.convert.conversion.containers.probe import opened
from functions.convert.conversion.containers.start import start_of
from functions.convert.conversion.media import Track
from functions.convert.conversion.source import RangeFile
from functions.convert.conversion.tracks.layouts import tame

__all__ = ["TrackFile"]

# From so many packets on, an index may want more memory than there is.
LARGE_INDEX = 1_000_000


class TrackFile:
    """A freshly opened container of which one track is read: `stream`. Other streams are discarded.

    `newest` is the last packet that was read, `seconds` how much sound was decoded.
    """

    def __init__(self, container: InputContainer, track: Track) -> None:
        self.newest: Packet[AudioStream] | None = None
        self.seconds = 0.0
        self._track = track
        self._container = container
        self._file = self.file
        self.stream = self._only()

    @property
    def lost_index(self) -> bool:
        """Whether there was no memory for the whole index of an MP4: FFmpeg says nothing, and reads a part.

        A small one always fits: there it is damage.
        """
        is_indexed = "mp4" in self.format
        return is_indexed and self.stream.frames > max(len(self.stream.index_entries), LARGE_INDEX)

    @property
    def file(self) -> RangeFile:
        """What is read."""
        # Typed as what av keeps: it wraps the file that it was given.
        file: RangeFile = self._container.file.file
        return file

    @property
    def format(self) -> str:
        """FFmpeg's name of the container."""
        return self._container.format.name

    @property
    def reached(self) -> float:
        """When the newest packet ends, in seconds of the file's clock; by the samples, where there is no clock."""
        packet = self.newest
        if packet is None or packet.pts is None:
            return self.seconds
        # Of a packet that is not whole, only plain samples are worth anything.
        is_whole = self._track.codec.startswith("pcm_") or not packet.is_corrupt
        return self._seconds(packet.pts + ((packet.duration or 0) if is_whole else 0))

    @property
    def file_reached(self) -> float:
        """When the newest packet of any track begins by the index, or that of this one ends, in the same seconds."""
        others = (stream for stream in self._container.streams if stream.index != self.stream.index)
        return max([self.reached, *map(_newest_in_index, others)])

    @property
    def stated_end(self) -> float | None:
        """When the track ends by what FFmpeg read of its length, or the file's, in seconds of the file's clock."""
        if self.stream.duration:
            # What was lost ahead of the first packet is a part of it.
            first = max(self._seconds(self.stream.start_time or 0) - self.file.silence, 0.0)
            return self._seconds(self.stream.duration) + first
        whole = self._container.duration
        return whole / av.time_base + start_of(self._container) if whole else None

    @property
    def last_byte(self) -> int:
        """Where the last packet of any track ends by the index, in bytes."""
        last = [stream.index_entries[-1] for stream in self._container.streams if len(stream.index_entries)]
        return max((entry.pos + entry.size for entry in last), default=0)

    def lost_seconds(self, size: int) -> float:
        """How much sound the index of an MP4 has beyond the end of the file, which is at `size`."""
        return lost_seconds(self.stream, size)

    def _seconds(self, ticks: int) -> float:
        return float(ticks * (self.stream.time_base or 0))

    def _seek(self, seconds: float) -> None:
        # The index of a Matroska is that of its pictures.
        by_picture = "matroska" in self._container.format.name and self._container.streams.video
        stream = self._container.streams.video[0] if by_picture else self.stream
        self._container.seek(round(seconds / (stream.time_base or 1)), stream=stream)

    def _reopen(self) -> None:
        self._container = opened(self._file)
        self.stream = self._only()

    def _only(self) -> AudioStream:
        stream = self._container.streams.audio[self._track.position]
        for other in self._container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        # Threads would only make a fast decoder's frames come late.
        stream.codec_context.thread_count = 1
        tame(stream.codec_context)
        file: RangeFile = self._container.file.file
        if (wanted := needed_ranges(file, stream)) is not None:
            file.keep_only(wanted)
        return stream


def _newest_in_index(stream: Stream) -> float:
    entries = stream.index_entries
    return float(entries[-1].timestamp * (stream.time_base or 0)) if len(entries) else 0.0
