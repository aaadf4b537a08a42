"""functions/convert/conversion/containers/edits.py: what is heard is what the edit list has."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from functions.convert.conversion.containers.edits import empty_edits
from functions.convert.conversion.containers.probe import opened
from functions.convert.conversion.source import RangeFile
from tests.unit.bytes_source import Bytes, file_of
from tests.unit.clocks import AAC, chirped, source_time
from tests.unit.conversions import decoded, joined, plan_of

# Lengths in milliseconds, and from where in the sound, in seconds; -1: nothing. The last one may have none.
MIDDLE = [(5000, 0), (5000, -1), (5000, 5)]
LISTS: dict[str, tuple[Sequence[tuple[int, float]], dict[float, float | None], float]] = {
    "middle": (MIDDLE, {2: 2, 4.8: 4.8, 5.2: None, 9.8: None, 10.2: 5.2, 14: 9}, 15),
    "first": ([(3000, -1), (8000, 0)], {1: None, 2.8: None, 3.2: 0.2, 10: 7}, 11),
    "both": ([(2000, -1), (3000, 1), (4000, -1), (5000, 4)], {1: None, 2.2: 1.2, 5.2: None, 8.8: None, 9.2: 4.2}, 14),
    "twice": ([(2000, 0), (1000, -1), (2000, 2), (3000, -1), (2000, 4)], {1: 1, 2.5: None, 4: 3, 6: None, 9: 5}, 10),
    "last": ([(5000, 0), (5000, -1)], {2: 2, 4.8: 4.8}, 5),
    "trimmed": ([(4000, 3)], {0.5: 3.5, 3.5: 6.5}, 4),
    "without a length": ([(0, 3)], {0.5: 3.5, 8.5: 11.5}, 9),
    "after nothing, without a length": ([(2000, -1), (0, 0)], {1: None, 2.5: 0.5, 13.5: 11.5}, 14),
    "the last without a length": ([(4000, 0), (2000, -1), (0, 6)], {3: 3, 5: None, 6.5: 6.5, 11.5: 11.5}, 12),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chirped(tmp_path_factory.mktemp("edits") / "whole.mov", *AAC, "-movflags", "-faststart", seconds=12)


def edited(data: bytes, edits: Sequence[tuple[int, float]], version: int = 0) -> bytes:
    """The movie, whose index comes last, with another edit list for its sound; its clock ticks in milliseconds."""
    entry = struct.Struct(">IiI" if version == 0 else ">QqI")
    rows = b"".join(entry.pack(ms, -1 if at < 0 else round(at * 44100) + 1024, 1 << 16) for ms, at in edits)
    table = struct.pack(">I4sII", 16 + len(rows), b"elst", version << 24, len(edits)) + rows
    sound = data.index(b"smhd")
    start = data.rindex(b"edts", 0, sound) - 4
    size = int.from_bytes(data[start : start + 4], "big")
    grown = len(table) + 8 - size
    data = data[:start] + struct.pack(">I4s", len(table) + 8, b"edts") + table + data[start + size :]
    for kind in (b"moov", b"trak"):
        at = data.rindex(kind, 0, start) - 4
        data = data[:at] + (int.from_bytes(data[at : at + 4], "big") + grown).to_bytes(4, "big") + data[at + 4 :]
    return data


@pytest.mark.parametrize("name", LISTS)
def test_what_an_edit_list_has_is_heard_when_it_says(whole: Path, tmp_path: Path, name: str) -> None:
    edits, heard, seconds = LISTS[name]
    path = tmp_path / "edited.mov"
    path.write_bytes(edited(whole.read_bytes(), edits))
    sound = joined(decoded(path, plan_of(path))[0])[0]
    assert len(sound) / 44100 == pytest.approx(seconds, abs=0.05)
    found = {at: source_time(sound, at) for at in heard}
    assert found == {at: was if was is None else pytest.approx(was, abs=0.06) for at, was in heard.items()}


@pytest.mark.parametrize("version", [0, 1])
def test_they_are_read_from_the_index(whole: Path, version: int) -> None:
    file = RangeFile(Bytes(edited(whole.read_bytes(), MIDDLE, version)))
    assert empty_edits(file, opened(file).streams.audio[0]) == ((5.0, 10.0),)


def test_a_length_of_eight_bytes_is_written_too(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "edited.mov"
    path.write_bytes(edited(whole.read_bytes(), [(4000, 0), (0, 6)], version=1))
    assert len(joined(decoded(path, plan_of(path))[0])[0]) / 44100 == pytest.approx(10, abs=0.05)


def test_a_usual_file_is_not_asked(whole: Path) -> None:
    file = file_of(whole)
    stream = opened(file).streams.audio[0]
    before = file.requests
    assert empty_edits(file, stream) == ()
    assert file.requests == before


@pytest.mark.parametrize("count", [0, 1, 0xFFFF_FFFF])
def test_a_table_that_is_broken_is_none(whole: Path, count: int) -> None:
    data = bytearray(edited(whole.read_bytes(), MIDDLE))
    at = data.rindex(b"elst")
    stream = opened(RangeFile(Bytes(bytes(data)))).streams.audio[0]
    data[at + 8 : at + 12] = count.to_bytes(4, "big")
    found = empty_edits(RangeFile(Bytes(bytes(data))), stream)
    assert found == (((5.0, 10.0),) if count > 3 else ())
    data[at + 4] = 7
    assert empty_edits(RangeFile(Bytes(bytes(data))), stream) == ()
