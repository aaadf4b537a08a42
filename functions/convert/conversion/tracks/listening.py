"""Whether there is any sound in a track, where there are several: a few places, within a budget of bytes."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Stream

from functions.convert.conversion.containers.needed_ranges import needed_ranges
from functions.convert.conversion.media import Track
from functions.convert.conversion.plan import Shape
from functions.convert.conversion.sound.shaping import Planes, Shaper
from functions.convert.conversion.source import RangeFile
from functions.convert.conversion.tracks.layouts import tame
from functions.shared.job_warnings import JobWarning
from functions.shared.reasons import Failure

__all__ = ["Heard", "audible"]

# Where to listen, as shares of the length, and how long: in seconds of each track, and at most in bytes of the file.
PLACES, SECONDS, MAX_BYTES = (0.0, 0.5, 0.25, 0.75, 0.95), 0.5, 4 * 1024 * 1024
# A track that has nothing while others have so many seconds has nothing there.
ABSENT_SECONDS = 2.0
# What is nowhere louder than this is silence: -80 dB of full scale, which dither of 16 bits does not reach.
LOUDEST_SILENCE = 1e-4


@dataclass(frozen=True)
class Heard:
    """The track that was chosen, and what there is to tell about it."""

    track: Track
    warnings: tuple[JobWarning, ...] = ()


def audible(container: InputContainer, candidates: Sequence[Track], seconds: float | None) -> Heard:
    """The first of these tracks, best first, in which there is sound; of a freshly opened container, used up by it.

    `seconds` is how long the file is, if it says so. What is silent wherever it was looked at passes for silent; where
    that cost more bytes than it may, the first track stays, and a warning names the other.
    """
    ears = [_Ear(container.streams.audio[track.position], track) for track in candidates]
    _only(container, [ear.stream for ear in ears])
    is_sure = True
    for share in PLACES if seconds else PLACES[:1]:
        is_sure &= _listen(container, ears, share * (seconds or 0.0))
        if ears[0].is_loud:
            return Heard(ears[0].track)
    best = next((ear for ear in ears if ear.is_loud), None) or next((ear for ear in ears if ear.seconds), ears[0])
    if is_sure or not ears[0].seconds:
        return Heard(best.track)
    return Heard(ears[0].track, _doubt(ears[0], best))


def _doubt(first: _Ear, best: _Ear) -> tuple[JobWarning, ...]:
    values: dict[str, int | float | str] = {"track": best.track.position, "chosen": first.track.position}
    return (JobWarning("track-maybe-silent", values),) if best.is_loud else ()


@dataclass
class _Ear:
    """What was heard of a track: `seconds` here, whether it `is_loud` anywhere."""

    stream: AudioStream
    track: Track
    seconds: float = 0.0
    here: float = 0.0
    is_loud: bool = False
    _shaper: Shaper = field(init=False)

    def __post_init__(self) -> None:
        tame(self.context)
        self.context.thread_count = 1
        self.restart()

    @property
    def context(self) -> AudioCodecContext:
        return self.stream.codec_context

    def restart(self) -> None:
        """Somewhere else in the file."""
        self.here = 0.0
        # Two channels: of one, what is opposite in the two would be nothing.
        self._shaper = Shaper(Shape(self.track.sample_rate or 48000, 2, "vbr", 0), "", None)

    def feed(self, packet: Packet[Stream]) -> None:
        try:
            for frame in self.context.decode(cast("Packet[AudioStream]", packet)):
                self._hear(frame)
        except MemoryError:
            raise
        except (av.error.FFmpegError, Failure):
            # What cannot be decoded is not heard.
            pass

    def _hear(self, frame: AudioFrame) -> None:
        length = frame.samples / frame.sample_rate
        self.here, self.seconds = self.here + length, self.seconds + length
        self.is_loud = self.is_loud or any(map(_is_loud, self._shaper.feed([frame])))


def _is_loud(planes: Planes) -> bool:
    return any(
        max(samples) > LOUDEST_SILENCE or min(samples) < -LOUDEST_SILENCE for samples in map(_floats, planes) if samples
    )


def _floats(plane: bytes) -> array[float]:
    return array("f", plane)


def _only(container: InputContainer, streams: Sequence[AudioStream]) -> None:
    """Fetch no more than these, where the index says what they are; else the others tell how far one has read."""
    file: RangeFile = container.file.file
    wanted = [needed_ranges(file, stream) for stream in streams]
    if None in wanted:
        return
    file.keep_only([part for ranges in wanted for part in ranges or ()])
    for other in container.streams:
        if other not in streams:
            other.discard = Discard.all


def _listen(container: InputContainer, ears: Sequence[_Ear], start: float) -> bool:
    """Listen at one place, in seconds. Returns: whether it was heard to the end."""
    file: RangeFile = container.file.file
    most = file.bytes_read + MAX_BYTES
    try:
        if start:
            _go(container, ears, start)
        for packet in container.demux():
            _take(packet, ears)
            if _is_enough(ears):
                return True
            if file.bytes_read > most:
                return False
    except MemoryError:
        raise
    except (av.error.FFmpegError, IndexError):
        return False
    return True


def _go(container: InputContainer, ears: Sequence[_Ear], start: float) -> None:
    container.seek(round(start * av.time_base) + (container.start_time or 0))
    for ear in ears:
        ear.context.flush_buffers()
        ear.restart()


def _take(packet: Packet[Stream], ears: Sequence[_Ear]) -> None:
    for ear in ears:
        if packet.size and packet.stream_index == ear.track.stream_index:
            ear.feed(packet)


def _is_enough(ears: Sequence[_Ear]) -> bool:
    if ears[0].is_loud or all(ear.is_loud or ear.here >= SECONDS for ear in ears):
        return True
    return any(ear.here >= ABSENT_SECONDS for ear in ears)
