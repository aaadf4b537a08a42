"""Whatever comes in, the MP3 is never worse than that of `ffmpeg -i in -map 0:a:<chosen> -q:a 2 out.mp3`.

Compared are length, sample rate, channels, and what sounds when: a tone that rises shows each moment by its pitch.
"""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import mutagen.mp3
import numpy as np
import pytest

from functions.convert.conversion import pipeline
from tests import media
from tests.unit.bytes_source import Bytes

SECONDS, TOLERANCE = 12, 0.03
# Containers and codecs that both ffmpegs of the tests can write, beside those of media.KINDS.
MORE = {
    "aac.m4a": ["-vn", "-c:a", "aac"],
    "alac.m4a": ["-vn", "-c:a", "alac"],
    "ac3.mp4": ["-c:v", "mpeg4", "-c:a", "ac3"],
    "mp3.mp4": ["-c:v", "mpeg4", "-c:a", "libmp3lame"],
    "opus.mp4": ["-c:v", "mpeg4", "-c:a", "libopus"],
    "fragmented.mp4": ["-c:v", "mpeg4", "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"],
    "alaw.mov": ["-c:v", "mpeg4", "-c:a", "pcm_alaw"],
    "pcm-s24.mov": ["-c:v", "mpeg4", "-c:a", "pcm_s24be"],
    "eac3.mkv": ["-c:v", "mpeg4", "-c:a", "eac3"],
    "vorbis.mkv": ["-c:v", "mpeg4", "-c:a", "libvorbis"],
    "mp3.mkv": ["-c:v", "mpeg4", "-c:a", "libmp3lame"],
    "opus.webm": ["-c:v", "libvpx", "-c:a", "libopus"],
    "wavpack.mkv": ["-c:v", "mpeg4", "-c:a", "wavpack"],
    "adpcm.avi": ["-c:v", "mpeg4", "-c:a", "adpcm_ms"],
    "pcm.avi": ["-c:v", "mpeg4", "-c:a", "pcm_s16le"],
    "aac.ts": ["-c:v", "mpeg2video", "-c:a", "aac"],
    "ac3.ts": ["-c:v", "mpeg2video", "-c:a", "ac3"],
    "s302m.ts": ["-c:v", "mpeg2video", "-ar", "48000", "-strict", "-2", "-c:a", "s302m"],
    "mp3.flv": ["-c:v", "flv", "-c:a", "libmp3lame"],
    "speex.ogg": ["-vn", "-ar", "16000", "-ac", "1", "-c:a", "libspeex"],
    "opus.ogg": ["-vn", "-c:a", "libopus"],
    "flac.ogg": ["-vn", "-c:a", "flac"],
    "bare.mp3": ["-vn", "-c:a", "libmp3lame"],
    "bare.aac": ["-vn", "-c:a", "aac"],
    "bare.flac": ["-vn", "-c:a", "flac"],
    "bare.ac3": ["-vn", "-c:a", "ac3"],
    "float.wav": ["-vn", "-c:a", "pcm_f32le"],
    "mulaw.au": ["-vn", "-c:a", "pcm_mulaw"],
    "pcm.aiff": ["-vn", "-c:a", "pcm_s16be"],
    "pcm.caf": ["-vn", "-c:a", "pcm_s16le"],
    "g722.wav": ["-vn", "-ar", "16000", "-ac", "1", "-c:a", "g722"],
    "11k.wav": ["-vn", "-ar", "11025", "-c:a", "pcm_s16le"],
    "22k-mono.mp4": ["-c:v", "mpeg4", "-ar", "22050", "-ac", "1", "-c:a", "aac"],
    "dv.mxf": ["-c:v", "mpeg2video", "-ar", "48000", "-c:a", "pcm_s16le"],
}
KINDS = {name: words for name, words in {**media.KINDS, **MORE}.items() if name != "silent-movie.mp4"}


class Heard(NamedTuple):
    """An MP3: its length in seconds, its sample rate and channels, and the pitch every half second in Hz."""

    seconds: float
    sample_rate: int
    channels: int
    pitches: list[float]


@pytest.mark.parametrize("name", KINDS)
def test_it_is_as_long_and_says_the_same_at_every_moment(tmp_path: Path, name: str) -> None:
    video = media.chirp(tmp_path / name, *KINDS[name], seconds=SECONDS)
    ours, chosen = converted(video)
    theirs = tmp_path / "theirs.mp3"
    words = ("-i", str(video), "-map", f"0:a:{chosen}", "-q:a", "2", str(theirs))
    subprocess.run([media.ffmpeg(), "-v", "error", "-nostdin", "-y", *words], check=True)
    one, other = heard(ours, tmp_path), heard(theirs.read_bytes(), tmp_path)
    assert (one.sample_rate, one.channels) == (other.sample_rate, other.channels)
    assert abs(one.seconds - SECONDS) <= abs(other.seconds - SECONDS) + TOLERANCE
    # Of a pitch that rises by 40 Hz a second, this is a tenth of a second.
    count = min(len(one.pitches), len(other.pitches))
    assert count >= 2 * SECONDS - 2
    assert one.pitches[:count] == pytest.approx(other.pitches[:count], abs=4)


def converted(video: Path) -> tuple[bytes, int]:
    """The MP3 that the engine makes, and which track it took."""
    frames, chosen = b"", 0
    job: dict[str, Any] = {"options": {}, "threads": 1, "max_seconds": 3600, "state": None}
    for header, payload in pipeline.converted(Bytes(video.read_bytes()), job):
        match header["kind"]:
            case "tracks":
                chosen = next(track["position"] for track in json.loads(payload) if track["chosen"])
            case "restart":
                frames = b""
            case "audio":
                frames += payload
            case "file":
                return payload[: header["head"]] + frames + payload[header["head"] :], chosen
    raise AssertionError("no MP3")


def heard(mp3: bytes, tmp_path: Path) -> Heard:
    """What is in an MP3."""
    about = mutagen.mp3.MP3(io.BytesIO(mp3)).info
    path = tmp_path / "heard.mp3"
    path.write_bytes(mp3)
    # The first channel: their tones differ, and are equally loud.
    sound = media.samples(path, about.channels, "-ar", "8000")[0]
    starts = range(2000, len(sound) - 4000, 4000)
    return Heard(about.length, about.sample_rate, about.channels, [pitch(sound[at : at + 1600]) for at in starts])


def pitch(part: np.ndarray[Any, np.dtype[np.float32]]) -> float:
    """The strongest frequency, in Hz, of a fifth of a second at 8 kHz."""
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 16000))
    return float(np.argmax(spectrum)) / 2
