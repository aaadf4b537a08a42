"""conversion/containers/avi_index.py: an AVI of more than a gigabyte is in parts, each with an index of its own."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from functions.convert.conversion.containers.avi_index import without_lost_index
from functions.convert.conversion.source import RangeFile
from tests.unit.bytes_source import Bytes
from tests.unit.endings import RATE, ended

PARTS, SECONDS = 3, 3
# What is heard in each part, in Hz; and how many chunks there are in a second.
TONES, CHUNKS = (440, 660, 880), 10
PICTURE, SIZE = bytes(48), 2 * RATE // CHUNKS
# The size of the index of one part, with its head.
INDEX = 8 + 24 + 8 * SECONDS * CHUNKS


def chunk(name: bytes, content: bytes) -> bytes:
    return name + len(content).to_bytes(4, "little") + content


def listed(kind: bytes, content: bytes) -> bytes:
    return chunk(b"LIST", kind + content)


def part(number: int, start: int, with_old_index: bool) -> tuple[bytes, list[int]]:
    """What comes behind the head of a part that begins its list at `start`; and where in it each index begins."""
    time = np.arange(SECONDS * RATE) / RATE
    sound = (0.3 * 32767 * np.sin(2 * np.pi * TONES[number] * time)).astype("<i2").tobytes()
    data, old = b"", b""
    entries: dict[bytes, bytes] = {b"00db": b"", b"01wb": b""}
    for at in range(0, len(sound), SIZE):
        for name, piece in ((b"00db", PICTURE), (b"01wb", sound[at : at + SIZE])):
            old += name + struct.pack("<III", 16, 4 + len(data), len(piece))
            entries[name] += struct.pack("<II", 12 + len(data) + 8, len(piece))
            data += chunk(name, piece)
    places = []
    for name, index in entries.items():
        places.append(12 + len(data))
        ahead = struct.pack("<HBBI4sQI", 2, 0, 1, len(index) // 8, name, start, 0)
        data += chunk(b"ix" + name[:2], ahead + index)
    return listed(b"movi", data) + (chunk(b"idx1", old) if with_old_index else b""), places


def head(indexes: list[tuple[int, ...]], with_old_index: bool) -> bytes:
    """The list of headers: `indexes` are where the indexes of each part begin, of the pictures and of the sound."""
    about = struct.pack("<14I", 1_000_000 // CHUNKS, 0, 0, 16 if with_old_index else 0, 0, 0, 2, 0, 4, 4, 0, 0, 0, 0)
    formats = (
        struct.pack("<IiiHHIIiiII", 40, 4, 4, 1, 24, 0, 48, 0, 0, 0, 0),
        struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16),
    )
    streams = b""
    for at, (kind, rate, size) in enumerate(((b"vids", CHUNKS, 0), (b"auds", RATE, 2))):
        length = PARTS * SECONDS * rate
        stream = struct.pack("<4s4sIHHIIIIIIII8x", kind, bytes(4), 0, 0, 0, 0, 1, rate, 0, length, 0, 0, size)
        entries = b"".join(struct.pack("<QII", each[at], INDEX, SECONDS * rate) for each in indexes)
        index = struct.pack("<HBBI4s12x", 4, 0, 0, len(indexes), (b"00db", b"01wb")[at]) + entries
        streams += listed(b"strl", chunk(b"strh", stream) + chunk(b"strf", formats[at]) + chunk(b"indx", index))
    extended = listed(b"odml", chunk(b"dmlh", (PARTS * SECONDS * CHUNKS).to_bytes(248, "little")))
    return listed(b"hdrl", chunk(b"avih", about) + streams + extended)


def made(with_old_index: bool) -> bytes:
    """An AVI of three parts; the first one may be in the old kind of index, too."""
    made, indexes = b"", [(0, 0)] * PARTS
    for number in range(PARTS):
        ahead = b"AVI " + head([*indexes], with_old_index) if number == 0 else b"AVIX"
        start = len(made) + 8 + len(ahead)
        content, places = part(number, start, with_old_index and number == 0)
        indexes[number] = start + places[0], start + places[1]
        made += chunk(b"RIFF", ahead + content)
    first = b"AVI " + head([*indexes], with_old_index)
    return made[:8] + first + made[8 + len(first) :]


@pytest.fixture(scope="module", params=[True, False], ids=["both-indexes", "new-index"])
def whole(request: pytest.FixtureRequest) -> bytes:
    return made(request.param)


def test_all_parts_are_heard(whole: bytes) -> None:
    found = ended(whole)
    assert (found.code, found.codes, found.tones(1, 4, 7)) == ("done", [], list(TONES))
    assert found.seconds == pytest.approx(PARTS * SECONDS, abs=0.05)
    assert without_lost_index(RangeFile(Bytes(whole))) is None


def test_one_that_was_cut_off_in_its_last_part_is_truncated_and_partial_has_that_part(whole: bytes) -> None:
    cut = whole[: int(len(whole) * 0.9)]
    assert ended(cut).code == "truncated"
    found = ended(cut, {"partial": True})
    assert (found.code, found.codes, found.tones(1, 4, 7)) == ("done", ["ends-early"], list(TONES))
    assert found.seconds == pytest.approx(PARTS * SECONDS * 0.9, abs=0.15)


def test_without_the_end_of_its_last_index_all_is_heard(whole: bytes) -> None:
    found = ended(whole[:-50])
    assert (found.code, found.codes, found.tones(1, 4, 7)) == ("done", [], list(TONES))
    assert found.seconds == pytest.approx(PARTS * SECONDS, abs=0.05)


@pytest.mark.parametrize("at", [0, 2, 4, 8, 24])
def test_an_index_that_makes_no_sense_changes_nothing_or_is_left_out(whole: bytes, at: int) -> None:
    broken = bytearray(whole)
    place = whole.index(b"indx") + 8 + at
    broken[place : place + 4] = b"\xff" * 4
    found = ended(bytes(broken))
    assert (found.code, found.tones(1)) == ("done", [TONES[0]])
