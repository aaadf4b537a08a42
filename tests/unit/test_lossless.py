"""FLAC, WavPack and TTA of which a part is missing: what is lost is silent, and what follows is at its time."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from functions.convert.conversion.containers.wavpack import Blocks
from functions.convert.conversion.source import RangeFile
from tests.unit.bytes_source import Bytes
from tests.unit.clocks import heard_as, source_time, words
from tests.unit.conversions import decoded, joined
from tests.unit.endings import RATE, ended
from tests.unit.troubles import SECONDS, audio

KINDS = {"a.flac": ("-c:a", "flac"), "a.wv": ("-c:a", "wavpack"), "a.tta": ("-c:a", "tta")}
Damage = Callable[[bytes], bytes]
# In the worst case a whole second, of which each block has one, is silent behind what was lost.
HEARD = {0.5: 0.5, 1.5: 1.5, 2.8: None, 5.5: 5.5}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lossless")


def middle(data: bytes, make: Damage) -> bytes:
    """The file with something else in place of its fifth from 0.4 to 0.6."""
    first, last = round(0.4 * len(data)), round(0.6 * len(data))
    return data[:first] + make(data[first:last]) + data[last:]


def zeros(part: bytes) -> bytes:
    return bytes(len(part))


def junk(part: bytes) -> bytes:
    return random.Random(1).randbytes(len(part))


def nothing(_: bytes) -> bytes:
    return b""


# Where the frames of a TTA are, only their lengths tell.
@pytest.mark.parametrize(
    ("name", "make"),
    [(name, make) for name in KINDS for make in (zeros, junk, nothing) if (name, make) != ("a.tta", nothing)],
)
def test_what_is_lost_is_silent(directory: Path, name: str, make: Damage) -> None:
    found = ended(middle(audio(directory, name, *KINDS[name]), make))
    assert (found.code, found.codes) == ("done", ["undecodable"])
    assert found.seconds == pytest.approx(SECONDS, abs=0.01)
    heard_as(found.samples(), HEARD, 0.05)


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_frame_is_no_noise(directory: Path, name: str) -> None:
    data = audio(directory, name, *KINDS[name])
    at = round(0.55 * len(data))
    found = ended(data[:at] + junk(bytes(100)) + data[at + 100 :])
    assert (found.code, found.codes) == ("done", ["undecodable"])
    assert found.seconds == pytest.approx(SECONDS, abs=0.01)
    for tenth in range(1, 10 * SECONDS - 1):
        heard = source_time(found.samples(), tenth / 10)
        # Where it ends in the middle, the pitch is not well known.
        assert heard is None or heard == pytest.approx(tenth / 10, abs=0.3), tenth
    assert source_time(found.samples(), 5.5) == pytest.approx(5.5, abs=0.05)


@pytest.mark.parametrize("name", KINDS)
def test_wrong_checksums_of_all_frames_say_nothing(directory: Path, name: str) -> None:
    data = bytearray(audio(directory, name, *KINDS[name]))
    with av.open(io.BytesIO(data), "r") as container:
        frames = [bytes(packet) for packet in container.demux() if packet.size]
    for frame in frames:
        # In WavPack it is in the head, else the last of a frame.
        data[data.index(frame) + (28 if name == "a.wv" else len(frame) - 1)] ^= 1
    found = ended(bytes(data))
    assert (found.code, found.codes) == ("done", [])
    assert source_time(found.samples(), 3) == pytest.approx(3, abs=0.05)


def test_so_is_a_part_of_six_channels(directory: Path) -> None:
    found = ended(middle(audio(directory, "six.wv", "-ac", "6", "-c:a", "wavpack"), zeros))
    assert (found.code, found.codes) == ("done", ["undecodable"])
    assert found.seconds == pytest.approx(SECONDS, abs=0.01)
    heard_as(found.samples(), HEARD, 0.05)


def test_what_was_joined_to_a_wavpack_with_a_hole_is_heard_once(directory: Path) -> None:
    data = audio(directory, "a.wv", *KINDS["a.wv"])
    found = ended(middle(data, zeros) + data)
    assert (found.code, found.codes) == ("done", ["recordings", "undecodable"])
    assert found.seconds == pytest.approx(2 * SECONDS, abs=0.01)
    assert source_time(found.samples(), SECONDS + 3) == pytest.approx(3, abs=0.05)


def test_a_whole_wavpack_is_as_it_is(directory: Path) -> None:
    data = audio(directory, "a.wv", *KINDS["a.wv"])
    file = RangeFile(Bytes(data))
    file.watch = Blocks(file, 0).mended
    assert b"".join(iter(lambda: file.read(5000), b"")) == data
    assert file.bytes_read == len(data)


def test_what_is_no_wavpack_behind_its_first_block_is_as_it_is(directory: Path) -> None:
    data = audio(directory, "a.wv", *KINDS["a.wv"])[:40_000]
    file = RangeFile(Bytes(data + junk(bytes(600_000))))
    file.watch = Blocks(file, 0).mended
    assert b"".join(iter(lambda: file.read(5000), b"")) == file.peek(0, file.size)


@pytest.mark.parametrize("name", ["a.flac", "a.wv"])
def test_what_is_resumed_behind_a_hole_is_the_same(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    words("-f", "lavfi", "-i", "aevalsrc=0.3*sin(2*PI*(200+t)*t):s=44100:d=90", *KINDS[name], str(path))
    path.write_bytes(middle(path.read_bytes(), zeros))
    whole, _ = decoded(path)
    starts = np.cumsum([0, *(block.samples for block in whole)])
    points = [number for number, block in enumerate(whole) if block.resume]
    for number in points[:: len(points) // 6]:
        point = whole[number].resume
        assert point
        assert point.sample == starts[number]
        rest, _ = decoded(path, at=point)
        assert np.array_equal(joined(rest), joined(whole[number:]))
        assert rest[0].resume
        assert rest[0].resume.broken == point.broken


@pytest.mark.parametrize("start", [0.1, 0.15])
def test_what_follows_the_lost_beginning_of_a_flac_is_at_its_time(directory: Path, start: float) -> None:
    data = audio(directory, "a.flac", *KINDS["a.flac"])
    # Before that, there are no frames, or three.
    first, last = round(start * len(data)), round(0.3 * len(data))
    found = ended(data[:first] + bytes(last - first) + data[last:])
    assert (found.code, found.codes) == ("done", ["undecodable"])
    assert found.seconds == pytest.approx(SECONDS, abs=0.01)
    for at in (2, 4, 5.5):
        assert source_time(found.samples(), at) == pytest.approx(at, abs=0.05)


def test_a_part_of_a_longer_flac_begins_with_its_first_frame(directory: Path) -> None:
    data = audio(directory, "a.flac", *KINDS["a.flac"])
    with av.open(io.BytesIO(data), "r") as container:
        frames = [bytes(packet) for packet in container.demux() if packet.size]
    part = data[: data.index(frames[0])] + b"".join(frames[20:])
    # How many samples there are is not known (RFC 9639, 8.2), or that of the part.
    for samples in (0, sum(4608 for _ in frames[20:])):
        about = bytearray(part)
        about[22:26] = samples.to_bytes(4, "big")
        found = ended(bytes(about))
        assert found.code == "done"
        assert found.seconds == pytest.approx(SECONDS - 20 * 4608 / RATE, abs=0.15)
        assert source_time(found.samples(), 1) == pytest.approx(1 + 20 * 4608 / RATE, abs=0.05)


def test_more_zeros_than_a_block_can_have_are_passed_over(directory: Path) -> None:
    data = middle(audio(directory, "a.wv", *KINDS["a.wv"]), lambda part: bytes(3_000_000 + len(part)))
    found = ended(data)
    assert (found.code, found.codes) == ("done", ["undecodable"])
    assert found.seconds == pytest.approx(SECONDS, abs=0.01)
    assert source_time(found.samples(), 5.5) == pytest.approx(5.5, abs=0.05)
