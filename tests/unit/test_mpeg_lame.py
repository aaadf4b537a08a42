"""LAME makes the MP3 that ffmpeg makes with it, whatever it is fed with."""

from __future__ import annotations

import ctypes
import math
import subprocess
from pathlib import Path

import numpy as np
import pytest

from functions.convert.conversion.mpeg import frames, lame
from functions.convert.conversion.plan import Shape
from functions.convert.errors import LameError
from tests.media import ffmpeg
from tests.unit.mpeg import serial, sound

RATES = [
    (Shape(44100, 2, "vbr", 2), ["-q:a", "2"]),
    (Shape(48000, 1, "vbr", 0), ["-q:a", "0"]),
    (Shape(44100, 2, "cbr", 128), ["-b:a", "128k"]),
    (Shape(22050, 2, "abr", 80), ["-b:a", "80k", "-abr", "1"]),
    (Shape(8000, 1, "vbr", 9), ["-q:a", "9"]),
]


def test_there_is_an_encoder() -> None:
    assert lame.available()


@pytest.mark.parametrize(("shape", "options"), RATES, ids=str)
def test_it_is_the_mp3_that_ffmpeg_makes(tmp_path: Path, shape: Shape, options: list[str]) -> None:
    samples = sound("speech", shape, 3)
    ours = serial(samples, shape)
    theirs = frames.split(_by_ffmpeg(samples, shape, options, tmp_path))
    assert len(frames.split(ours)) == len(theirs)
    assert len(ours) == pytest.approx(len(b"".join(theirs)), rel=0.001)


@pytest.mark.parametrize("wild", [math.nan, math.inf, -math.inf, 3e38, 1e15, 1e6, -2.0])
@pytest.mark.parametrize("shape", [Shape(44100, 2, "vbr", 2), Shape(44100, 1, "cbr", 128)], ids=str)
def test_samples_that_would_end_the_process_are_tamed(shape: Shape, wild: float) -> None:
    samples = sound("noise", shape, 1)
    samples[:, 20000:30000:7] = wild
    assert len(frames.split(serial(samples, shape))) == 40


def test_tame_samples_are_left_alone() -> None:
    plane = np.linspace(-1.99, 1.99, 1000, dtype=np.float32).tobytes()
    assert lame._tamed(plane) is plane


def test_wild_samples_are_tamed() -> None:
    plane = np.array([0.5, np.nan, -np.inf, 4], np.float32).tobytes()
    assert lame._tamed(plane) == np.array([0.5, 0, -lame._TAMEST, lame._TAMEST], np.float32).tobytes()


def test_a_wild_sample_among_many_is_tamed() -> None:
    shape, plane = Shape(44100, 1, "cbr", 128), np.zeros(300_000, np.float32)
    tame = plane.copy()
    plane[-500], tame[-500] = np.inf, lame._TAMEST
    with lame.Encoder(shape) as one, lame.Encoder(shape) as other:
        assert one.encode([plane.tobytes()], len(plane)) == other.encode([tame.tobytes()], len(tame))
        assert one.flush() == other.flush()


@pytest.mark.parametrize("shape", [Shape(12345, 2, "vbr", 2), Shape(44100, 0, "vbr", 2)], ids=str)
def test_what_it_cannot_do_is_an_error(shape: Shape) -> None:
    with pytest.raises(LameError):
        lame.Encoder(shape)


def test_nothing_is_encoded_to_silence() -> None:
    shape = Shape(44100, 2, "vbr", 2)
    assert 0 < len(frames.split(serial(sound("noise", shape, 0), shape))) <= 2


def test_closing_twice_does_no_harm() -> None:
    encoder = lame.Encoder(Shape(44100, 2, "vbr", 2))
    encoder.close()
    encoder.close()


def test_the_one_that_pyav_carries_does_where_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    carried = lame._declared(ctypes.CDLL(lame._carried()))
    monkeypatch.setattr(lame, "_library", lambda: carried)
    shape = Shape(44100, 1, "cbr", 96)
    assert len(frames.split(serial(sound("noise", shape, 1), shape))) == 40


def _by_ffmpeg(samples: np.ndarray, shape: Shape, options: list[str], directory: Path) -> bytes:
    source = directory / "in.raw"
    source.write_bytes(samples.T.tobytes())
    raw = ["-f", "f32le", "-ar", str(shape.sample_rate), "-ac", str(shape.channels), "-i", str(source)]
    bare = ["-f", "mp3", "-write_xing", "0", "-id3v2_version", "0", "-"]
    command = [ffmpeg(), "-v", "error", *raw, *options, *bare]
    return subprocess.run(command, check=True, capture_output=True).stdout
