"""overstated.py, heads.py, voc.py of containers: a head that states twice the sound, or half of it, is wrong."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.clocks import source_time
from tests.unit.endings import ended
from tests.unit.troubles import RATE, SECONDS, audio, samples, voc, voice, wav

# Kind → the file when its length is multiplied by so much.
Maker = Callable[[Path, float], bytes]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("overstated")


def scaled(data: bytes, share: float, *fields: tuple[bytes, int, str]) -> bytes:
    """With the lengths that stand behind these marks, of so many bytes in that order, multiplied."""
    made = bytearray(data)
    for mark, width, order in fields:
        at = data.index(mark) + len(mark)
        stated = int.from_bytes(data[at : at + width], "big" if order == "big" else "little")
        made[at : at + width] = round(stated * share).to_bytes(width, "big" if order == "big" else "little")
    return bytes(made)


def eight_bits(share: float) -> bytes:
    """The sound of an Amiga."""
    sound = (samples() // 256).astype("i1").tobytes()
    head = b"8SVXVHDR" + struct.pack(">IIIIHBBI", 20, len(sound), 0, 0, RATE, 1, 0, 65536)
    body = head + b"BODY" + struct.pack(">I", round(share * len(sound))) + sound
    return b"FORM" + struct.pack(">I", round(share * len(body))) + body


RAW = samples().tobytes()
KINDS: dict[str, Maker] = {
    "au": lambda d, n: scaled(audio(d, "a.au"), n, (audio(d, "a.au")[:8], 4, "big")),
    "wav": lambda _, n: wav(RAW, riff=round(n * len(RAW)) + 36, size=round(n * len(RAW))),
    "caf": lambda d, n: scaled(audio(d, "a.caf"), n, (b"data", 8, "big")),
    "w64": lambda d, n: scaled(
        audio(d, "a.w64"),
        n,
        (bytes.fromhex("2e91cf11a5d628db04c10000"), 8, "little"),
        (b"data" + bytes.fromhex("f3acd3118cd100c04f8edb8a"), 8, "little"),
    ),
    "rf64": lambda d, n: scaled(
        audio(d, "r.wav", "-rf64", "always"),
        n,
        (b"ds64" + (28).to_bytes(4, "little"), 8, "little"),
        (audio(d, "r.wav", "-rf64", "always")[12:28], 8, "little"),
    ),
    "voc": lambda _, n: scaled(voc((1, voice(166, SECONDS, 0))), n, (b"\x0a\x01\x29\x11\x01", 3, "little")),
    "8svx": lambda _, n: eight_bits(n),
    "sox": lambda d, n: scaled(audio(d, "a.sox"), n, (audio(d, "a.sox")[:8], 8, "little")),
    "aiff": lambda d, n: scaled(audio(d, "a.aiff"), n, (b"FORM", 4, "big"), (b"SSND", 4, "big")),
}


@pytest.mark.parametrize("name", KINDS)
def test_all_of_it_is_taken_where_twice_as_much_is_stated(directory: Path, name: str) -> None:
    found = ended(KINDS[name](directory, 2))
    assert (found.code, found.codes) == ("done", ["states-more"])
    assert found.warnings[0].values == {"stated": 2 * SECONDS, "held": SECONDS}
    assert found.seconds == pytest.approx(SECONDS, abs=0.01)
    assert source_time(found.samples(), 5) == pytest.approx(5, abs=0.05)


@pytest.mark.parametrize("name", KINDS)
def test_half_a_file_was_cut_off(directory: Path, name: str) -> None:
    whole = KINDS[name](directory, 1)
    assert (ended(whole).codes, ended(whole[: len(whole) // 2]).code) == ([], "truncated")


@pytest.mark.parametrize("name", KINDS)
def test_all_of_it_is_taken_where_half_of_it_is_stated(directory: Path, name: str) -> None:
    found = ended(KINDS[name](directory, 0.5))
    assert (found.code, found.codes) == ("done", ["states-less"] if name in ("wav", "rf64") else [])
    assert found.seconds == pytest.approx(SECONDS, abs=0.01)
    assert source_time(found.samples(), 5) == pytest.approx(5, abs=0.05)


def test_what_a_wav_states_of_all_its_chunks_decides_nothing() -> None:
    found = ended(wav(RAW, riff=3 * len(RAW)))
    assert (found.code, found.codes) == ("done", [])
    assert found.seconds == pytest.approx(SECONDS, abs=0.01)
