"""Tracks that are mixed, followed and listened to, and codecs that few know, where nothing can be opened any more."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest

from functions.convert import engine
from functions.convert.sandbox import nursery
from functions.shared.blobs import Blobs
from functions.shared.jobs import claims
from tests import media
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables")


@pytest.fixture(autouse=True)
def workers() -> Iterator[None]:
    """No warm process outlives its test."""
    yield
    nursery.close()


def made(path: Path, *words: str) -> Path:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *words, str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def sine(tone: int) -> tuple[str, ...]:
    return "-f", "lavfi", "-i", f"sine={tone}:d=4:sample_rate=48000"


def two_tracks(directory: Path) -> Path:
    return made(directory / "two.mov", *sine(440), *sine(880), "-map", "0", "-map", "1", "-c:a", "pcm_s16le")


def silent_first(directory: Path) -> Path:
    silence = ("-f", "lavfi", "-i", "anullsrc=d=4")
    return made(directory / "silent.mkv", *silence, *sine(880), "-map", "0", "-map", "1", "-c:a", "aac")


def chained(directory: Path) -> Path:
    parts = [
        made(
            directory / f"{tone}.ogg", *sine(tone), "-ar", str(rate), "-c:a", "flac", "-serial_offset", str(tone)
        ).read_bytes()
        for tone, rate in ((440, 48000), (880, 32000))
    ]
    path = directory / "chain.ogg"
    path.write_bytes(b"".join(parts))
    return path


def broadcast(directory: Path) -> Path:
    return made(directory / "s302m.ts", *sine(440), "-ac", "2", "-c:a", "s302m", "-strict", "-2")


def telephone(directory: Path) -> Path:
    return made(directory / "g726.wav", *sine(440), "-ar", "8000", "-c:a", "g726")


@pytest.mark.parametrize(
    ("make", "options", "tones", "seconds"),
    [
        (two_tracks, {"tracks": "mix"}, [440, 880], 4),
        (silent_first, {}, [880], 4),
        (chained, {}, [440, 880], 8),
        (broadcast, {}, [440], 4),
        (telephone, {}, [440], 4),
    ],
)
def test_they_are_converted_there(
    store: Blobs,
    tmp_path: Path,
    make: Callable[[Path], Path],
    options: dict[str, Any],
    tones: list[int],
    seconds: float,
) -> None:
    job = rows.job("queued", options=options)
    with store.writing(f"video/{job}") as writer:
        writer.write(make(tmp_path).read_bytes())
    claim = claims.claim(job)
    assert claim
    audio = engine.convert(claim).audio
    assert audio.duration_seconds == pytest.approx(seconds, abs=0.1)
    mp3 = tmp_path / "a.mp3"
    mp3.write_bytes(b"".join(store.read(claim.audio, 0, audio.size_bytes)))
    assert loudest(media.samples(mp3, 1, "-ar", "48000")[0], len(tones)) == pytest.approx(tones, abs=3)


def loudest(samples: np.ndarray[Any, np.dtype[np.float32]], count: int) -> list[float]:
    """The loudest frequencies, each well apart from the others, in order."""
    spectrum = np.abs(np.fft.rfft(samples))
    found = []
    for _ in range(count):
        at = int(np.argmax(spectrum))
        found.append(at * 48000 / len(samples))
        spectrum[max(0, at - 400) : at + 400] = 0
    return sorted(found)
