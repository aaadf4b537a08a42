"""The first frame says of the others what LAME itself would say, and players cut off what they should."""

from __future__ import annotations

import json
import subprocess
from io import BytesIO
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from mutagen.mp3 import MP3, BitrateMode

from functions.convert.conversion.mpeg import frames, lame, segments, xing
from functions.convert.conversion.mpeg.xing import Tally
from functions.convert.conversion.plan import Shape
from tests.media import ffmpeg
from tests.provision import need
from tests.unit.mpeg import decoded, parallel, serial, sound, whole

SHAPES = [
    Shape(44100, 2, "vbr", 2),
    Shape(48000, 1, "vbr", 0),
    Shape(44100, 2, "cbr", 128),
    Shape(32000, 1, "cbr", 32),
    Shape(48000, 2, "abr", 192),
    Shape(22050, 2, "vbr", 2),
    Shape(16000, 1, "cbr", 64),
    Shape(8000, 1, "vbr", 4),
]
# In the first frame, from the end of the side information on.
KIND, NUMBERS, PLACES, ABOUT = slice(4), slice(4, 16), slice(16, 116), slice(116, 154)


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT", 60)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape.value != 32], ids=str)
def test_it_is_what_lame_writes(shape: Shape) -> None:
    samples = sound("clicks", shape, 5)
    with lame.Encoder(shape, tagged=True) as encoder:
        planes = [plane.tobytes() for plane in samples]
        stream = encoder.encode(planes, samples.shape[1]) + encoder.flush()
        theirs = encoder.tag()
    ours = whole(stream[len(theirs) :], shape, samples.shape[1])[: len(theirs)]
    at = frames.header(ours[:4]).overhead
    assert ours[:3] == theirs[:3]
    for part in (KIND, NUMBERS, ABOUT):
        assert ours[at:][part] == theirs[at:][part]
    # LAME finds its places by adding up bitrates, without this frame; they are in 256ths.
    assert np.allclose([*ours[at:][PLACES]], [*theirs[at:][PLACES]], atol=4)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_programs_find_no_fault(tmp_path: Path, shape: Shape) -> None:
    samples = sound("speech", shape, 5)
    path = tmp_path / "a.mp3"
    path.write_bytes(whole(parallel(samples, shape), shape, samples.shape[1]))
    assert _said([need("mpg123"), "-q", "-t", str(path)]) == ""
    found = [line for line in _said([need("mp3val"), str(path)]).splitlines() if line.startswith(("WARNING", "ERROR"))]
    assert [line for line in found if "No supported tags" not in line] == []
    assert _said([ffmpeg(), "-v", "warning", "-i", str(path), "-f", "null", "-"]) == ""


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_mutagen_reads_what_was_meant(shape: Shape) -> None:
    samples = sound("tones", shape, 5)
    info = MP3(BytesIO(whole(parallel(samples, shape), shape, samples.shape[1]))).info
    assert info.length == pytest.approx(5, abs=0.001)
    assert info.sample_rate == shape.sample_rate
    assert info.encoder_info.startswith("LAME 3.")
    modes = {"vbr": BitrateMode.VBR, "cbr": BitrateMode.CBR, "abr": BitrateMode.ABR}
    assert info.bitrate_mode == (BitrateMode.ABR if shape.value == 32 else modes[shape.mode])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("extra", [0, 1, 575, 1151])
def test_every_sample_comes_back_in_its_place(tmp_path: Path, shape: Shape, extra: int) -> None:
    samples = sound("tones", shape, 2.5)[:, : 2 * shape.sample_rate + extra]
    mp3 = whole(parallel(samples, shape), shape, samples.shape[1])
    assert decoded(mp3).shape == samples.shape
    heard = _by_ffmpeg(mp3, shape, tmp_path)
    assert heard.shape == samples.shape
    # Where it is in place, it is nearer to the sound than one sample to the left or right.
    errors = [np.sum((heard[:, 100 + shift : shift - 100] - samples[:, 100:-100]) ** 2) for shift in (0, -1, 1)]
    assert errors[0] == min(errors)


@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[2], SHAPES[5]], ids=str)
def test_seeking_lands_on_the_sample(tmp_path: Path, shape: Shape) -> None:
    samples = sound("noise", shape, 8)
    mp3 = whole(parallel(samples, shape), shape, samples.shape[1])
    heard = _by_ffmpeg(mp3, shape, tmp_path)
    sought = _by_ffmpeg(mp3, shape, tmp_path, "-ss", "5")
    assert sought.shape[1] == pytest.approx(3 * shape.sample_rate, abs=1)
    # A decoder that starts in the middle has neither the reservoir nor the overlap of the frames before.
    assert np.array_equal(sought[:, 4608:], heard[:, -sought.shape[1] :][:, 4608:])


@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[2]], ids=str)
def test_counting_can_go_on_later(shape: Shape) -> None:
    chain = frames.split(serial(sound("clicks", shape, 5), shape))
    tally = Tally(shape)
    for frame in chain:
        tally = Tally(shape, json.loads(json.dumps(tally.state())))
        tally.count(frame)
    head = tally.header(5 * shape.sample_rate)
    assert head == whole(b"".join(chain), shape, 5 * shape.sample_rate)[: len(head)]


def test_memory_does_not_grow_and_places_stay_exact() -> None:
    shape = SHAPES[0]
    chain = frames.split(serial(sound("speech", shape, 5), shape))
    tally, positions = Tally(shape), [0]
    for number in range(20):
        tally.count(b"".join(chain))
        positions += [positions[-1] + size for size in accumulate(map(len, chain))]
        assert len(json.dumps(tally.state())) < 8192
        assert number < 3 or len(tally.state()["points"]) >= 200
    head = tally.header(1)
    places = head[36:][PLACES]
    total = positions[-1] + len(head)
    exact = [(len(head) + positions[(len(positions) - 1) * percent // 100]) * 256 / total for percent in range(100)]
    assert np.allclose([*places], exact, atol=2.1)


def test_what_is_too_large_for_its_field_is_left_out() -> None:
    tally = Tally(SHAPES[0])
    tally.count(serial(sound("noise", SHAPES[0], 1), SHAPES[0]))
    state = tally.state() | {"bytes": 2**32}
    head = Tally(SHAPES[0], state).header(44100)
    assert int.from_bytes(head[40:44], "big") == 1 | 8
    assert len(head) == 417
    assert b"LAME" in head


def test_copied_frames_have_a_header_too() -> None:
    shape = Shape(44100, 2, "cbr", 192)
    samples = sound("tones", shape, 3)
    tally = Tally(None)
    stream = serial(samples, shape)
    tally.count(stream)
    mp3 = tally.header(samples.shape[1] - 1000, delay=lame.DELAY + 1000) + stream
    assert np.array_equal(decoded(mp3), decoded(whole(stream, shape, samples.shape[1]))[:, 1000:])
    assert b"Lavc" in mp3[:417]


def test_nothing_has_no_header() -> None:
    assert Tally(None).header(0) == b""


def test_the_checksum_is_crc_16_arc() -> None:
    assert xing._crc(b"123456789", 0) == 0xBB3D


def _by_ffmpeg(mp3: bytes, shape: Shape, directory: Path, *before: str) -> np.ndarray:
    path = directory / "a.mp3"
    path.write_bytes(mp3)
    command = [ffmpeg(), "-v", "error", *before, "-i", str(path), "-f", "f32le", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.float32).reshape(-1, shape.channels).T


def _said(command: list[str]) -> str:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout
