"""conversion/containers/bitstream.py: compressed sound that looks like samples is not played as noise."""

from __future__ import annotations

import functools
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

from functions.shared.reasons import Failure
from tests import media
from tests.unit.conversions import conversion

SOUND = ("-f", "lavfi", "-i", "sine=440:d=4:r=48000,aformat=cl=stereo")
# DTS as it is on a CD, and bursts of IEC 61937.
# 512 samples at 768 kbit/s.
FRAME_BYTES = 1024
BITSTREAMS = {
    "dts": ("-c:a", "dca", "-strict", "-2", "-b:a", "768k", "-f", "dts"),
    "dts-14": ("-c:a", "dca", "-strict", "-2", "-b:a", "768k", "-f", "dts"),
    "burst-dts": ("-c:a", "dca", "-strict", "-2", "-b:a", "768k", "-f", "spdif"),
    "burst-ac3": ("-c:a", "ac3", "-f", "spdif"),
    "burst-eac3": ("-c:a", "eac3", "-f", "spdif"),
    "burst-truehd": ("-c:a", "truehd", "-strict", "-2", "-f", "spdif"),
    "burst-mp2": ("-c:a", "mp2", "-f", "spdif"),
}
# What FFmpeg does not know in a WAV.
UNKNOWN = ("burst-truehd", "burst-mp2")
# A burst of it has four times as many samples as its sound.
FOURFOLD = "burst-eac3"


@pytest.mark.parametrize("silence", [0.01, 3, 20])
@pytest.mark.parametrize("name", [name for name in BITSTREAMS if name not in UNKNOWN])
def test_in_a_wav_it_is_decoded_after_silence_and_in_time(tmp_path: Path, name: str, silence: float) -> None:
    rate = 192000 if name == FOURFOLD else 48000
    path = wav(tmp_path / "disguised.wav", after(silence * rate / 48000, bitstream(name)), rate)
    made = conversion(path, {})
    (tmp_path / "made.mp3").write_bytes(made.mp3)
    (heard,) = media.samples(tmp_path / "made.mp3", 1)
    assert len(heard) == pytest.approx((silence + 4) * 48000, abs=0.1 * 48000)
    assert np.abs(heard).max() < 0.3
    loud = np.flatnonzero(np.abs(heard) > 0.05)[0] / 48000
    assert loud == pytest.approx(silence, abs=0.1)
    for frames, state in made.checkpoints:
        assert conversion(path, {}, frames, state).mp3 == made.mp3


@pytest.mark.parametrize("name", UNKNOWN)
def test_after_silence_what_ffmpeg_does_not_see_is_refused(tmp_path: Path, name: str) -> None:
    assert code(wav(tmp_path / "disguised.wav", after(3, bitstream(name)))) == "unsupported-codec"


@pytest.mark.parametrize("encoder", ["flac", "alac", "wavpack", "tta", "pcm_s16be", "pcm_s24le", "pcm_s32le"])
@pytest.mark.parametrize("name", ["dts", "dts-14", "burst-ac3"])
def test_in_whatever_keeps_each_bit_it_is_refused(tmp_path: Path, name: str, encoder: str) -> None:
    words = ("-f", "s16le", "-ar", "48000", "-ac", "2", "-i", "pipe:0", "-c:a", encoder)
    path = tmp_path / "disguised.mkv"
    made_by_ffmpeg(*words, str(path), given=bitstream(name).tobytes())
    assert code(path) == "unsupported-codec"


@pytest.mark.parametrize("name", ["dts", "dts-14", "burst-dts", "burst-ac3", "burst-eac3"])
def test_at_the_start_of_a_wav_it_is_decoded(tmp_path: Path, name: str) -> None:
    made = conversion(wav(tmp_path / "disguised.wav", bitstream(name)), {})
    assert media.tone(made.mp3) == pytest.approx(440, abs=2)
    (tmp_path / "made.mp3").write_bytes(made.mp3)
    assert np.abs(media.samples(tmp_path / "made.mp3", 1)).max() < 0.3


@pytest.mark.parametrize("silence", [0, 3])
def test_noise_at_full_scale_is_sound(tmp_path: Path, silence: int) -> None:
    """Also where it holds the words that a frame of DTS begins with, once."""
    noise = np.random.default_rng(1).integers(-32768, 32768, 4 * 48000 * 2).astype("<i2")
    noise[5000:5002] = np.array([0x7FFE, 0x8001], np.uint16).astype("<i2")
    path = wav(tmp_path / "noise.wav", np.concatenate((np.zeros(silence * 48000 * 2, "<i2"), noise)))
    assert code(path) == "whole"


@pytest.mark.parametrize("frames", [0, 1, 700])
def test_sound_that_is_short_or_none_is_sound(tmp_path: Path, frames: int) -> None:
    tone = (np.sin(np.arange(2 * frames)) * 9000).astype("<i2")
    assert code(wav(tmp_path / "short.wav", np.concatenate((np.zeros(9600, "<i2"), tone)))) == "whole"


@functools.cache
def bitstream(name: str) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """As the samples of a WAV."""
    data = made_by_ffmpeg(*SOUND, *BITSTREAMS[name], "pipe:1")
    words = np.frombuffer(data[: len(data) // 4 * 4], "<i2" if name.startswith("burst") else ">i2")
    return fourteen_bits(words) if name == "dts-14" else words.astype("<i2")


def fourteen_bits(words: np.ndarray[tuple[int], np.dtype[np.int16]]) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """DTS in the lower 14 bits of each word, whose sign goes on: taken for samples, it is quieter."""
    bits = np.unpackbits(words.astype(">i2").view(np.uint8)).reshape(-1, 8 * FRAME_BYTES)
    # A frame begins with a word of the left channel.
    padded = np.pad(bits, ((0, 0), (0, -bits.shape[1] % 28)))
    rows = padded.reshape(-1, 14)
    widened = np.concatenate((rows[:, :1], rows[:, :1], rows), axis=1)
    return np.packbits(widened, axis=1).reshape(-1).view(">i2").astype("<i2")


def after(
    seconds: float, words: np.ndarray[tuple[int], np.dtype[np.int16]]
) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Silence, and then these samples."""
    return np.concatenate((np.zeros(2 * round(seconds * 48000), "<i2"), words))


def wav(path: Path, words: np.ndarray[tuple[int], np.dtype[np.int16]], rate: int = 48000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, rate, 0, "NONE", ""))
        file.writeframes(words.tobytes())
    return path


def made_by_ffmpeg(*words: str, given: bytes = b"") -> bytes:
    command = [media.ffmpeg(), "-v", "error", *words]
    return subprocess.run(command, input=given, check=True, capture_output=True).stdout


def code(path: Path) -> str:
    """Why it fails, or "whole"."""
    try:
        conversion(path, {})
    except Failure as failure:
        return failure.code
    return "whole"
