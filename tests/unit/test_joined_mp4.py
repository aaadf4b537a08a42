"""containers/further.py: MP4s that were joined end to end, in fragments or not, each with tracks of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.convert.conversion.containers.behind import next_recording
from functions.convert.conversion.containers.probe import opened
from tests.unit.bytes_source import file_of
from tests.unit.conversions import conversion
from tests.unit.endings import ended, ffmpeg, joined_boxes

SECONDS = 6
WAYS = {
    "plain": (),
    "fast": ("-movflags", "+faststart"),
    "fragments": ("-movflags", "frag_keyframe+empty_moov"),
    "moof": ("-movflags", "frag_keyframe+empty_moov+default_base_moof"),
    "dash": ("-movflags", "+dash+frag_keyframe+global_sidx"),
}
PAIRS = [(one, other) for one in WAYS for other in WAYS]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("joined")


def made(directory: Path, way: str, hertz: int, rate: int = 48000, channels: int = 2) -> bytes:
    """A video of SECONDS with a tone, made once."""
    path = directory / f"{way}-{hertz}-{rate}-{channels}.mp4"
    if not path.exists():
        sound = ("-f", "lavfi", "-i", f"sine={hertz}:sample_rate={rate}:duration={SECONDS}")
        picture = ("-f", "lavfi", "-i", f"testsrc2=size=160x120:rate=25:duration={SECONDS}")
        ffmpeg(path, *sound, *picture, "-ac", str(channels), "-c:v", "mpeg4", "-g", "25", "-c:a", "aac", *WAYS[way])
    return path.read_bytes()


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_both_are_heard_whatever_each_is_made_like(directory: Path, one: str, other: str) -> None:
    found = ended(made(directory, one, 440) + made(directory, other, 880))
    assert (found.code, found.codes) == ("done", ["recordings"])
    assert found.seconds == pytest.approx(2 * SECONDS, abs=0.1)
    assert found.tones(1, 5.5, 6.5, 11) == [440, 440, 880, 880]


@pytest.mark.parametrize("way", ["plain", "fragments", "moof"])
def test_the_second_may_have_another_rate_and_other_channels(directory: Path, way: str) -> None:
    found = ended(made(directory, way, 440) + made(directory, way, 880, 44100, 1))
    assert found.seconds == pytest.approx(2 * SECONDS, abs=0.1)
    assert found.tones(1, 5.5, 6.5, 11) == [440, 440, 880, 880]


def test_three_are_counted_and_heard(directory: Path) -> None:
    parts = [made(directory, "moof", hertz) for hertz in (440, 880, 660)]
    found = ended(b"".join(parts))
    assert found.warnings[0].values == {"count": 3}
    assert found.seconds == pytest.approx(3 * SECONDS, abs=0.15)
    assert found.tones(1, 7, 17) == [440, 880, 660]


@pytest.mark.parametrize("way", ["fast", "moof"])
def test_one_whose_last_is_cut_off_is_truncated(directory: Path, way: str) -> None:
    whole = made(directory, way, 440) + made(directory, way, 880)
    cut = whole[: -len(made(directory, way, 880)) // 2]
    assert ended(cut).code == "truncated"
    partly = ended(cut, {"partial": True})
    assert (partly.code, partly.tones(1)) == ("done", [440])
    assert SECONDS < partly.seconds < 2 * SECONDS


def test_resumed_it_has_the_same_bytes(directory: Path) -> None:
    path = directory / "eight.mp4"
    path.write_bytes(b"".join(made(directory, "moof", hertz) for hertz in (440, 880, 660, 550) * 2))
    whole = conversion(path, {})
    assert whole.checkpoints
    for frames, state in whole.checkpoints:
        assert conversion(path, {}, frames, state).mp3 == whole.mp3


def test_the_end_of_the_first_is_looked_for_once(directory: Path) -> None:
    path = directory / "two.mp4"
    path.write_bytes(made(directory, "moof", 440) + made(directory, "plain", 880))
    file = file_of(path)
    opened(file)
    first = len(made(directory, "moof", 440))
    assert (file.size, file.goes_on) == (first, True)
    opened(file)
    rest = file.rest(first)
    find = next_recording(rest.peek(0, 12))
    assert find
    assert (rest.size, rest.goes_on, find(rest)) == (len(made(directory, "plain", 880)), False, None)


@pytest.mark.parametrize("every", [1, 3])
def test_a_head_that_is_written_again_is_no_other_recording(directory: Path, every: int) -> None:
    """What a browser's recorder or a download of segments may hold: nothing is heard at the seams."""
    whole = made(directory, "moof", 440)
    parts = joined_boxes(whole)
    head = b"".join(data for kind, data in parts if kind in (b"ftyp", b"moov"))
    again, seen = head, 0
    for kind, data in parts:
        seen += kind == b"moof"
        again += head if kind == b"moof" and seen > 1 and seen % every == 0 else b""
        again += data if kind in (b"moof", b"mdat") else b""
    assert again.count(b"ftyp") > 1
    once, other = ended(whole), ended(again)
    assert (other.code, "recordings" in other.codes, other.seconds) == ("done", False, once.seconds)
    assert (other.samples() == once.samples()).all()
