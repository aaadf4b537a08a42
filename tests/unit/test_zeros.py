"""functions/convert/conversion/containers/zeros.py: files whose room was taken, and of which a part never came."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.convert.conversion.containers.zeros import before_zeros
from functions.convert.conversion.source import RangeFile
from tests.unit.bytes_source import Bytes
from tests.unit.clocks import source_time
from tests.unit.endings import ended
from tests.unit.troubles import RATE, SECONDS, audio, samples, video, wav

AAC, MP3 = ("-c:a", "aac", "-aac_pns", "0", "-b:a", "256k"), ("-c:a", "libmp3lame", "-b:a", "320k", "-write_xing", "0")
# Name → how it is made, and what becomes of it when its last half is zeros.
KINDS = {
    "a.m4a": ((*AAC, "-movflags", "+faststart"), "truncated"),
    "a.mka": (AAC, "truncated"),
    "a.mp3": (MP3, "done"),
    "a.ac3": (("-c:a", "ac3", "-b:a", "320k"), "done"),
    "a.opus": (("-c:a", "libopus", "-b:a", "256k"), "truncated"),
}
ROOM = 128 * 1024


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zeros")


@pytest.mark.parametrize("name", KINDS)
def test_a_half_that_never_came_is_known_by_its_zeros(directory: Path, name: str) -> None:
    words, code = KINDS[name]
    data = audio(directory, name, *words)
    half = data[: len(data) // 2] + bytes(ROOM)
    assert ended(half).code == code
    found = ended(half, {"partial": True})
    assert found.code == "done"
    assert ("ends-early" if code == "truncated" else "end-unknown") in found.codes
    assert source_time(found.samples(), 2) == pytest.approx(2, abs=0.08)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.wav"])
def test_a_recording_whose_room_was_too_large_is_whole(directory: Path, name: str) -> None:
    data = wav(samples().tobytes() + bytes(RATE)) if name == "a.wav" else video(directory, name)
    found = ended(data + bytes(ROOM))
    assert (found.code, found.codes) == ("done", [])
    assert found.seconds == pytest.approx(SECONDS + (name == "a.wav") / 2, abs=0.05)


@pytest.mark.parametrize("junk", [b"\0", b"\xa7\x5e"], ids=["zeros", "noise"])
def test_fragments_behind_one_whose_head_is_lost_are_heard(directory: Path, junk: bytes) -> None:
    words = (*AAC, "-movflags", "frag_keyframe+empty_moov+default_base_moof", "-frag_duration", "500000")
    data = audio(directory, "fragments.m4a", *words)
    heads = [at - 4 for at in range(len(data)) if data.startswith(b"moof", at)]
    start, stop = heads[5] - 500, heads[7] + 20
    found = ended(data[:start] + (junk * (stop - start))[: stop - start] + data[stop:])
    assert (found.code, found.codes) == ("done", ["undecodable"])
    assert found.seconds == pytest.approx(SECONDS, abs=0.1)
    for second, expected in ((1, 1), (3.2, None), (4.5, 4.5), (5.5, 5.5)):
        assert source_time(found.samples(), second) == (expected and pytest.approx(expected, abs=0.08))


def test_where_they_begin() -> None:
    for data in (b"x" * 100_000, b"x" * 5 + b"\0\0" + b"y" * 70_000, b"x" * 131_072, b"x"):
        for zeros in (64 * 1024, 200_000, 1_000_000):
            assert before_zeros(RangeFile(Bytes(data + bytes(zeros)))).size == len(data)
    for data in (b"x" * 100_000, b"x" * 100_000 + bytes(60_000), bytes(100), b""):
        assert before_zeros(RangeFile(Bytes(data))).size == len(data)
