"""conversion/containers/cut_off.py: containers that say in a way of their own, or not at all, where they end."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from functions.convert.conversion.containers.tails import adx_stop, rm_stop
from functions.convert.conversion.containers.voc import voc_end
from functions.convert.conversion.source import RangeFile
from tests import media
from tests.unit.bytes_source import Bytes
from tests.unit.endings import RATE, ended, ffmpeg

SECONDS = 6
TONE = ("-f", "lavfi", "-i", f"sine=440:sample_rate=44100:duration={SECONDS}")
PICTURE = ("-f", "lavfi", "-i", f"testsrc2=size=720x576:rate=25:duration={SECONDS}", "-c:v", "mpeg2video")
MADE = {
    "a.gxf": (*PICTURE, *TONE, "-c:a", "pcm_s16le", "-ar", "48000", "-ac", "1"),
    "a.voc": (*TONE, "-c:a", "pcm_s16le"),
    "a.swf": (*TONE, "-c:a", "libmp3lame"),
    "a.mmf": (*TONE, "-ar", "22050"),
    "a.m4a": (*TONE, "-c:a", "aac"),
    "a.mov": (*TONE, "-c:a", "pcm_s16le"),
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cut")


def made(directory: Path, name: str) -> bytes:
    path = directory / name
    return (path if path.exists() else ffmpeg(path, *MADE[name])).read_bytes()


def plain(path: Path) -> float:
    """How many seconds the ffmpeg command decodes of a file."""
    words = [media.ffmpeg(), "-v", "quiet", "-i", str(path), "-ac", "1", "-ar", str(RATE), "-f", "f32le", "-"]
    return len(subprocess.run(words, check=False, capture_output=True).stdout) / 4 / RATE


def test_a_whole_gxf_is_done_without_a_remark_and_as_long_as_plain_ffmpeg_has_it(directory: Path) -> None:
    """Its last packet is filled up with silence: all have 32,768 samples, so that nine are 6.144 s."""
    found = ended(made(directory, "a.gxf"))
    assert (found.code, found.codes, found.tones(1, 5)) == ("done", [], [440, 440])
    assert found.seconds == pytest.approx(9 * 32768 / 48000, abs=0.001)
    assert found.seconds == pytest.approx(plain(directory / "a.gxf"), abs=0.001)


def test_a_whole_mmf_is_as_long_as_plain_ffmpeg_has_it(directory: Path) -> None:
    found = ended(made(directory, "a.mmf"))
    assert (found.code, found.codes, found.tones(1, 5)) == ("done", [], [440, 440])
    assert found.seconds == pytest.approx(plain(directory / "a.mmf"), abs=0.001)


@pytest.mark.parametrize("name", ["a.gxf", "a.mmf"])
@pytest.mark.parametrize("share", [0.4, 0.7, 0.95])
def test_what_was_cut_off_is_truncated(directory: Path, share: float, name: str) -> None:
    whole = made(directory, name)
    cut = whole[: int(len(whole) * share)]
    assert ended(cut).code == "truncated"
    found = ended(cut, {"partial": True})
    assert (found.code, found.codes, found.tones(1)) == ("done", ["ends-early"], [440])
    assert SECONDS * (share - 0.2) < found.seconds < SECONDS * (share + 0.1)


@pytest.mark.parametrize("name", ["a.voc", "a.swf"])
def test_a_file_of_pieces_that_states_no_length_is_done_with_a_remark(directory: Path, name: str) -> None:
    whole = made(directory, name)
    assert (ended(whole).code, ended(whole).codes) == ("done", [])
    for share in (0.4, 0.7, 0.95):
        found = ended(whole[: int(len(whole) * share)])
        assert (found.code, found.codes, found.tones(1)) == ("done", ["end-unknown"], [440])
        assert found.seconds == pytest.approx(SECONDS * share, abs=0.1)


def of_one_block(directory: Path) -> bytes:
    """A VOC as sound cards of the time wrote them: all samples in one block."""
    samples = made(directory, "a.mov")
    samples = samples[samples.index(b"mdat") + 4 :][: RATE * 2 * SECONDS]
    about = RATE.to_bytes(4, "little") + bytes([16, 1]) + (4).to_bytes(2, "little") + bytes(4)
    block = b"\x09" + (len(about) + len(samples)).to_bytes(3, "little") + about + samples
    return b"Creative Voice File\x1a\x1a\0\x14\x01\x1f\x11" + block + b"\0"


def test_a_voc_that_lacks_a_part_of_its_one_block_is_truncated(directory: Path) -> None:
    whole = of_one_block(directory)
    found = ended(whole)
    assert (found.code, found.codes, found.tones(1, 5)) == ("done", [], [440, 440])
    assert found.seconds == pytest.approx(SECONDS, abs=0.001)
    assert ended(whole[: len(whole) // 2]).code == "truncated"
    found = ended(whole[: len(whole) // 2], {"partial": True})
    assert (found.code, found.codes) == ("done", ["ends-early"])
    assert found.seconds == pytest.approx(SECONDS / 2, abs=0.05)


@pytest.mark.parametrize("end", [b"\x05\xff\xff\xff", b"\x03\3\0\0", b"\x01\4\0\0", b"\x06\0\0\0"])
def test_a_voc_by_sox_whose_one_block_states_too_few_bytes_is_whole(directory: Path, end: bytes) -> None:
    """Of the twelve bytes before the samples, SoX counts four: where it says that they end, some are left."""
    whole = of_one_block(directory)
    head = whole.index(b"\x1f\x11\x09") + 3
    stated = int.from_bytes(whole[head : head + 3], "little") - 8
    by_sox = whole[:head] + stated.to_bytes(3, "little") + whole[head + 3 : -9] + end + bytes(4) + b"\0"
    found = ended(by_sox)
    assert (found.code, found.codes, found.tones(1, 5)) == ("done", [], [440, 440])
    assert found.seconds == pytest.approx(SECONDS, abs=0.01)
    assert ended(by_sox[: len(whole) // 2]).code == "truncated"


@pytest.mark.parametrize("name", ["a.m4a", "a.mov"])
def test_an_mp4_that_was_cut_off_anywhere_in_its_index_is_truncated(directory: Path, name: str) -> None:
    """The sound is there, but where it lies and in what codec it is may not be: neither is the fault of the codec."""
    whole = made(directory, name)
    index = whole.rindex(b"moov") - 4
    for stop in (*range(index + 8, len(whole) - 200, (len(whole) - index) // 12), *range(index + 490, index + 560, 10)):
        assert ended(whole[:stop]).code == "truncated", stop - index


@pytest.mark.parametrize(
    ("blocks", "end"),
    [
        (b"", (0, False)),
        (b"\0", (0, True)),
        (b"\x01\4\0\0abcd\0", (0, True)),
        (b"\x01\4\0\0abcd", (0, False)),
        (b"\x01\4\0\0ab", (2, False)),
        (b"\x02\1\0\0x" * 100 + b"\0", (0, True)),
        (b"\x02\1\0\0x" * 100, (0, False)),
    ],
)
def test_the_end_of_a_voc(blocks: bytes, end: tuple[int, bool]) -> None:
    assert voc_end(RangeFile(Bytes(b"head" + blocks)), 4) == end


def test_what_is_no_whole_head_states_no_end() -> None:
    assert [adx_stop(head) for head in (b"\x80\0", b"\x80\0\0\x02(c)CRI", b"\x80\0\0\x20" + bytes(40))] == [0, 0, 0]
    assert rm_stop(RangeFile(Bytes(b".RMF" + bytes(4)))) == 0
    assert rm_stop(RangeFile(Bytes(b".RMF\0\0\0\x12" + bytes(10) + b"DATA\0\0\0\0" + bytes(10)))) == 0
