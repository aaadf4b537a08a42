"""containers/restarts.py: an MP4 in fragments whose clock begins again without another head is heard whole."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.conversions import conversion
from tests.unit.endings import ended, ffmpeg
from tests.unit.test_doubled_fragments import SECONDS, TONES, made, segments

MIDDLES = [second + 0.5 for second in range(SECONDS)]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("restarts")


def places(fragment: bytes) -> list[tuple[str, int]]:
    """How the times of the tracks are written in a fragment, and where."""
    found, at = list[tuple[str, int]](), fragment.find(b"tfdt")
    while at >= 0:
        found.append((">Q" if fragment[at + 4] else ">I", at + 8))
        at = fragment.find(b"tfdt", at + 4)
    return found


def times(fragment: bytes) -> list[int]:
    return [struct.unpack_from(form, fragment, at)[0] for form, at in places(fragment)]


def earlier(fragment: bytes, by: Sequence[int]) -> bytes:
    changed = bytearray(fragment)
    for (form, at), time, ticks in zip(places(fragment), times(fragment), by, strict=True):
        struct.pack_into(form, changed, at, time - ticks)
    return bytes(changed)


def numbered(fragment: bytes, number: int) -> bytes:
    at = fragment.index(b"mfhd") + 8
    return fragment[:at] + number.to_bytes(4, "big") + fragment[at + 4 :]


def restarted(whole: bytes, *starts: int, late: float = 0.0) -> bytes:
    """The clock begins again at these fragments, so much later than at 0: in lengths of the first fragment."""
    head, found, tail = segments(whole)
    length = times(found[1])
    joined = found[: starts[0]]
    for start, stop in zip(starts, [*starts[1:], len(found)], strict=True):
        by = [time - round(late * each) for time, each in zip(times(found[start]), length, strict=True)]
        joined += [numbered(earlier(one, by), count) for count, one in enumerate(found[start:stop], 1)]
    return head + b"".join(joined) + tail


@pytest.mark.parametrize(("start", "late"), [(2, 0.0), (3, 0.0), (5, 0.0), (3, 0.1), (5, 0.4)])
def test_all_of_it_is_heard(directory: Path, start: int, late: float) -> None:
    found = ended(restarted(made(directory, "from the moof"), start, late=late))
    assert (found.code, found.codes[-1]) == ("done", "recordings")
    assert found.seconds == pytest.approx(SECONDS, abs=0.15)
    assert found.tones(*MIDDLES) == TONES


def test_it_may_begin_again_twice(directory: Path) -> None:
    found = ended(restarted(made(directory, "from the moof"), 2, 5))
    assert found.tones(*MIDDLES) == TONES
    assert found.warnings[-1].values == {"count": 3}


def test_places_that_count_from_the_beginning_of_the_file_are_found(directory: Path) -> None:
    """The fragments stay where they are: only their clock begins again."""
    head, found, tail = segments(made(directory, "absolute"))
    by = times(found[3])
    moved = head + b"".join([*found[:3], *(earlier(one, by) for one in found[3:])]) + tail
    assert ended(moved).tones(*MIDDLES) == TONES


def test_resumed_it_has_the_same_bytes(directory: Path) -> None:
    path = directory / "restarted.mp4"
    sound = "aevalsrc=0.3*sin(2*PI*(300+20*t)*t):s=48000:d=40"
    ffmpeg(path, "-f", "lavfi", "-i", sound, "-movflags", "empty_moov+default_base_moof", "-frag_duration", "1000000")
    path.write_bytes(restarted(path.read_bytes(), 13, 24))
    whole = conversion(path, {})
    assert whole.checkpoints
    for frames, state in whole.checkpoints:
        assert conversion(path, {}, frames, state).mp3 == whole.mp3


def test_what_is_all_written_again_under_other_numbers_is_no_other_recording(directory: Path) -> None:
    head, found, tail = segments(made(directory, "from the moof"))
    twice = [*found, *(numbered(one, 100 + count) for count, one in enumerate(found))]
    assert "recordings" not in ended(head + b"".join(twice) + tail).codes


def test_two_that_changed_places_are_no_other_recording(directory: Path) -> None:
    head, found, tail = segments(made(directory, "from the moof"))
    moved = [found[0], found[2], found[1], *found[3:]]
    assert "recordings" not in ended(head + b"".join(moved) + tail).codes


@pytest.mark.parametrize("way", ["first in moov", "one index"])
def test_where_the_head_has_sound_or_says_where_all_is_it_is_read_as_before(directory: Path, way: str) -> None:
    head, found, tail = segments(made(directory, way))
    by = times(found[3])
    moved = head + b"".join([*found[:3], *(earlier(one, by) for one in found[3:])]) + tail
    assert "recordings" not in ended(moved).codes
