"""Frames of silence, and frames without their beginning: what puts sound on a clock."""

from __future__ import annotations

from collections.abc import Iterator

from av.audio.frame import AudioFrame

__all__ = ["silence", "without_start"]

# FFmpeg's formats of unsigned samples, whose middle is silence.
_UNSIGNED = {"u8": b"\x80", "u8p": b"\x80"}


def silence(like: AudioFrame, samples: int) -> Iterator[AudioFrame]:
    """So many samples of it, in frames of a second at most, in the format of another frame."""
    while samples > 0:
        frame = _frame(like, min(samples, like.sample_rate))
        for plane in frame.planes:
            memoryview(plane).cast("B")[:] = _UNSIGNED.get(like.format.name, b"\0") * plane.buffer_size
        yield frame
        samples -= frame.samples


def without_start(frame: AudioFrame, samples: int) -> AudioFrame:
    """The frame from its sample number `samples` on, of which it has more."""
    if not samples:
        return frame
    rest = _frame(frame, frame.samples - samples)
    together = 1 if frame.format.is_planar else frame.layout.nb_channels
    size, start = (count * frame.format.bytes * together for count in (rest.samples, samples))
    for new, old in zip(rest.planes, frame.planes, strict=True):
        memoryview(new).cast("B")[:size] = memoryview(old).cast("B")[start : start + size]
    return rest


def _frame(like: AudioFrame, samples: int) -> AudioFrame:
    frame = AudioFrame(format=like.format.name, layout=like.layout, samples=samples)
    frame.sample_rate = like.sample_rate
    return frame
