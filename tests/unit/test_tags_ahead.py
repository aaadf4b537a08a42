"""containers/tags_ahead.py: nothing is lost behind a tag that states more than it has."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import cast

import pytest

from functions.convert.conversion.containers.mp3_file import after_id3
from functions.convert.conversion.containers.mp3_tags import first_tag
from functions.convert.conversion.containers.tags_ahead import leave_tag
from functions.convert.conversion.source import RangeFile
from tests.unit.bytes_source import Bytes
from tests.unit.conversions import probed
from tests.unit.endings import ended, ffmpeg

SECONDS, STEP = 4, 0.5
# Half a second of each tone.
SOUND = f"aevalsrc=0.3*sin(2*PI*(300+100*floor(t/{STEP}))*t):s=44100:d={SECONDS}"
TONES = [300 + 100 * number for number in range(int(SECONDS / STEP))]
MIDDLES = [(number + 0.5) * STEP for number in range(len(TONES))]
TITLE = b"TIT2" + (6).to_bytes(4, "big") + b"\0\0\0hello"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tags")


def mp3(directory: Path, header: str) -> bytes:
    path = directory / f"{header}.mp3"
    words = ("-b:a", "64k", "-id3v2_version", "0", "-write_xing", header)
    return (path if path.exists() else ffmpeg(path, "-f", "lavfi", "-i", SOUND, *words)).read_bytes()


def tag(content: bytes, more: int = 0, version: int = 3) -> bytes:
    """A tag that states so many bytes more than it has (ID3v2.4 structure, 3.1)."""
    size = len(content) + more
    return b"ID3" + bytes([version, 0, 0, *(size >> shift & 0x7F for shift in (21, 14, 7, 0))]) + content


def picture(size: int, stated: int) -> bytes:
    return b"APIC" + stated.to_bytes(4, "big") + bytes(2) + b"\0image/png\0\3\0".ljust(size, b"\x5a")


def ape() -> bytes:
    """An APE tag with header and footer (APEv2 specification)."""
    item = struct.pack("<II", 5, 0) + b"Title\0hello"
    head, foot = (
        b"APETAGEX" + struct.pack("<IIII", 2000, len(item) + 32, 1, flags) + bytes(8) for flags in (0xA0000000, 1 << 31)
    )
    return head + item + foot


OVERSTATED = {
    "within a frame": tag(TITLE, 2000),
    "by whole frames": tag(TITLE, 4 * 209),
    "little": tag(TITLE, 100),
    "behind padding": tag(TITLE + bytes(300), 2000),
    "version 2.4": tag(TITLE, 2000, 4),
    "version 2.2": tag(b"TT2" + (6).to_bytes(3, "big") + b"\0hello", 2000, 2),
    "without a frame": tag(b"", 2000),
    "a picture that was cut": tag(TITLE + picture(3000, 9000), 5000),
    "half of the file": tag(TITLE, 16_000),
    "more than the file": tag(TITLE, 100_000),
    "all that can be stated": tag(TITLE, 2**28 - 100),
    "a picture whose size has eight bits a byte": tag(TITLE + picture(3000, 3000), 4 * 209, 4),
    "a size that is none": b"ID3\3\0\0\0\0\x10\x80" + TITLE,
    "a size of eight bits a byte": b"ID3\3\0\0" + (3027).to_bytes(4, "big") + TITLE + picture(3000, 3000),
}
RIGHT = {
    "none": b"",
    "one": tag(TITLE),
    "padding": tag(TITLE + bytes(5000)),
    "two": tag(TITLE) + tag(TITLE),
    "empty": tag(b""),
    "APE": ape(),
    "APE behind ID3": tag(TITLE) + ape(),
    "APE before ID3": ape() + tag(TITLE),
}


@pytest.mark.parametrize("options", [{}, {"quality": 2}], ids=["copied", "encoded"])
@pytest.mark.parametrize("header", ["0", "1"])
@pytest.mark.parametrize("name", OVERSTATED | RIGHT)
def test_each_tone_is_heard_at_its_time(directory: Path, name: str, header: str, options: dict[str, int]) -> None:
    found = ended((OVERSTATED | RIGHT)[name] + mp3(directory, header), options)
    assert (found.code, found.codes, found.restarted) == ("done", [], False)
    assert found.tones(*MIDDLES) == TONES
    plain = ended(mp3(directory, header), options)
    assert found.seconds == pytest.approx(plain.seconds, abs=0.001 if name in OVERSTATED else 0.05)


@pytest.mark.parametrize("at", range(6, 10))
@pytest.mark.parametrize("bits", [0x80, 0xFF])
def test_a_size_with_a_top_bit_is_none(at: int, bits: int) -> None:
    """At the beginning of a file and between frames; FFmpeg takes such a head for none, too."""
    plain, wrong = (bytearray(tag(TITLE)) for _ in range(2))
    wrong[at] |= bits
    assert after_id3(RangeFile(Bytes(bytes(plain)))) == len(plain)
    assert first_tag(bytes(plain)) == (0, len(plain))
    assert after_id3(RangeFile(Bytes(bytes(wrong)))) == 0
    assert first_tag(bytes(wrong)) is None


def test_a_tag_that_is_longer_than_one_can_say_is_left_as_it_is(directory: Path) -> None:
    memory = mmap.mmap(-1, 2**28 + 100_000)
    head, sound = b"ID3\3\0\0\xff\xff\xff\xff" + picture(0, 2**28)[:10], mp3(directory, "0")
    memory[: len(head)] = head
    memory[-len(sound) :] = sound
    file = RangeFile(Bytes(cast("bytes", memory)))
    assert leave_tag(file) == head[:16]


@pytest.mark.parametrize("name", OVERSTATED)
def test_all_frames_are_copied(directory: Path, name: str) -> None:
    frames = mp3(directory, "0")
    found = ended(OVERSTATED[name] + frames)
    assert found.mp3.endswith(frames)


def test_frames_in_a_tag_that_is_right_are_no_sound(directory: Path) -> None:
    """A jingle that somebody put into the tag (ID3v2.4 frames, 4.15: GEOB)."""
    sound, other = (
        mp3(directory, "0"),
        ffmpeg(
            directory / "jingle.mp3", "-f", "lavfi", "-i", "sine=5000:d=1", "-write_xing", "0", "-id3v2_version", "0"
        ),
    )
    jingle = b"\0\0\0\0" + other.read_bytes()
    inside = b"GEOB" + len(jingle).to_bytes(4, "big") + bytes(2) + jingle
    for whole in (tag(inside), tag(inside + bytes(1000)), tag(TITLE + inside)):
        found = ended(whole + sound)
        assert found.seconds == pytest.approx(SECONDS, abs=0.06)
        assert found.mp3.endswith(sound)


@pytest.mark.parametrize("name", ["within a frame", "a size that is none", "a size of eight bits a byte"])
def test_the_tag_keeps_its_texts(directory: Path, tmp_path: Path, name: str) -> None:
    found = ended(OVERSTATED[name] + mp3(directory, "1"))
    (tmp_path / "a.mp3").write_bytes(found.mp3)
    assert probed(tmp_path / "a.mp3").tags["title"] == "hello"
