"""containers/sample_times.py: sound whose samples have no lengths in the index of an MP4 or MOV is there whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.convert.conversion.containers.probe import opened
from functions.convert.conversion.containers.sample_times import missing_lengths
from tests.unit.bytes_source import file_of
from tests.unit.clocks import source_time
from tests.unit.endings import ended
from tests.unit.troubles import SECONDS, video

KINDS = {
    "aac.mp4": ("-c:a", "aac", "-aac_pns", "0"),
    "mp3.mp4": ("-c:a", "libmp3lame"),
    "low.mp4": ("-c:a", "libmp3lame", "-ar", "22050"),
    "ac3.mp4": ("-c:a", "ac3"),
    "alac.mp4": ("-c:a", "alac"),
    "opus.mp4": ("-c:a", "libopus"),
    "ima.mov": ("-c:a", "adpcm_ima_qt"),
    "pcm.mov": ("-c:a", "pcm_s16le"),
    "mulaw.mov": ("-c:a", "pcm_mulaw"),
}
# Where the rows of a table of sample lengths begin behind its name, and where in a row the length is.
ROWS, LENGTH = 12, 4


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("times")


def with_lengths(data: bytes, length: int) -> bytes:
    """The movie, in which each sample of the sound is so many ticks long."""
    made, at = bytearray(data), data.index(b"stts", data.index(b"smhd"))
    rows = int.from_bytes(data[at + 8 : at + ROWS], "big")
    for row in range(rows):
        place = at + ROWS + 8 * row + LENGTH
        made[place : place + 4] = length.to_bytes(4, "big")
    return bytes(made)


@pytest.mark.parametrize("edited", [True, False])
@pytest.mark.parametrize("length", [0, 1])
@pytest.mark.parametrize("name", KINDS)
def test_the_sound_is_there_whole(directory: Path, name: str, length: int, edited: bool) -> None:
    data = video(directory, name, *KINDS[name])
    found = ended(with_lengths(data if edited else data.replace(b"edts", b"free"), length))
    assert (found.code, found.codes) == ("done", [])
    assert found.seconds == pytest.approx(SECONDS, abs=0.08)
    for at in (1, 3, 5):
        assert source_time(found.samples(), at) == pytest.approx(at, abs=0.08)


def test_an_edit_list_trims_by_the_lengths_that_samples_have(directory: Path) -> None:
    data = video(directory, "aac.mp4", *KINDS["aac.mp4"])
    # From 2 s on.
    at = data.index(b"elst", data.rindex(b"trak")) + 12
    edited = data[: at + 4] + (2 * 44100 + 1024).to_bytes(4, "big") + data[at + 8 :]
    for each in (edited, with_lengths(edited, 0), with_lengths(edited, 1)):
        found = ended(each)
        assert found.seconds == pytest.approx(SECONDS - 2, abs=0.05)
        assert source_time(found.samples(), 1) == pytest.approx(3, abs=0.05)


@pytest.mark.parametrize("name", KINDS)
def test_a_usual_file_is_not_asked(directory: Path, name: str) -> None:
    video(directory, name, *KINDS[name])
    file = file_of(directory / name)
    stream = opened(file).streams.audio[0]
    before = file.requests
    assert missing_lengths(file, stream) == []
    assert file.requests == before


def test_a_table_that_is_broken_is_none(directory: Path) -> None:
    data = bytearray(with_lengths(video(directory, "aac.mp4", *KINDS["aac.mp4"]), 1))
    at = data.index(b"stts", data.index(b"smhd"))
    for count in (0, 0xFFFF_FFFF):
        data[at + 8 : at + ROWS] = count.to_bytes(4, "big")
        assert ended(bytes(data)).code in ("done", "no-audio", "damaged", "truncated")
    data[at : at + 4] = b"junk"
    assert ended(bytes(data)).code in ("done", "no-audio", "damaged", "truncated")
