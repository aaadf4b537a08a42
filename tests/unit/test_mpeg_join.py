"""Joined segments sound as if one encoder had made them, and their bit reservoir is whole."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.convert.conversion.mpeg import encode, frames, join, segments
from functions.convert.conversion.mpeg.encode import Encoded
from functions.convert.conversion.mpeg.join import Joiner
from functions.convert.conversion.plan import Shape
from functions.convert.errors import JoinError
from tests.media import ffmpeg
from tests.unit.mpeg import Sound, blocks, decoded, main_data, parallel, serial, sound, whole

SECONDS = 6
SEGMENT = 60
SHAPES = [
    Shape(44100, 2, "vbr", 2),
    Shape(48000, 1, "vbr", 0),
    Shape(44100, 2, "vbr", 9),
    Shape(44100, 2, "cbr", 64),
    Shape(48000, 2, "cbr", 128),
    Shape(44100, 1, "cbr", 320),
    Shape(48000, 2, "abr", 192),
    Shape(22050, 2, "vbr", 2),
    Shape(16000, 1, "cbr", 64),
    Shape(8000, 1, "vbr", 4),
]
KINDS = ["noise", "tones", "clicks", "speech"]


@pytest.fixture(autouse=True, scope="module")
def short_segments() -> Iterator[None]:
    """For the module, since hypothesis does not reset what a test patches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "SEGMENT", SEGMENT)
        yield


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_sounds_as_if_one_encoder_had_made_it(shape: Shape, kind: str) -> None:
    samples = sound(kind, shape, SECONDS)
    one, many = serial(samples, shape), parallel(samples, shape)
    main_data(frames.split(many))
    assert len(frames.split(many)) == len(frames.split(one))
    assert len(many) == pytest.approx(len(one), rel=0.005, abs=100)
    heard = decoded(whole(many, shape, samples.shape[1]))
    assert heard.shape == samples.shape
    at_seams, inside = _noise(heard, samples, shape)
    assert max(at_seams) <= 1.5 * np.percentile(inside, 99)
    reference, _ = _noise(decoded(whole(one, shape, samples.shape[1])), samples, shape)
    assert np.mean(at_seams) <= 1.1 * np.mean(reference)


@pytest.mark.parametrize("kind", KINDS)
def test_with_variable_bitrate_it_is_all_but_the_same_sound(kind: str) -> None:
    """Where nothing starts or ends at the seams it is the very same; else a few frames differ by next to nothing."""
    shape = SHAPES[0]
    samples = sound(kind, shape, SECONDS)
    one, many = _heard_both(samples, shape)
    assert np.sum((one - many) ** 2) <= 0.01 * np.sum((one - samples) ** 2)
    if kind in ("noise", "tones"):
        assert np.array_equal(one, many)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape.mode == "cbr"], ids=str)
def test_a_constant_bitrate_stays_constant(shape: Shape) -> None:
    chain = frames.split(parallel(sound("speech", shape, SECONDS), shape))
    assert {frames.header(frame[:4]).bitrate for frame in chain} == {shape.value}


@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[1], SHAPES[7]], ids=str)
def test_a_frame_becomes_longer_where_the_reservoir_is_too_small(shape: Shape, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a choice where to change over, some seams do not fit."""
    for module in (encode, join):
        monkeypatch.setattr(module, "OVERLAP", 0)
    raised = _watched(monkeypatch)
    samples = sound("noise", shape, 4 * SECONDS)
    many = parallel(samples, shape)
    assert any(raised)
    main_data(frames.split(many))
    one, joined = _heard_both(samples, shape)
    # But for the end of the sound, on which LAME spends whatever the reservoir has.
    assert np.array_equal(one[:, :-2000], joined[:, :-2000])


@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[3], SHAPES[8]], ids=str)
def test_going_on_after_any_segment_gives_the_same_bytes(shape: Shape) -> None:
    samples = sound("clicks", shape, SECONDS)
    uninterrupted = parallel(samples, shape)
    joiner, done = Joiner(), b""
    for part in encode.encoded(segments.segments(blocks(samples), shape), shape, 2):
        done += joiner.add(part)
        if part.resume:
            state = json.dumps(joiner.state())
            assert len(state) < 64 * 1024
            assert done + _rest(samples, shape, part, state) == uninterrupted
    assert done + joiner.finish() == uninterrupted


def _watched(monkeypatch: pytest.MonkeyPatch) -> list[dict[int, int] | None]:
    """What the joiner will find out about bitrates to raise."""
    found: list[dict[int, int] | None] = []
    raised = join._raised

    def watched(chain: Sequence[bytes], missing: int) -> dict[int, int] | None:
        found.append(raised(chain, missing))
        return found[-1]

    monkeypatch.setattr(join, "_raised", watched)
    return found


def _heard_both(samples: Sound, shape: Shape) -> tuple[Sound, Sound]:
    one, many = (make(samples, shape) for make in (serial, parallel))
    return decoded(whole(one, shape, samples.shape[1])), decoded(whole(many, shape, samples.shape[1]))


def _rest(samples: Sound, shape: Shape, part: Encoded, state: str) -> bytes:
    assert part.resume
    joiner = Joiner(json.loads(state))
    parts = segments.segments(blocks(samples, part.resume.sample), shape, part.index + 1, part.resume.sample)
    return b"".join([*map(joiner.add, encode.encoded(parts, shape, 2)), joiner.finish()])


def _noise(heard: Sound, samples: Sound, shape: Shape) -> tuple[list[float], list[float]]:
    """The energy of the error, frame by frame: of those where a seam may be, and of the others."""
    size = segments.frame_samples(shape)
    count = samples.shape[1] // size
    error = (heard - samples)[:, : count * size].astype(np.float64) ** 2
    energy = error.sum(axis=0).reshape(count, size).mean(axis=1)
    seams = {
        frame
        for middle in range(SEGMENT, count, SEGMENT)
        for frame in range(middle - segments.OVERLAP - 1, min(count, middle + segments.OVERLAP + 2))
    }
    # The first frames are where an encoder starts, and the last are where silence follows.
    inside = [energy[frame] for frame in range(2, count - 2) if frame not in seams]
    return [energy[frame] for frame in sorted(seams)], inside


# Frames with any main data, laid out by the rules of the standard and no encoder's: what is done to them shows at once.

START = SEGMENT - segments.OVERLAP - segments.WARM_UP
LAYOUTS = st.fixed_dictionaries(
    {
        "bitrate": st.integers(1, 7),  # an index; the last ones have no room in a higher one to spare
        "length": st.integers(0, 500),  # of a frame's main data, in bytes
        "spare": st.integers(0, 100),  # bytes of the reservoir that are left unused
        "seed": st.integers(0, 1000),
    }
)


@settings(max_examples=150)
@given(st.sampled_from("12"), LAYOUTS, LAYOUTS)
def test_all_main_data_is_there_whatever_the_reservoirs_are_like(
    version: str, first: dict[str, int], second: dict[str, int]
) -> None:
    ours, theirs = _chain(version, 80, **first), _chain(version, 60, **second)
    one, two = main_data(ours), main_data(theirs)
    joined = _joined(ours, theirs)
    assert len(joined) == START + 60
    assert any(
        joined[frame:] == theirs[frame - START :] and main_data(joined) == one[:frame] + two[frame - START :]
        for frame in range(SEGMENT - segments.OVERLAP, SEGMENT + segments.OVERLAP + 1)
    )


@settings(max_examples=50)
@given(st.sampled_from("12"), LAYOUTS, LAYOUTS)
def test_no_more_than_some_frames_are_held_back(version: str, first: dict[str, int], second: dict[str, int]) -> None:
    joiner = Joiner()
    for index, layout in enumerate((first, second)):
        start = START * index
        length = SEGMENT * (index + 1) + segments.OVERLAP - start
        joiner.add(Encoded(index, index + 1, start, tuple(_chain(version, length, **layout)), False, 0, None))
        assert len(json.dumps(joiner.state())) < 64 * 1024


def _full_and_reserved() -> tuple[list[bytes], list[bytes]]:
    full = _chain("1", 80, bitrate=14, length=10_000, spare=0, seed=0, even=1)
    return full, _chain("1", 60, bitrate=14, length=600, spare=0, seed=0, even=1)


def test_where_there_is_no_room_at_all_the_end_of_one_frame_is_given_up() -> None:
    ours, theirs = _full_and_reserved()
    joined = main_data(_joined(ours, theirs))
    given_up = [
        (at, was, now) for at, (was, now) in enumerate(zip(main_data(ours), joined, strict=False)) if was != now
    ]
    at, was, now = given_up[0]
    assert was.startswith(now)
    assert len(now) >= len(was) // 2
    assert joined[at + 1 :] == main_data(theirs)[at + 1 - START :]


def test_two_that_cannot_be_joined_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join, "without_last_channel", lambda frame: frame)
    with pytest.raises(JoinError):
        _joined(*_full_and_reserved())


def test_loud_clicks_without_a_pause_are_joined_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given_up: list[bytes] = []
    shorten = frames.without_last_channel

    def watched(frame: bytes) -> bytes:
        given_up.append(frame)
        return shorten(frame)

    monkeypatch.setattr(join, "without_last_channel", watched)
    shape = Shape(48000, 2, "vbr", 0)
    random = np.random.default_rng(5)
    clicks = (random.random((2, 40 * 48000)) < 0.002) * random.uniform(-1, 1, (2, 40 * 48000))
    path = tmp_path / "a.mp3"
    path.write_bytes(whole(parallel(clicks.astype(np.float32), shape), shape, clicks.shape[1]))
    assert given_up
    heard = [ffmpeg(), "-v", "warning", "-i", str(path), "-f", "null", "-"]
    assert subprocess.run(heard, check=True, capture_output=True).stderr == b""


def _joined(ours: Sequence[bytes], theirs: Sequence[bytes]) -> list[bytes]:
    joiner = Joiner()
    parts = [Encoded(0, 1, 0, tuple(ours), False, 0, None), Encoded(1, 2, START, tuple(theirs), True, 0, None)]
    return frames.split(b"".join([*map(joiner.add, parts), joiner.finish()]))


def _chain(version: str, count: int, bitrate: int, length: int, spare: int, seed: int, even: int = 0) -> list[bytes]:
    """Mono frames of 44.1 or 22.05 kHz, each with main data of about `length` bytes, as far as there is room."""
    random = Random(seed)
    heads, free, data = [], 0, b""
    for _ in range(count):
        index = bitrate if even else random.randint(1, bitrate)
        word = bytes([0xFF, 0xFB if version == "1" else 0xF3, index << 4, 0xC0])
        head = frames.header(word)
        begin = max(0, min(free, head.reach) - (0 if even else random.randint(0, spare)))
        room = begin + head.size - head.overhead
        used = min(room, 500, length if even else random.randint(0, length)) if length <= 600 else room
        heads.append(word + _side_info(version, begin, used))
        data += bytes(free - begin) + random.randbytes(used)
        free = room - used
    return _in_slots(heads, data + bytes(free))


def _side_info(version: str, begin: int, used: int) -> bytes:
    if version == "1":
        return (begin << 127 | 4 * used << 106 | 4 * used << 47).to_bytes(17, "big")
    return (begin << 64 | 8 * used << 51).to_bytes(9, "big")


def _in_slots(heads: Sequence[bytes], data: bytes) -> list[bytes]:
    chain, at = [], 0
    for head in heads:
        size = frames.header(head[:4]).size - len(head)
        chain.append(head + data[at : at + size])
        at += size
    assert at == len(data)
    return chain
