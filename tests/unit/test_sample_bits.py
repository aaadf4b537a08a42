"""containers/sample_bits.py: samples with fewer bits that matter than they have room for are no noise."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from functions.convert import plain
from functions.convert.conversion.containers.tails import W64
from tests import media
from tests.unit.endings import ended, tone
from tests.unit.test_both_converters import quiet

RATE, SECONDS = 44100, 3
# What comes behind the codec, 1 for plain samples, in the identity of one.
IDENTITY = bytes.fromhex("0000 0000 1000 8000 00aa 0038 9b71")
# Room for a sample, and bits of it that matter.
FEWER = [(32, 24), (32, 20), (32, 16), (24, 16), (24, 12), (16, 8)]
FITTING = [(32, 32), (24, 24), (24, 20), (16, 16), (16, 12), (32, 0)]


def sound(room: int) -> bytes:
    wave = np.sin(2 * np.pi * 440 * np.arange(RATE * SECONDS) / RATE) * 0.3
    whole = np.frombuffer((wave * 2**31).astype("<i4").tobytes(), np.uint8).reshape(-1, 4)
    return whole[:, 4 - room // 8 :].tobytes()


def about(room: int, valid: int) -> bytes:
    size = room // 8
    numbers = struct.pack("<HHIIHH", 0xFFFE, 1, RATE, RATE * size, size, room)
    return numbers + struct.pack("<HHIH", 22, valid, 4, 1) + IDENTITY


def wav(room: int, valid: int, magic: bytes = b"RIFF") -> bytes:
    samples = sound(room)
    lengths = struct.pack("<QQQI", 0, len(samples), len(samples) // (room // 8), 0)
    large = b"ds64" + struct.pack("<I", len(lengths)) + lengths if magic == b"RF64" else b""
    size = b"\xff" * 4 if large else struct.pack("<I", len(samples))
    inside = b"WAVE" + large + b"fmt " + struct.pack("<I", 40) + about(room, valid) + b"data" + size + samples
    return magic + (size if large else struct.pack("<I", len(inside))) + inside


def w64(room: int, valid: int) -> bytes:
    rest, samples = bytes.fromhex("f3acd3118cd100c04f8edb8a"), sound(room)
    inside = b"wave" + rest + b"fmt " + rest + struct.pack("<Q", 64) + about(room, valid)
    inside += b"data" + rest + struct.pack("<Q", 24 + len(samples)) + samples
    return W64 + struct.pack("<Q", 24 + len(inside)) + inside


MADE = {"wav": wav, "rf64": lambda room, valid: wav(room, valid, b"RF64"), "w64": w64}


@pytest.mark.parametrize(("room", "valid"), FEWER + FITTING)
@pytest.mark.parametrize("kind", MADE)
def test_the_room_for_a_sample_decides(kind: str, room: int, valid: int) -> None:
    found = ended(MADE[kind](room, valid))
    assert (found.code, found.codes) == ("done", [])
    assert found.seconds == pytest.approx(SECONDS, abs=0.001)
    heard = found.samples()
    assert [tone(heard, second) for second in (0.5, 1.5, 2.5)] == [440] * 3
    # As loud as it was, so no noise is beside it.
    assert float(np.sqrt(np.mean(heard**2))) == pytest.approx(0.3 / 2**0.5, abs=0.01)


def test_it_may_be_one_of_several_and_of_which_half_is_stated() -> None:
    data = wav(32, 24)
    twice = ended(data + wav(24, 16))
    assert twice.seconds == pytest.approx(2 * SECONDS, abs=0.01)
    assert twice.tones(1, 4) == [440, 440]
    at = data.index(b"data") + 4
    more = ended(data[:at] + struct.pack("<I", 2 * (len(data) - at - 4)) + data[at + 4 :])
    assert (more.code, more.codes, more.tones(1)) == ("done", ["states-more"], [440])


def test_where_the_size_of_the_samples_is_that_of_the_bits_that_matter_these_are_believed() -> None:
    data = bytearray(wav(24, 24))
    at = data.index(b"fmt ") + 8
    data[at + 14 : at + 16] = (32).to_bytes(2, "little")
    assert ended(bytes(data)).tones(1, 2) == [440, 440]


@pytest.mark.parametrize("size", range(20, 80, 7))
def test_a_head_that_is_cut_off_is_no_error_of_its_own(size: int) -> None:
    assert ended(wav(32, 24)[:size]).code in ("truncated", "damaged", "no-audio", "not-media")


def test_the_ffmpeg_command_plays_them_too(tmp_path: Path) -> None:
    path, room = tmp_path / "a.wav", tmp_path / "room"
    path.write_bytes(wav(32, 24))
    room.mkdir()
    mp3, seconds = plain.convert(path, room, {}, quiet)
    assert seconds == pytest.approx(SECONDS, abs=0.05)
    (heard,) = media.samples(mp3, 1, "-ar", str(RATE))
    assert [tone(heard, second) for second in (1, 2)] == [440, 440]
