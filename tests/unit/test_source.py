"""functions/convert/conversion/source.py: a file over ranges, which fetches little and holds little."""

from __future__ import annotations

import io
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.convert.conversion import source
from functions.convert.conversion.source import RangeFile
from tests.unit.bytes_source import Bytes

MIB = 1024 * 1024
DATA = random.Random(1).randbytes(6 * MIB + 123)
POSITIONS = st.integers(0, len(DATA) + 10)
SPANS = st.lists(st.tuples(POSITIONS, POSITIONS).map(lambda pair: (min(pair), max(pair))), max_size=8)


def exactly(file: RangeFile, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size and (part := file.read(size - len(parts))):
        parts += part
    return bytes(parts)


@given(st.lists(st.tuples(POSITIONS, st.integers(0, 300_000)), max_size=12))
def test_it_reads_what_a_file_in_memory_reads(jumps: list[tuple[int, int]]) -> None:
    ours, real = RangeFile(Bytes(DATA)), io.BytesIO(DATA)
    for position, size in jumps:
        assert ours.seek(position) == real.seek(position)
        assert exactly(ours, size) == real.read(size)
        assert ours.tell() == real.tell()


@given(SPANS, st.lists(st.tuples(POSITIONS, st.integers(1, 300_000)), max_size=6))
def test_what_is_not_kept_is_zeros_and_never_fetched(
    spans: list[tuple[int, int]], jumps: list[tuple[int, int]]
) -> None:
    bytes_ = Bytes(DATA)
    file = RangeFile(bytes_)
    file.keep_only(spans)
    kept = only(spans)
    for position, size in jumps:
        file.seek(position)
        assert exactly(file, size) == kept[position : position + size]
    fetched = [(start, start + length) for request in bytes_.requests for start, length in request]
    assert all(kept[start:stop] == DATA[start:stop] for start, stop in fetched)


def only(spans: list[tuple[int, int]]) -> bytes:
    """DATA, with zeros where no span is, but for the small gaps that are cheaper to fetch."""
    kept, end = bytearray(len(DATA)), -source.MIN_GAP
    for start, stop in sorted(span for span in spans if span[0] < min(span[1], len(DATA))):
        begin = end if start - end < source.MIN_GAP else start
        kept[begin:stop] = DATA[begin:stop]
        end = max(end, stop)
    return bytes(kept)


def test_reading_in_order_needs_few_requests() -> None:
    bytes_ = Bytes(DATA)
    file = RangeFile(bytes_)
    assert exactly(file, len(DATA)) == DATA
    assert len(bytes_.requests) < 12
    assert file.bytes_read == len(DATA)


def test_jumping_about_fetches_little() -> None:
    file = RangeFile(Bytes(DATA))
    for position in range(0, len(DATA), MIB):
        file.seek(position)
        exactly(file, 100)
    assert file.bytes_read == 7 * source.FIRST_WINDOW - (source.FIRST_WINDOW - 123)


def test_what_was_fetched_is_not_fetched_again() -> None:
    file = RangeFile(Bytes(DATA))
    for _ in range(5):
        for position in (0, 3 * MIB):
            file.seek(position)
            exactly(file, 1000)
    assert file.requests == 2


def test_it_keeps_no_more_than_four_mebibytes() -> None:
    file = RangeFile(Bytes(DATA))
    exactly(file, len(DATA))
    assert sum(len(piece) for window in file._windows for piece in window.pieces) <= 4 * MIB


def test_ends_and_relative_positions() -> None:
    file = RangeFile(Bytes(DATA))
    assert file.seek(-3, os.SEEK_END) == len(DATA) - 3
    assert file.read(100) == DATA[-3:]
    assert file.read(100) == b""
    assert file.seek(-1, os.SEEK_CUR) == len(DATA) - 1
    assert file.seek(len(DATA) + 5) == len(DATA) + 5
    assert file.read(1) == b""
    with pytest.raises(ValueError, match="before the start"):
        file.seek(-1)


def test_a_source_that_gives_too_little_is_an_error() -> None:
    class Short(Bytes):
        def fetch(self, ranges: object) -> bytes:
            return b"x"

    with pytest.raises(OSError, match="another number"):
        RangeFile(Short(DATA)).read(10)


@given(st.data())
def test_parts_of_a_file_and_parts_of_these_are_its_bytes_in_order(data: st.DataObject) -> None:
    content = bytes(range(256)) * 16
    expected, file = content, RangeFile(Bytes(content))
    for _ in range(data.draw(st.integers(1, 3))):
        if len(expected) < 2:
            break
        edges = sorted(data.draw(st.sets(st.integers(0, len(expected)), min_size=2, max_size=8)))
        parts = list(zip(edges[::2], edges[1::2], strict=False))
        expected = b"".join(expected[start:stop] for start, stop in parts)
        file.become(parts)
    assert (file.size, exactly(file, file.size)) == (len(expected), expected)
    at = data.draw(st.integers(0, len(expected)))
    assert file.peek(at, 700) == expected[at : at + 700]
    rest = file.rest(at)
    assert (rest.size, rest.peek(0, len(expected))) == (len(expected) - at, expected[at:])


def test_a_rest_of_a_rest_is_read_at_once_however_often() -> None:
    file = RangeFile(Bytes(bytes(5000)))
    for _ in range(3000):
        file = file.rest(1)
    assert file.peek(0, 5000) == bytes(2000)


def test_what_is_glanced_at_is_fetched_alone_unless_it_is_there() -> None:
    source = Bytes(bytes(range(256)) * 4096)
    file = RangeFile(source)
    assert file.glance(500_000, 16) == file.glance(500_000, 16) == bytes(range(32, 48))
    assert source.requests == [[(500_000, 16)]] * 2
    assert file.peek(500_000, 1) == b" "
    assert (file.glance(500_001, 16), len(source.requests)) == (bytes(range(33, 49)), 3)
    assert (file.glance(file.size - 4, 16), file.glance(file.size, 16)) == (b"\xfc\xfd\xfe\xff", b"")
