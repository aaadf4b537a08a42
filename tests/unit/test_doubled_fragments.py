"""containers/boxes.py: fragments of an MP4 that were written twice are heard once, and what follows is found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.conversions import conversion
from tests.unit.endings import ended, ffmpeg, joined_boxes

SECONDS = 8
# A tone for each second.
SOUND = f"aevalsrc=0.3*sin(2*PI*(300+100*floor(t))*t):s=48000:d={SECONDS}"
TONES = [300 + 100 * second for second in range(SECONDS)]
PICTURE = f"testsrc2=size=160x120:rate=25:duration={SECONDS}"
WAYS = {
    # Places count from the beginning of the file (ISO/IEC 14496-12, 8.8.7: base-data-offset).
    "absolute": "frag_keyframe+empty_moov",
    "first in moov": "frag_keyframe",
    "from the moof": "frag_keyframe+empty_moov+default_base_moof",
    "dash": "+dash+frag_keyframe",
    "one index": "+dash+frag_keyframe+global_sidx",
}
AGAIN = {
    "second": [1],
    "fifth and sixth": [4, 5],
    "all": range(20),
    "last": [-1],
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fragments")


def made(directory: Path, way: str, *words: str) -> bytes:
    path = directory / f"{way}{'-'.join(words)}.mp4"
    if not path.exists():
        sources = ("-f", "lavfi", "-i", SOUND, "-f", "lavfi", "-i", PICTURE)
        ffmpeg(path, *sources, "-c:v", "mpeg4", "-g", "25", *(words or ("-c:a", "aac")), "-movflags", WAYS[way])
    return path.read_bytes()


def segments(data: bytes) -> tuple[bytes, list[bytes], bytes]:
    """What lies before the first fragment, each with what belongs to it, and what lies behind the last."""
    head, found, one, is_open = b"", list[bytes](), b"", False
    for kind, box in joined_boxes(data):
        one += box
        is_open |= kind == b"moof"
        if kind == b"mdat" and is_open:
            found.append(one)
            one, is_open = b"", False
        elif not found and kind in (b"ftyp", b"moov", b"free", b"mdat") and not is_open:
            head, one = head + one, b""
    # An index of all of them belongs to none.
    if found[0][4:8] == b"sidx":
        size = int.from_bytes(found[0][:4], "big")
        head, found[0] = head + found[0][:size], found[0][size:]
    return head, found, one


def again(data: bytes, which: Sequence[int], at_once: bool) -> bytes:
    """The file with some fragments twice: each followed by itself, or all of them by all of them."""
    head, found, tail = segments(data)
    places = sorted(place % len(found) for place in which if place < len(found))
    if at_once:
        last = places[-1] + 1
        return head + b"".join([*found[:last], *(found[place] for place in places), *found[last:]]) + tail
    return head + b"".join(one * (2 if place in places else 1) for place, one in enumerate(found)) + tail


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("which", AGAIN)
@pytest.mark.parametrize("way", WAYS)
def test_each_second_is_heard_once(directory: Path, way: str, which: str, at_once: bool) -> None:
    whole = made(directory, way)
    found = ended(again(whole, AGAIN[which], at_once))
    assert (found.code, found.codes) == ("done", ended(whole).codes)
    assert found.seconds == pytest.approx(SECONDS, abs=0.05)
    assert found.tones(*[second + 0.5 for second in range(SECONDS)]) == TONES


@pytest.mark.parametrize("way", ["absolute", "from the moof"])
def test_the_mp3_is_the_same(directory: Path, way: str) -> None:
    for words in (("-c:a", "aac"), ("-c:a", "libmp3lame")):
        whole = made(directory, way, *words)
        assert ended(again(whole, [2, 3], False)).mp3 == ended(whole).mp3


def test_so_it_is_where_fragments_state_no_time(directory: Path) -> None:
    whole = made(directory, "from the moof").replace(b"tfdt", b"free")
    found = ended(again(whole, [2], False))
    assert found.seconds == pytest.approx(SECONDS, abs=0.05)
    assert found.tones(*[second + 0.5 for second in range(SECONDS)]) == TONES


def test_one_that_was_written_again_under_another_number_is_heard_once(directory: Path) -> None:
    head, found, tail = segments(made(directory, "from the moof"))
    at = found[3].index(b"mfhd") + 8
    other = found[3][:at] + (100).to_bytes(4, "big") + found[3][at + 4 :]
    heard = ended(head + b"".join([*found[:4], other, *found[4:]]) + tail)
    assert heard.seconds == pytest.approx(SECONDS, abs=0.05)
    assert heard.tones(*[second + 0.5 for second in range(SECONDS)]) == TONES


def test_fragments_of_one_number_that_differ_are_all_heard(directory: Path) -> None:
    head, found, tail = segments(made(directory, "from the moof"))
    numbered = []
    for one in found:
        at = one.index(b"mfhd") + 8
        numbered.append(one[:at] + bytes(4) + one[at + 4 :])
    heard = ended(head + b"".join(numbered) + tail)
    assert heard.tones(*[second + 0.5 for second in range(SECONDS)]) == TONES


def test_one_that_is_cut_off_when_it_is_written_again_is_told(directory: Path) -> None:
    head, found, _ = segments(made(directory, "absolute"))
    cut = head + b"".join(found[:5]) + found[4][:-500]
    assert ended(cut).code == "truncated"
    assert ended(cut, {"partial": True}).tones(0.5, 4.5) == [TONES[0], TONES[4]]


def test_resumed_it_has_the_same_bytes(directory: Path) -> None:
    sound = "aevalsrc=0.3*sin(2*PI*(200+2*t)*t):s=48000:d=90"
    path = directory / "long.mp4"
    ffmpeg(path, "-f", "lavfi", "-i", sound, "-frag_duration", "1000000", "-movflags", "empty_moov")
    path.write_bytes(again(path.read_bytes(), [10, 50, 60], False))
    whole = conversion(path, {})
    assert whole.checkpoints
    for frames, state in whole.checkpoints:
        assert conversion(path, {}, frames, state).mp3 == whole.mp3


def test_such_a_file_may_be_followed_by_another(directory: Path) -> None:
    found = ended(again(made(directory, "absolute"), [2, 5], False) + made(directory, "from the moof"))
    assert (found.code, found.codes) == ("done", ["recordings"])
    assert found.tones(*[second + 0.5 for second in range(2 * SECONDS)]) == TONES * 2
