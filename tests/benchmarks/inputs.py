"""What is converted: videos of 5 Mbit/s, as long as one likes, quickly made: pictures repeat, and sound much later."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.media import ffmpeg

__all__ = ["RATE", "Maker"]

RATE, PICTURE_SECONDS, CHUNK_SECONDS = 48000, 20, 10
# Longer than the ten minutes that are measured: an MP3 that is repeated is no single stream, and is not copied.
SOUND_SECONDS = 620
_SCENE = "testsrc2=size=1280x720:rate=30,noise=alls=20:allf=t"
_BITS = ("-b:v", "5M", "-minrate", "5M", "-maxrate", "5M", "-bufsize", "1M", "-g", "60", "-pix_fmt", "yuv420p")
_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-x264-params", "nal-hrd=cbr:force-cfr=1", "-threads", "2")
PICTURES = {"h264": (".mp4", _X264), "vp8": (".webm", ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "16"))}
SOUNDS = {
    "aac": (".mp4", ("-c:a", "aac", "-b:a", "160k")),
    "mp3": (".mp3", ("-c:a", "libmp3lame", "-b:a", "192k")),
    "opus": (".webm", ("-c:a", "libopus", "-b:a", "128k")),
}

Samples = np.ndarray[Any, np.dtype[np.float32]]


class Maker:
    """Makes videos in a directory. What is made once, pictures and `sound_seconds` of sound, is used again."""

    def __init__(
        self, directory: Path, sound_seconds: int = SOUND_SECONDS, picture_seconds: int = PICTURE_SECONDS
    ) -> None:
        self._directory = directory
        self.sound_seconds, self._picture_seconds = sound_seconds, picture_seconds
        self.picture, self.sound = cache(self._picture), cache(self._sound)

    def video(
        self, name: str, seconds: float, picture: str = "h264", sound: str = "aac", words: Sequence[str] = ()
    ) -> Path:
        """A video of that name and length: `picture` and `sound` are of PICTURES and SOUNDS; `words` go to ffmpeg."""
        path = self._directory / name
        inputs = [word for each in (self.picture(picture), self.sound(sound)) for word in _looped(each)]
        _run(*inputs, "-map", "0:v", "-map", "1:a", "-t", str(seconds), "-c", "copy", *words, str(path))
        return path

    def audio(self, name: str, seconds: float) -> Path:
        """The sound alone."""
        path = self._directory / name
        _run(*_looped(self.sound("aac")), "-t", str(seconds), "-c", "copy", str(path))
        return path

    def _picture(self, codec: str) -> Path:
        suffix, encoder = PICTURES[codec]
        path = self._directory / f"picture-{codec}{suffix}"
        scene = ("-f", "lavfi", "-t", str(self._picture_seconds), "-i", _SCENE)
        _run(*scene, *encoder, *_BITS, str(path))
        return path

    def _sound(self, codec: str) -> Path:
        suffix, encoder = SOUNDS[codec]
        path = self._directory / f"sound-{codec}{suffix}"
        raw = ("-f", "f32le", "-ar", str(RATE), "-ac", "2", "-i", "pipe:0")
        with subprocess.Popen(_ffmpeg(*raw, *encoder, str(path)), stdin=subprocess.PIPE) as process:
            assert process.stdin
            for start in range(0, self.sound_seconds, CHUNK_SECONDS):
                chunk = _talk_over_music(start)[: (self.sound_seconds - start) * RATE]
                process.stdin.write(chunk.tobytes())
            process.stdin.close()
        _check(process)
        return path


def _talk_over_music(number: int) -> Samples:
    """Ten seconds of a voice with syllables and breaths, and of chords and a hiss around it: another ten each time."""
    random = np.random.default_rng(number)
    time: Samples = np.arange(CHUNK_SECONDS * RATE, dtype=np.float32) / np.float32(RATE)
    voice = _voice(random, time)
    chord = sum(np.sin(2 * np.pi * note * time) for note in random.choice([220, 277.2, 329.6, 392, 440, 554.4], 3))
    hiss = random.standard_normal((len(time), 2), dtype=np.float32)
    sides = np.stack([0.03 * chord + 0.4 * voice, 0.04 * chord + 0.35 * voice], axis=1)
    mixed: Samples = (sides + 0.02 * hiss).astype(np.float32)
    return mixed


def _voice(random: np.random.Generator, time: Samples) -> Samples:
    """Pulses whose pitch glides, louder and softer four times a second, and now and then a sibilant."""
    glide = 30 * np.sin(2 * np.pi * random.uniform(0.2, 0.6) * time + random.uniform(0, 6))
    phase = np.cumsum((random.uniform(100, 200) + glide) / RATE) % 1
    syllables = np.repeat(random.choice([0, 0.3, 0.6, 1.0], CHUNK_SECONDS * 4), RATE // 4)
    sibilants = np.repeat(random.random(CHUNK_SECONDS * 8) < 0.1, RATE // 8)
    open_and_close = np.sin(np.pi * ((time * 4) % 1))
    pulses = (phase**3 - 0.25) * syllables * open_and_close
    spoken: Samples = pulses + 0.15 * sibilants * random.standard_normal(len(time), dtype=np.float32)
    return spoken


def _looped(path: Path) -> tuple[str, ...]:
    return ("-stream_loop", "-1", "-i", str(path))


def _ffmpeg(*words: str) -> list[str]:
    return [ffmpeg(), "-v", "error", "-y", *words]


def _run(*words: str) -> None:
    subprocess.run(_ffmpeg("-nostdin", *words), check=True)


def _check(process: subprocess.Popen[bytes]) -> None:
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
