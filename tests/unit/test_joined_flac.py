"""containers/flac.py: FLACs that were joined end to end, each at its own rate."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from functions.convert.conversion.containers.flac import up_to_the_next
from functions.convert.conversion.source import FIRST_WINDOW, RangeFile
from tests.unit.bytes_source import Bytes
from tests.unit.conversions import conversion
from tests.unit.endings import ended, ffmpeg

HEAD = b"fLaC\0\0\0\x22"
ID3 = b"ID3\3\0\0\0\0\0\x20" + bytes(32)
# Hertz, seconds, sample rate, channels, format of the samples.
PARTS = {
    "first": (220, 4, 44100, 1, "s16"),
    "48 kHz": (440, 4, 48000, 1, "s16"),
    "96 kHz": (880, 4, 96000, 1, "s16"),
    "same": (660, 4, 44100, 1, "s16"),
    "stereo": (1000, 4, 44100, 2, "s16"),
    "24 bits": (1200, 4, 44100, 1, "s32"),
    "short": (1500, 0.6, 22050, 1, "s16"),
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flac")


def made(directory: Path, name: str, seconds: float = 0) -> bytes:
    hertz, usual, rate, channels, form = PARTS[name]
    path = directory / f"{name}-{seconds}.flac"
    if not path.exists():
        sound = f"sine={hertz}:sample_rate={rate}:duration={seconds or usual}"
        ffmpeg(path, "-f", "lavfi", "-i", sound, "-ac", str(channels), "-sample_fmt", form)
    return path.read_bytes()


@pytest.mark.parametrize("other", [name for name in PARTS if name != "first"])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("between", [b"", ID3], ids=["bare", "tagged"])
def test_two_are_as_long_as_both_and_each_is_heard_once(
    directory: Path, other: str, turned: bool, between: bytes
) -> None:
    names = [other, "first"] if turned else ["first", other]
    found = ended(between.join([between + made(directory, names[0]), made(directory, names[1])]))
    lengths = [PARTS[name][1] for name in names]
    assert (found.code, found.codes) == ("done", ["recordings"])
    assert found.seconds == pytest.approx(sum(lengths), abs=0.001)
    middles = [lengths[0] / 2, lengths[0] - 0.25, lengths[0] + 0.25, lengths[0] + lengths[1] / 2]
    assert found.tones(*middles) == [PARTS[name][0] for name in names for _ in range(2)]


def test_the_same_one_three_times_is_three_times_as_long(directory: Path) -> None:
    found = ended(made(directory, "first") * 3)
    assert found.warnings[0].values == {"count": 3}
    assert found.seconds == pytest.approx(12, abs=0.001)


def test_the_last_one_may_be_cut_or_have_no_more_than_its_head(directory: Path) -> None:
    both = made(directory, "first") + made(directory, "48 kHz")
    assert ended(both[:-20_000]).code == "truncated"
    found = ended(made(directory, "first") + made(directory, "48 kHz")[:30])
    assert found.codes == ["rest-unread"]
    assert found.seconds == pytest.approx(4, abs=0.001)


def test_one_alone_is_read_once(directory: Path) -> None:
    whole = made(directory, "first", 60)
    found = ended(whole)
    assert found.codes == []
    assert found.seconds == pytest.approx(60, abs=0.001)
    assert found.bytes_read < 1.2 * len(whole)


def test_resumed_they_have_the_same_bytes(directory: Path) -> None:
    path = directory / "joined.flac"
    path.write_bytes(made(directory, "first", 60) + made(directory, "48 kHz", 60) + made(directory, "same", 60))
    whole = conversion(path, {})
    assert len(whole.checkpoints) > 2
    for frames, state in whole.checkpoints:
        assert conversion(path, {}, frames, state).mp3 == whole.mp3


@pytest.mark.parametrize("seam", [1, 100, *range(FIRST_WINDOW - len(HEAD) - 1, FIRST_WINDOW + 2), 200_000])
def test_the_next_one_is_found_wherever_it_begins(seam: int) -> None:
    data = HEAD + bytes(seam) + HEAD + bytes(1000)
    file = RangeFile(Bytes(data))
    file.watch = partial(up_to_the_next, file, 0)
    read = b"".join(iter(partial(file.read, 5000), b""))
    assert read == HEAD + bytes(seam)
    assert file.goes_on
    assert file.rest(file.size).peek(0, 2000) == HEAD + bytes(1000)
