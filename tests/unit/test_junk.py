"""functions/convert/conversion/tracks/stitched.py: junk in the middle of an MP3 moves nothing."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from functions.convert.conversion.mpeg.frames import header
from tests.unit.clocks import source_time
from tests.unit.endings import ended
from tests.unit.troubles import SECONDS, audio

JUNK = 50_000
KINDS = {"random": random.Random(4).randbytes(JUNK), "text": b"hello, world; " * (JUNK // 14)}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("junk")


def middle(data: bytes) -> int:
    """Where a frame begins in the middle of an MP3 without tags."""
    at = 0
    while at < len(data) // 2:
        at += header(data[at : at + 4]).size
    return at


@pytest.mark.parametrize("offset", [0, 200], ids=["between", "within"])
@pytest.mark.parametrize("kind", KINDS)
def test_junk_lasts_no_longer_than_what_it_hid(directory: Path, kind: str, offset: int) -> None:
    bare = ("-c:a", "libmp3lame", "-b:a", "128k", "-write_xing", "0", "-id3v2_version", "0")
    data = audio(directory, "bare.mp3", *bare)
    at = middle(data) + offset
    found, whole = ended(data[:at] + KINDS[kind] + data[at:]), ended(data)
    assert (found.code, found.codes) == ("done", ["undecodable"])
    assert found.warnings[0].values["broken"] == 1
    assert found.seconds == pytest.approx(whole.seconds, abs=0.03)
    assert whole.seconds == pytest.approx(SECONDS, abs=0.05)
    for second in (1, 2.5, 3.5, 5, 5.8):
        expected = source_time(whole.samples(), second)
        assert source_time(found.samples(), second) == pytest.approx(expected, abs=0.035)


def test_zeros_last_as_long_as_the_frames_that_were_there(directory: Path) -> None:
    bare = ("-c:a", "libmp3lame", "-b:a", "128k", "-write_xing", "0", "-id3v2_version", "0")
    data = audio(directory, "bare.mp3", *bare)
    found = ended(data[: len(data) // 3] + bytes(JUNK // 3) + data[len(data) // 3 + JUNK // 3 :])
    assert (found.code, found.codes) == ("done", ["undecodable"])
    for second, expected in ((1, 1), (2.5, None), (4, 4), (5.5, 5.5)):
        assert source_time(found.samples(), second) == (expected and pytest.approx(expected, abs=0.08))
