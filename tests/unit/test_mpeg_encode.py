"""Segments cover the audio, come in order, and can be made again from any of them on."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from functions.convert.conversion.mpeg import encode, frames, segments
from functions.convert.conversion.mpeg.encode import Encoded
from functions.convert.conversion.mpeg.join import Joiner
from functions.convert.conversion.mpeg.segments import Segment
from functions.convert.conversion.plan import Shape
from functions.convert.conversion.sound.decode import Block
from functions.convert.errors import LameError
from tests.unit.mpeg import Sound, blocks, main_data, parallel, serial, sound

STEREO = Shape(44100, 2, "vbr", 2)
MONO = Shape(22050, 1, "cbr", 64)


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT", 40)


def planes(part: Segment) -> tuple[bytes, ...]:
    return tuple(b"".join(pieces) for pieces in zip(*part.pieces, strict=True))


def of(samples: Sound, part: Segment, shape: Shape) -> tuple[bytes, ...]:
    first = part.start * segments.frame_samples(shape)
    return tuple(plane.tobytes() for plane in samples[:, first : first + part.samples])


@pytest.mark.parametrize("shape", [STEREO, MONO], ids=str)
def test_segments_are_the_audio_with_more_around_it(shape: Shape) -> None:
    samples = sound("noise", shape, 5)
    parts = list(segments.segments(blocks(samples), shape))
    assert len(parts) > 3
    assert [part.index for part in parts] == list(range(len(parts)))
    assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
    assert all(planes(part) == of(samples, part, shape) for part in parts)
    ends = [part.start + part.samples / segments.frame_samples(shape) for part in parts]
    assert parts[0].start == 0
    assert all(end > 40 * part.index + 40 + segments.OVERLAP for part, end in zip(parts[:-1], ends, strict=False))
    assert all(part.start < 40 * part.index - segments.OVERLAP for part in parts[1:])
    assert ends[-1] * segments.frame_samples(shape) == samples.shape[1]


@pytest.mark.parametrize("shape", [STEREO, MONO], ids=str)
def test_segments_can_be_had_from_each_place_on(shape: Shape) -> None:
    samples = sound("noise", shape, 5)
    parts = list(segments.segments(blocks(samples), shape))
    for done in parts[:-1]:
        assert done.resume
        again = segments.segments(blocks(samples, done.resume.sample), shape, done.index + 1, done.resume.sample)
        assert [planes(part) for part in again] == [planes(part) for part in parts[done.index + 1 :]]


def test_those_in_the_middle_are_wider_and_can_be_had_from_each_place_on_too() -> None:
    samples = sound("speech", MONO, 25)
    about = segments.units(samples.shape[1], MONO)
    parts = list(segments.segments(blocks(samples), MONO, about=about))
    assert [part.after - part.index for part in parts] == [1, 1, 2, 3, 3, 3, 2, 2] + [1] * 7
    assert all(planes(part) == of(samples, part, MONO) for part in parts)
    for number, done in enumerate(parts[:-1], 1):
        assert done.resume
        again = segments.segments(blocks(samples, done.resume.sample), MONO, done.after, done.resume.sample, about)
        assert [planes(part) for part in again] == [planes(part) for part in parts[number:]]
    joiner = Joiner()
    joined = b"".join([*map(joiner.add, encode.encoded(parts, MONO, 2)), joiner.finish()])
    assert len(main_data(frames.split(joined))) == len(frames.split(serial(samples, MONO)))


def test_what_comes_before_the_segments_wanted_is_not_kept() -> None:
    samples = sound("noise", MONO, 30)
    parts = list(segments.segments(blocks(samples), MONO))
    tracemalloc.start()
    again = next(segments.segments(blocks(samples), MONO, len(parts) - 1))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert planes(again) == planes(parts[-1])
    assert most < samples.nbytes / 4


@pytest.mark.parametrize("extra", range(-3, 4))
def test_audio_that_ends_about_where_a_segment_does_has_its_last_frames_once(extra: int) -> None:
    count = (40 + segments.OVERLAP + segments.LOOK_AHEAD) * 1152 + extra
    samples = sound("noise", STEREO, count / 44100 + 0.1)[:, :count]
    assert len(frames.split(parallel(samples, STEREO))) == len(frames.split(serial(samples, STEREO)))


def test_what_fits_into_one_segment_is_encoded_as_ever() -> None:
    samples = sound("speech", STEREO, 0.9)
    assert parallel(samples, STEREO) == serial(samples, STEREO)


def test_no_samples_are_one_segment() -> None:
    samples = sound("noise", STEREO, 0)
    assert parallel(samples, STEREO) == serial(samples, STEREO)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    samples = sound("clicks", STEREO, 5)
    assert parallel(samples, STEREO, threads) == parallel(samples, STEREO, 2)


@pytest.mark.parametrize("shape", [STEREO, MONO], ids=str)
@pytest.mark.parametrize("at_once", [1, 16, 128])
@pytest.mark.parametrize("size", [37, 1152, 100_000])
def test_the_pieces_that_samples_come_in_change_nothing(
    monkeypatch: pytest.MonkeyPatch, shape: Shape, at_once: int, size: int
) -> None:
    samples = sound("speech", shape, 5)
    usual = list(encode.encoded(segments.segments(blocks(samples), shape), shape, 2))
    monkeypatch.setattr(encode, "AT_ONCE", at_once)
    assert list(map(told, encode.encoded(segments.segments(blocks(samples, size=size), shape), shape, 2))) == list(
        map(told, usual)
    )


def told(part: Encoded) -> tuple[object, ...]:
    return part.frames, part.heights, part.end


@pytest.mark.parametrize(("threads", "encoders"), [(1, 1), (3, 3), (64, 3)])
def test_at_most_two_segments_more_than_there_are_encoders_are_in_memory(
    monkeypatch: pytest.MonkeyPatch, threads: int, encoders: int
) -> None:
    monkeypatch.setattr(encode, "MAX_ENCODERS", 3)
    taken: list[int] = []

    def counted() -> Iterator[Segment]:
        for part in segments.segments(blocks(sound("noise", MONO, 10)), MONO):
            taken.append(part.index)
            yield part

    for done in encode.encoded(counted(), MONO, threads):
        assert len(taken) - done.index <= encoders + 2
    assert len(taken) > 5


@pytest.mark.parametrize("seconds", [0.01, 1, 5])
@pytest.mark.parametrize("size", [100, 1000, 100_000])
def test_a_head_start_changes_nothing(seconds: float, size: int) -> None:
    samples, start = sound("clicks", STEREO, seconds), encode.HeadStart(STEREO)
    ahead = segments.segments(start.overheard(blocks(samples, size=size)), STEREO)
    usual = segments.segments(blocks(samples, size=size), STEREO)
    assert list(encode.encoded(ahead, STEREO, 2, start)) == list(encode.encoded(usual, STEREO, 2))


@pytest.mark.parametrize("seconds", [1, 5])
def test_nobody_waits_for_a_head_start_that_ends_too_early(seconds: float) -> None:
    def broken() -> Iterator[Block]:
        yield from blocks(sound("noise", STEREO, seconds))
        raise EOFError

    start = encode.HeadStart(STEREO)
    with pytest.raises(EOFError):
        list(encode.encoded(segments.segments(start.overheard(broken()), STEREO), STEREO, 2, start))
    unused = encode.HeadStart(STEREO)
    assert list(encode.encoded(iter(()), STEREO, 2, unused)) == []


def test_an_error_of_the_decoder_comes_through() -> None:
    def broken() -> Iterator[Segment]:
        yield from list(segments.segments(blocks(sound("noise", STEREO, 5)), STEREO))[:2]
        raise EOFError

    parts = encode.encoded(broken(), STEREO, 2)
    with pytest.raises(EOFError):
        list(parts)


def test_an_error_of_the_encoder_comes_through() -> None:
    impossible = Shape(12345, 2, "vbr", 2)
    with pytest.raises(LameError):
        list(encode.encoded(segments.segments(blocks(sound("noise", impossible, 5)), impossible), impossible, 2))
    start = encode.HeadStart(impossible)
    heard = start.overheard(blocks(sound("noise", impossible, 5)))
    with pytest.raises(LameError):
        list(encode.encoded(segments.segments(heard, impossible), impossible, 2, start))


def test_nobody_has_to_take_all_of_it() -> None:
    parts = encode.encoded(segments.segments(blocks(sound("noise", STEREO, 10)), STEREO), STEREO, 2)
    assert next(parts).index == 0
    assert isinstance(parts, Iterator)
    del parts
