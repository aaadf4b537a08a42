"""Sounds, and what encodes and reads MP3 in the tests of conversion/: in one go, in segments, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO

import av
import numpy as np
import numpy.typing as npt

from functions.convert.conversion.marks import Mark
from functions.convert.conversion.mpeg import encode, frames, segments
from functions.convert.conversion.mpeg.join import Joiner
from functions.convert.conversion.mpeg.lame import Encoder
from functions.convert.conversion.mpeg.xing import Tally
from functions.convert.conversion.plan import Shape
from functions.convert.conversion.sound.decode import Block, ResumePoint

__all__ = ["Sound", "blocks", "decoded", "main_data", "parallel", "serial", "sound", "whole"]

Sound = npt.NDArray[np.float32]


def sound(kind: str, shape: Shape, seconds: float) -> Sound:
    """Samples by channel: "noise", "tones", "clicks" (sharp attacks), or "speech" (a hum with breaks and hisses)."""
    count = int(seconds * shape.sample_rate)
    random = np.random.default_rng(7)
    time = np.arange(count) / shape.sample_rate
    noise = random.uniform(-1, 1, (shape.channels, count))
    # A click every tenth of a second or so, one sooner in the one channel than in the other.
    since = np.stack([(time + 0.01 * channel) % 0.0973 for channel in range(shape.channels)])
    return {
        "noise": 0.7 * noise,
        "tones": 0.3 * np.sin(2800 * time) + 0.2 * np.sin(9000 * time + np.arange(shape.channels)[:, None]),
        "clicks": 0.002 * noise + 0.9 * noise * np.exp(-since * 900),
        "speech": (0.3 * np.sin(900 * time) * (np.sin(11 * time) > 0) + 0.1 * noise * (np.sin(7 * time) > 0.5)),
    }[kind].astype(np.float32)


def blocks(samples: Sound, start: int = 0, size: int = 1000) -> Iterator[Block]:
    """The samples from `start` on as a decoder gives them. One can resume at every third block."""
    for number, at in enumerate(range(start, samples.shape[1], size)):
        part = samples[:, at : at + size]
        place = ResumePoint(Mark(at // size, None, None), at) if number % 3 == 0 else None
        yield Block(tuple(plane.tobytes() for plane in part), part.shape[1], place)


def serial(samples: Sound, shape: Shape) -> bytes:
    """The frames that one LAME makes of all samples."""
    with Encoder(shape) as encoder:
        return encoder.encode([plane.tobytes() for plane in samples], samples.shape[1]) + encoder.flush()


def parallel(samples: Sound, shape: Shape, threads: int = 2) -> bytes:
    """The frames that conversion/ makes of them, in segments."""
    joiner = Joiner()
    parts = encode.encoded(segments.segments(blocks(samples), shape), shape, threads)
    return b"".join([*map(joiner.add, parts), joiner.finish()])


def whole(stream: bytes, shape: Shape, samples: int) -> bytes:
    """The MP3 file of these frames."""
    tally = Tally(shape)
    tally.count(stream)
    return tally.header(samples) + stream


def decoded(mp3: bytes) -> Sound:
    """What a decoder that knows LAME's tag gives."""
    with av.open(BytesIO(mp3), "r") as container:
        parts = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def main_data(chain: Sequence[bytes]) -> list[bytes]:
    """The main data of each frame, wherever it lies. Fails where that of two overlaps or reaches out of its slot."""
    stream, used, contents = b"", 0, []
    for frame in chain:
        side = frames.side_info(frame)
        start = len(stream) - side.main_data_begin
        assert used <= start
        used = start + side.main_data_length
        stream += frames.slot(frame)
        assert used <= len(stream)
        contents.append(stream[start:used])
    return contents
