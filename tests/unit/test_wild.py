"""functions/convert/conversion/sound/wild.py: samples that are no sound are silent, and nothing else changes."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from functions.shared.job_warnings import JobWarning
from tests import media
from tests.unit.conversions import Array, conversion, decoded, joined, plan_of
from tests.unit.test_loudness import loudness, measure

RATE = 16000
WILD = [np.nan, np.inf, -np.inf, 1e38, -3e38, 1e20, 1e10, 1e6]
KINDS: dict[str, Any] = {"f32": np.float32, "f64": np.float64}


@pytest.mark.parametrize("options", [{}, {"sample_rate": 44100}, {"channels": 1}, {"loudness": -16}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", WILD)
def test_a_wild_sample_is_as_silent_as_a_zero(tmp_path: Path, kind: str, value: float, options: dict[str, Any]) -> None:
    sound = tones(3, 2)
    sound[1, 20_000] = 0
    silent, wild = written(tmp_path / "0.wav", sound, kind), tmp_path / "1.wav"
    sound[1, 20_000] = value
    written(wild, sound, kind)
    expected, found = (joined(decoded(each, measure(each, plan_of(each, **options)))[0]) for each in (silent, wild))
    assert np.array_equal(found, expected)
    assert conversion(wild, options).warnings == [JobWarning("wild-samples", {"count": 1})]
    assert conversion(silent, options).warnings == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e38, 1e10])
def test_a_file_of_nothing_else_is_silent(tmp_path: Path, kind: str, value: float) -> None:
    path = written(tmp_path / "all.wav", np.full((2, 3 * RATE), value), kind)
    made = conversion(path, {"loudness": -16})
    assert np.abs(samples(made.mp3, tmp_path)).max() < 1e-4
    assert made.warnings == [JobWarning("wild-samples", {"count": 2 * 3 * RATE})]
    assert made.warnings[0].text.endswith("They are silent in the MP3: 96,000.")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gain", [0.5, 1.5, 4.0, 30.0])
def test_what_a_mix_may_reach_stays_as_it_is(tmp_path: Path, kind: str, gain: float) -> None:
    sound = tones(3, 2) / 0.3 * gain
    path = written(tmp_path / "loud.wav", sound, kind)
    assert np.array_equal(joined(decoded(path)[0]), sound.astype(KINDS[kind]).astype(np.float32))
    assert conversion(path, {}).warnings == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [2.0**15, 2.0**23, 2.0**31])
def test_a_recording_on_the_scale_of_integers_is_not_taken_for_noise(tmp_path: Path, kind: str, scale: float) -> None:
    """With `loudness` it gets as loud as its peaks allow."""
    path = written(tmp_path / "scaled.wav", tones(5, 1) * scale, kind)
    made = conversion(path, {"loudness": -14})
    assert made.warnings == []
    assert media.tone(made.mp3) == pytest.approx(440, abs=2)
    assert np.abs(samples(made.mp3, tmp_path)).max() == pytest.approx(10 ** (-1 / 20), abs=0.02)


@pytest.mark.parametrize("value", WILD)
def test_one_wild_sample_does_not_decide_how_loud_the_others_are(tmp_path: Path, value: float) -> None:
    sound = tones(10, 1)
    sound[0, 80_000] = value
    made = conversion(written(tmp_path / "one.wav", sound, "f32"), {"loudness": -16})
    assert loud(made.mp3, tmp_path) == pytest.approx(-16, abs=0.2)
    heard = samples(made.mp3, tmp_path)[0]
    for second in (0, 4, 6, 9):
        assert np.abs(heard[second * RATE : (second + 1) * RATE]).max() > 0.1


def test_resumed_at_each_checkpoint_they_are_told_once_and_the_mp3_is_the_same(tmp_path: Path) -> None:
    sound = tones(300, 1, 8000)
    sound[0, ::100_003] = np.inf
    path = written(tmp_path / "long.wav", sound, "f32", 8000)
    whole = conversion(path, {"quality": 9, "loudness": -16})
    assert whole.warnings == [JobWarning("wild-samples", {"count": 24})]
    assert len(whole.checkpoints) == 5
    for frames, state in whole.checkpoints:
        resumed = conversion(path, {"quality": 9, "loudness": -16}, frames, state)
        assert (resumed.mp3, resumed.warnings) == (whole.mp3, whole.warnings)


def test_a_checkpoint_of_the_release_before_has_no_warnings(tmp_path: Path) -> None:
    path = written(tmp_path / "long.wav", tones(150, 1, 8000), "f32", 8000)
    whole = conversion(path, {"quality": 9})
    frames, state = whole.checkpoints[0]
    del state["warnings"]
    assert conversion(path, {"quality": 9}, frames, state).mp3 == whole.mp3


def tones(seconds: int, channels: int, rate: int = RATE) -> Array:
    times = np.arange(seconds * rate) / rate
    return np.stack([0.3 * np.sin(2 * np.pi * (440 + 110 * channel) * times) for channel in range(channels)])


def written(path: Path, sound: Array, kind: str, rate: int = RATE) -> Path:
    """A WAV of floats (RIFF's format tag 3)."""
    data = sound.T.astype(KINDS[kind]).tobytes()
    block = len(data) // sound.shape[1]
    form = struct.pack("<HHIIHH", 3, len(sound), rate, rate * block, block, block // len(sound) * 8)
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(chunks)) + chunks)
    return path


def samples(mp3: bytes, directory: Path) -> Array:
    (directory / "made.mp3").write_bytes(mp3)
    return media.samples(directory / "made.mp3", 1)


def loud(mp3: bytes, directory: Path) -> float:
    (directory / "made.mp3").write_bytes(mp3)
    return loudness(media.samples(directory / "made.mp3", 1, "-ar", "44100"))[0]
