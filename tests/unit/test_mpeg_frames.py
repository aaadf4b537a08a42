"""Frames are read as the standard says, and changed in nothing but what was asked."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.mp3 import MPEGInfo

from functions.convert.conversion.mpeg import frames
from functions.convert.conversion.plan import Shape
from functions.convert.errors import FrameError
from tests.unit.mpeg import main_data, serial, sound

SHAPES = [
    Shape(44100, 2, "vbr", 2),
    Shape(48000, 1, "cbr", 64),
    Shape(22050, 2, "abr", 64),
    Shape(16000, 1, "vbr", 0),
    Shape(8000, 1, "cbr", 32),
    Shape(11025, 2, "vbr", 9),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_stream_is_split_at_its_frames(shape: Shape) -> None:
    stream = serial(sound("clicks", shape, 2), shape)
    chain = frames.split(stream)
    assert b"".join(chain) == stream
    head = frames.header(chain[0][:4])
    assert (head.sample_rate, head.channels) == (shape.sample_rate, shape.channels)
    assert len(chain) >= 2 * shape.sample_rate // head.samples


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_header_says_what_mutagen_reads_in_it(shape: Shape) -> None:
    stream = serial(sound("noise", shape, 1), shape)
    head = frames.header(stream[:4])
    info = MPEGInfo(BytesIO(stream))
    assert (head.version, head.sample_rate, head.channels) == (f"{info.version:g}", info.sample_rate, info.channels)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_side_information_says_where_the_main_data_lies(shape: Shape) -> None:
    chain = frames.split(serial(sound("clicks", shape, 2), shape))
    assert any(main_data(chain))
    begins = [frames.side_info(frame).main_data_begin for frame in chain]
    assert begins[0] == 0
    assert any(begins)


def test_sharp_attacks_are_encoded_with_short_windows() -> None:
    shape = SHAPES[0]
    types = {
        kind: {
            granule.block_type
            for frame in frames.split(serial(sound(kind, shape, 2), shape))[2:-3]
            for channels in frames.side_info(frame).granules
            for granule in channels
        }
        for kind in ("clicks", "noise")
    }
    assert types == {"clicks": {0, 1, 2, 3}, "noise": {0}}


@pytest.mark.parametrize(
    "word", ["fffb", "00fb9064", "fff99064", "fffd9064", "ffeb9064", "fffb0064", "fffbf064", "fffb9c64", ""]
)
def test_what_is_no_frame_is_refused(word: str) -> None:
    with pytest.raises(FrameError):
        frames.header(bytes.fromhex(word))


def test_a_stream_that_ends_in_a_frame_is_refused() -> None:
    stream = serial(sound("noise", SHAPES[0], 1), SHAPES[0])
    with pytest.raises(FrameError):
        frames.split(stream[:-1])


@given(st.binary(max_size=4000))
def test_any_bytes_are_frames_or_refused(data: bytes) -> None:
    with suppress(FrameError):
        assert b"".join(frames.split(data)) == data


@given(st.sampled_from(SHAPES), st.integers(0, 511))
def test_another_main_data_begin_changes_nothing_else(shape: Shape, begin: int) -> None:
    frame = _frame(shape)
    side = frames.side_info(frame)
    if begin > frames.header(frame[:4]).reach:
        with pytest.raises(FrameError):
            frames.with_main_data_begin(frame, begin)
        return
    changed = frames.with_main_data_begin(frame, begin)
    assert frames.side_info(changed) == side._replace(main_data_begin=begin)
    assert frames.with_main_data_begin(changed, side.main_data_begin) == frame


@given(st.sampled_from(SHAPES), st.integers(0, 13))
def test_another_bitrate_only_makes_the_slot_longer(shape: Shape, index: int) -> None:
    frame = _frame(shape)
    head = frames.header(frame[:4])
    size = head.size_at(head.bitrates[index])
    if size < head.overhead:
        return
    changed = frames.with_slot(frame, bytes(size - head.overhead), head.bitrates[index])
    assert len(changed) == size
    assert frames.header(changed[:4]) == head._replace(bitrate=head.bitrates[index], size=size)
    assert frames.side_info(changed) == frames.side_info(frame)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_frame_without_its_last_channel_has_the_rest(shape: Shape) -> None:
    frame = _frame(shape)
    side, changed = frames.side_info(frame), frames.side_info(frames.without_last_channel(frame))
    last = side.granules[-1][-1]._replace(part2_3_length=0)
    assert changed == side._replace(granules=(*side.granules[:-1], (*side.granules[-1][:-1], last)))


def _frame(shape: Shape) -> bytes:
    return frames.split(serial(sound("noise", shape, 0.4), shape))[4]
