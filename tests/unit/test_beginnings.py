"""conversion/containers/beginnings.py: rubbish in front of a file, and a file without its beginning."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from functions.convert.conversion.containers.beginnings import begins_at
from functions.convert.conversion.source import RangeFile
from tests import media
from tests.unit.bytes_source import Bytes
from tests.unit.endings import ended, ffmpeg

SECONDS = 6
TONE = ("-f", "lavfi", "-i", f"sine=440:sample_rate=44100:duration={SECONDS}")
PICTURE = ("-f", "lavfi", "-i", f"testsrc2=size=160x120:rate=25:duration={SECONDS}", "-c:v", "mpeg4")
MADE = {
    "a.mp4": (*PICTURE, *TONE, "-c:a", "aac"),
    "fast.mp4": (*PICTURE, *TONE, "-c:a", "aac", "-movflags", "+faststart"),
    "fragments.mp4": (*PICTURE, *TONE, "-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov"),
    "a.mov": (*PICTURE, *TONE, "-c:a", "pcm_s16le"),
    "a.mkv": (*PICTURE, *TONE, "-c:a", "libopus"),
    "a.webm": (*TONE, "-c:a", "libvorbis"),
    "a.avi": (*PICTURE, *TONE, "-c:a", "libmp3lame"),
    "a.wmv": (*PICTURE, *TONE, "-c:a", "wmav2"),
    "a.flv": (*TONE, "-c:a", "aac"),
    "a.wav": TONE,
    "a.flac": TONE,
    "a.aiff": TONE,
    "a.caf": TONE,
    "a.w64": TONE,
    "a.ogg": (*TONE, "-c:a", "libvorbis", "-page_duration", "200000"),
    "a.opus": (*TONE, "-c:a", "libopus", "-page_duration", "200000"),
}
RUBBISH = {
    "http": b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: video/mp4\r\n\r\n",
    "zeros": bytes(1000),
    "noise": np.random.default_rng(1).integers(0, 256, 300_000, dtype=np.uint8).tobytes(),
    "a line": b"\r\n",
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("beginnings")


def made(directory: Path, name: str) -> bytes:
    path = directory / name
    return (path if path.exists() else ffmpeg(path, *MADE[name])).read_bytes()


def plain(path: Path) -> bool:
    """Whether the ffmpeg command finds sound in a file."""
    words = [media.ffmpeg(), "-v", "quiet", "-i", str(path), "-map", "0:a:0", "-f", "f32le", "-"]
    return len(subprocess.run(words, check=False, capture_output=True).stdout) > 44100


@pytest.mark.parametrize("kind", RUBBISH)
@pytest.mark.parametrize("name", MADE)
def test_rubbish_in_front_is_passed_over(directory: Path, name: str, kind: str) -> None:
    """The sound is that of the file alone, to the byte."""
    whole = made(directory, name)
    found = ended(RUBBISH[kind] + whole)
    assert (found.code, found.codes, found.tones(1, 5)) == ("done", [], [440, 440])
    assert found.seconds == pytest.approx(SECONDS, abs=0.07)
    assert found.mp3 == ended(whole).mp3


def test_dts_that_was_cut_in_its_first_frame_begins_with_the_second(directory: Path) -> None:
    data = ffmpeg(directory / "a.dts", *TONE, "-ar", "48000", "-c:a", "dca", "-strict", "-2").read_bytes()
    found = ended(data[777:])
    assert (found.code, found.codes, found.tones(1, 5)) == ("done", [], [440, 440])
    assert found.seconds == pytest.approx(SECONDS, abs=0.02)


def test_plain_ffmpeg_finds_nothing_in_a_video_behind_rubbish(directory: Path) -> None:
    """So that nobody looks for a way to do as it does."""
    for name in ("a.mp4", "a.mkv", "a.avi"):
        path = directory / f"behind-{name}"
        path.write_bytes(RUBBISH["http"] + made(directory, name))
        assert not plain(path)


@pytest.mark.parametrize("name", ["fast.mp4", "a.mkv", "a.avi", "a.wav"])
def test_what_lies_behind_rubbish_and_is_cut_off_is_truncated(directory: Path, name: str) -> None:
    whole = made(directory, name)
    assert ended(RUBBISH["http"] + whole[: len(whole) // 2]).code == "truncated"


@pytest.mark.parametrize("name", ["a.ogg", "a.opus"])
def test_an_ogg_without_its_first_pages_is_damaged(directory: Path, name: str) -> None:
    whole = made(directory, name)
    for start in (10, whole.index(b"OggS", 10) + 10, len(whole) // 3, whole.index(b"OggS", len(whole) // 2)):
        assert ended(whole[start:]).code == "damaged"
        path = directory / f"start-{name}"
        path.write_bytes(whole[start:])
        assert not plain(path)


def test_an_ogg_that_was_cut_at_its_start_is_converted_from_the_next_link_of_its_chain_on(directory: Path) -> None:
    whole = made(directory, "a.ogg")
    found = ended(whole[len(whole) // 2 :] + whole)
    assert (found.code, found.tones(1, 5)) == ("done", [440, 440])
    assert found.seconds == pytest.approx(SECONDS, abs=0.07)


@pytest.mark.parametrize("start", [b"PK\3\4", b"%PDF-1.7\n", b"MZ\x90\0", b"\x7fELF", b"Rar!\x1a\7"])
def test_a_recording_in_a_document_an_archive_or_a_program_is_not_taken_out(directory: Path, start: bytes) -> None:
    assert ended(start.ljust(500, b"\1") + made(directory, "a.mp4")).code in ("not-media", "refused-format")


def test_it_is_looked_for_in_4_mib(directory: Path) -> None:
    whole = made(directory, "a.wav")
    assert ended(b"\1" * (4 * 2**20 - 70) + whole).code == "done"
    assert ended(b"\1" * (4 * 2**20 + 70) + whole).code == "not-media"
    source = Bytes(b"\1" * 16 * 2**20)
    assert begins_at(RangeFile(source)) is None
    assert sum(length for request in source.requests for _, length in request) < 6 * 2**20


def test_many_false_beginnings_are_tried_once() -> None:
    assert ended(b"\1" * 100 + b"OggS\0\2" * 50_000).code == "damaged"
