"""tracks/following.py: in an FLV, the codec of the sound changes."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from functions.convert.conversion.containers.flv_tags import HEAD, other_sound
from functions.convert.conversion.source import RangeFile
from tests.unit.bytes_source import Bytes
from tests.unit.conversions import conversion
from tests.unit.endings import ended, ffmpeg

SECONDS = 6
# Codec → words to ffmpeg.
CODECS = {"libmp3lame": (), "aac": ("-ar", "48000"), "nellymoser": ("-ac", "1"), "pcm_s16le": ("-ac", "1")}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flv")


def made(directory: Path, codec: str, hertz: int, *, seconds: int = SECONDS, start: int = 0) -> bytes:
    """The tags of an FLV whose clock begins at `start`."""
    path = directory / f"{codec}-{hertz}-{seconds}-{start}.flv"
    if not path.exists():
        sound = ("-f", "lavfi", "-i", f"sine={hertz}:sample_rate=44100:duration={seconds}")
        picture = ("-f", "lavfi", "-i", f"testsrc2=size=160x120:rate=25:duration={seconds}")
        coded = ("-c:v", "flv", "-c:a", codec, *CODECS[codec], "-flvflags", "no_metadata")
        ffmpeg(path, *sound, *picture, *coded, "-output_ts_offset", str(start))
    return path.read_bytes()[len(HEAD) :]


@pytest.mark.parametrize(("one", "other"), list(permutations(CODECS, 2)))
def test_both_are_heard(directory: Path, one: str, other: str) -> None:
    found = ended(HEAD + made(directory, one, 440) + made(directory, other, 880, start=SECONDS))
    assert (found.code, found.codes) == ("done", [])
    assert found.seconds == pytest.approx(2 * SECONDS, abs=0.1)
    assert found.tones(1, 5.5, 6.5, 11) == [440, 440, 880, 880]


def test_it_may_change_back_and_have_a_hole(directory: Path) -> None:
    tags = [made(directory, "libmp3lame", 440), made(directory, "aac", 880, start=SECONDS)]
    tags += [made(directory, "libmp3lame", 660, start=2 * SECONDS), made(directory, "aac", 550, start=3 * SECONDS + 2)]
    found = ended(HEAD + b"".join(tags))
    assert found.seconds == pytest.approx(4 * SECONDS + 2, abs=0.1)
    assert found.tones(1, 5.5, 6.5, 11, 13, 17, 19, 21, 25) == [440, 440, 880, 880, 660, 660, 0, 550, 550]


@pytest.mark.parametrize(("one", "other"), [("libmp3lame", "aac"), ("aac", "pcm_s16le")])
def test_resumed_it_has_the_same_bytes(directory: Path, one: str, other: str) -> None:
    path = directory / "changing.flv"
    path.write_bytes(HEAD + made(directory, one, 440, seconds=25) + made(directory, other, 880, seconds=40, start=25))
    whole = conversion(path, {"quality": 6})
    assert len(whole.checkpoints) >= 2
    for frames, state in whole.checkpoints:
        assert conversion(path, {"quality": 6}, frames, state).mp3 == whole.mp3


@pytest.mark.parametrize("broken", [b"", b"\x08", b"\x08\0\0\0", bytes(40), b"\x08\xff\xff\xff" + bytes(40)])
def test_what_is_no_tag_has_no_sound(broken: bytes) -> None:
    assert other_sound(RangeFile(Bytes(HEAD + broken)), len(HEAD), len(HEAD) + len(broken)) is None
