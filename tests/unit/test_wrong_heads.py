"""containers/heads.py, void.py: a WAV whose sound is in several chunks, and heads that state nothing."""

from __future__ import annotations

import itertools
import struct

import numpy as np
import pytest

from functions.convert.conversion.containers.tails import W64
from tests.unit.endings import Ended, ended

RATE = 44100
FORMAT = (1, 1, RATE, 2 * RATE, 2, 16)
TITLE = (b"LIST", b"INFOINAM" + struct.pack("<I", 6) + b"hello\0")


def tone(hertz: int, seconds: float) -> bytes:
    wave = np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE)
    return (wave * 8000).astype("<i2").tobytes()


def wav(*chunks: tuple[bytes, bytes], about: tuple[int, ...] = FORMAT, order: str = "<") -> bytes:
    inside = b"WAVE"
    for name, content in ((b"fmt ", struct.pack(order + "HHIIHH", *about)), *chunks):
        inside += name + struct.pack(order + "I", len(content)) + content + bytes(len(content) % 2)
    return (b"RIFF" if order == "<" else b"RIFX") + struct.pack(order + "I", len(inside)) + inside


def sounding(hertz: int, seconds: float) -> tuple[bytes, bytes]:
    return b"data", tone(hertz, seconds)


SEVERAL = {
    "two": ([sounding(220, 2), sounding(440, 3)], [220, 440], 5),
    "others in between": ([sounding(220, 2), TITLE, sounding(440, 3)], [220, 440], 5),
    "three, and others behind": ([sounding(220, 2), sounding(440, 3), sounding(660, 1), TITLE], [220, 440, 660], 6),
    "an empty one first": ([(b"data", b""), sounding(440, 3)], [440], 3),
    "an empty one last": ([sounding(220, 2), (b"data", b"")], [220], 2),
    "half a sample": ([(b"data", tone(220, 2) + b"\1"), sounding(440, 3)], [220, 440], 5),
}


def tones(found: Ended, seconds: int) -> list[int]:
    heard = found.tones(*[second + 0.5 for second in range(seconds)])
    return [hertz for at, hertz in enumerate(heard) if at == 0 or heard[at - 1] != hertz]


@pytest.mark.parametrize("name", SEVERAL)
def test_all_chunks_of_sound_are_heard_in_order(name: str) -> None:
    chunks, wanted, seconds = SEVERAL[name]
    found = ended(wav(*chunks))
    assert (found.code, found.codes) == ("done", [])
    assert found.seconds == pytest.approx(seconds, abs=0.001)
    assert tones(found, seconds) == wanted


def test_the_last_chunk_of_sound_may_be_cut() -> None:
    cut = wav(sounding(220, 2), sounding(440, 3))[:-RATE]
    assert ended(cut).code == "truncated"
    found = ended(cut, {"partial": True})
    assert found.codes == ["ends-early"]
    assert found.seconds == pytest.approx(4.5, abs=0.01)


def test_such_a_wav_may_be_followed_by_another() -> None:
    found = ended(wav(sounding(220, 2), sounding(440, 3)) + wav(sounding(660, 2), sounding(880, 1)))
    assert (found.code, found.codes, tones(found, 8)) == ("done", ["recordings"], [220, 440, 660, 880])
    assert found.seconds == pytest.approx(8, abs=0.001)


def w64(about: tuple[int, ...]) -> bytes:
    """Sony Wave64 1.2: lengths count the heads of their chunks."""
    sound, rest = tone(440, 3), bytes.fromhex("f3acd3118cd100c04f8edb8a")
    inside = b"wave" + rest + b"fmt " + rest + struct.pack("<QHHIIHH", 40, *about)
    inside += b"data" + rest + struct.pack("<Q", 24 + len(sound)) + sound
    return W64 + struct.pack("<Q", 24 + len(inside)) + inside


def aiff(channels: int, rate: int, bits: int) -> bytes:
    sound = np.frombuffer(tone(440, 3), "<i2").astype(">i2").tobytes()
    extended = bytes.fromhex("400eac44000000000000") if rate else bytes(10)
    common = struct.pack(">HIH", channels, len(sound) // 2, bits) + extended
    inside = b"AIFFCOMM" + struct.pack(">I", 18) + common + b"SSND" + struct.pack(">I", 8 + len(sound)) + bytes(8)
    return b"FORM" + struct.pack(">I", len(inside) + len(sound)) + inside + sound


def caf(channels: int, rate: int, bits: int) -> bytes:
    sound = tone(440, 3)
    about = struct.pack(">d4sIIIII", rate, b"lpcm", 2, 2, 1, channels, bits)
    return b"caff\0\1\0\0desc" + struct.pack(">q", 32) + about + b"data" + struct.pack(">qI", 4 + len(sound), 0) + sound


def au(channels: int, rate: int, _bits: int) -> bytes:
    sound = np.frombuffer(tone(440, 3), "<i2").astype(">i2").tobytes()
    return b".snd" + struct.pack(">IIIII", 24, len(sound), 3, rate, channels) + sound


def by_number(kind: str, channels: int, rate: int, bits: int) -> bytes:
    about = (1, channels, rate, 2 * rate, 2, bits)
    riffs = {"wav": "<", "rifx": ">"}
    if kind in riffs:
        sound = np.frombuffer(tone(440, 3), "<i2").astype(riffs[kind] + "i2").tobytes()
        return wav((b"data", sound), about=about, order=riffs[kind])
    return w64(about) if kind == "w64" else {"aiff": aiff, "caf": caf, "au": au}[kind](channels, rate, bits)


KINDS = ("wav", "rifx", "w64", "aiff", "caf", "au")


@pytest.mark.parametrize("kind", KINDS)
def test_what_states_what_it_has_is_done(kind: str) -> None:
    assert ended(by_number(kind, 1, RATE, 16)).tones(1, 2) == [440, 440]


# An AU does not say how many bits it has.
@pytest.mark.parametrize(
    ("kind", "zero"), sorted(set(itertools.product(KINDS, ["channels", "rate", "bits"])) - {("au", "bits")})
)
def test_what_states_none_is_damaged(kind: str, zero: str) -> None:
    right = {"channels": 1, "rate": RATE, "bits": 16}
    assert ended(by_number(kind, **right | {zero: 0})).code == "damaged"
    assert ended(by_number(kind, **right | {zero: 0})[:-RATE]).code == "damaged"


@pytest.mark.parametrize("codec", [3, 6, 7, 2, 17])
def test_no_codec_of_a_wav_has_0_channels(codec: int) -> None:
    assert ended(wav(sounding(440, 3), about=(codec, 0, *FORMAT[2:]))).code == "damaged"


def test_a_block_of_0_bytes_matters_to_nobody() -> None:
    assert ended(wav(sounding(440, 3), about=(*FORMAT[:4], 0, 16))).tones(1, 2) == [440, 440]
