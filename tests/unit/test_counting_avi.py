"""An AVI has no time stamps: FFmpeg counts chunks, or the bytes in them, by a length of chunks that may be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import media
from tests.unit.clocks import chirped, source_time
from tests.unit.endings import RATE, ended, ffmpeg

SECONDS = 8
# Of all but AC-3 and MP3, ffmpeg writes a length of a chunk that is none, or one of many bytes.
CODECS = {
    "eac3": ("eac3",),
    "dts": ("dca", "-strict", "-2", "-ar", "48000"),
    "g722": ("g722", "-ar", "16000"),
    "g726": ("g726", "-ar", "8000"),
    "speex": ("libspeex", "-ar", "16000"),
    "vorbis": ("libvorbis",),
    "adpcm": ("adpcm_ms",),
    "wma": ("wmav2",),
    "ac3": ("ac3",),
    "mp3": ("libmp3lame",),
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("avi")


def made(directory: Path, name: str) -> Path:
    path = directory / f"{name}.avi"
    return path if path.exists() else chirped(path, "-c:a", *CODECS[name], seconds=SECONDS)


@pytest.mark.parametrize("name", CODECS)
def test_it_is_as_long_as_plain_ffmpeg_has_it(directory: Path, name: str) -> None:
    video = made(directory, name)
    found = ended(video)
    assert (found.code, found.codes) == ("done", [])
    plain = media.samples(video, 1, "-ar", str(RATE)).shape[1] / RATE
    assert found.seconds == pytest.approx(plain, abs=0.05)
    heard = found.samples()
    for at in (1, 4, 7):
        assert source_time(heard, at) == pytest.approx(at, abs=0.1)


def test_without_its_index_it_is_as_long(directory: Path) -> None:
    whole = made(directory, "dts").read_bytes()
    found = ended(whole[: whole.rindex(b"idx1")])
    assert found.code == "done"
    assert found.seconds == pytest.approx(SECONDS, abs=0.1)


@pytest.mark.parametrize("codec", ["eac3", "pcm_s16le"])
def test_tracks_are_mixed_at_the_same_moment(directory: Path, codec: str) -> None:
    path = directory / f"mixed-{codec}.avi"
    tones = [word for hertz in (440, 880) for word in ("-f", "lavfi", "-i", f"sine={hertz}:duration={SECONDS}")]
    ffmpeg(path, *tones, "-map", "0", "-map", "1", "-c:a", codec)
    found = ended(path, {"tracks": "mix"})
    assert found.seconds == pytest.approx(SECONDS, abs=0.1)


def test_sound_that_begins_late_is_late_though_bytes_are_counted(directory: Path) -> None:
    data = bytearray(made(directory, "eac3").read_bytes())
    header = data.index(b"auds") + 20
    scale, rate = (int.from_bytes(data[at : at + 4], "little") for at in (header, header + 4))
    # dwStart, in the units of the stream.
    data[header + 8 : header + 12] = round(3 * rate / scale).to_bytes(4, "little")
    found = ended(bytes(data))
    assert found.seconds == pytest.approx(SECONDS + 3, abs=0.1)
    assert source_time(found.samples(), 5) == pytest.approx(2, abs=0.1)
