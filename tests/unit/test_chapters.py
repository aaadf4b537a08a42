"""functions/convert/conversion/containers/chapters.py: chapters as a person means them."""

from __future__ import annotations

import io
import random
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import mutagen.mp3
import pytest

from functions.convert.conversion.containers.chapters import complete, with_lengths
from functions.convert.conversion.media import Chapter
from functions.convert.conversion.source import RangeFile
from tests import media
from tests.unit.bytes_source import Bytes
from tests.unit.conversions import conversion, probed

TWENTY = [(0, 0, "zero"), (0, 5, "one"), (5, 5, "empty"), (5, 20, "two"), (3, 4, "inner")]


def test_chapters_that_start_together_or_are_out_of_order_all_count(tmp_path: Path) -> None:
    path = book(tmp_path / "book.mkv", TWENTY)
    assert probed(path).chapters == tuple(Chapter(*each) for each in TWENTY)
    files = [mutagen.mp3.MP3(io.BytesIO(file)) for file in conversion(path, {"chapters": "split"}).files]
    assert [(str(file["TIT2"]), str(file["TRCK"])) for file in files] == [
        ("one", "1/3"),
        ("inner", "2/3"),
        ("two", "3/3"),
    ]
    assert [file.info.length for file in files] == pytest.approx([3, 2, 15], abs=0.1)


@pytest.mark.parametrize("name", ["book.mkv", "book.mp4", "book.mka"])
def test_marks_without_a_length_last_until_the_next_one(tmp_path: Path, name: str) -> None:
    path = book(tmp_path / name, [(0, 0, "a"), (5, 5, "b"), (12, 12, "c")])
    chapters = probed(path).chapters
    assert [(each.start, each.title) for each in chapters] == [(0, "a"), (5, "b"), (12, "c")]
    assert [each.end for each in chapters] == pytest.approx([5, 12, 20], abs=0.1)
    made = mutagen.mp3.MP3(io.BytesIO(conversion(path, {}).mp3))
    assert made.tags is not None
    assert [chapter.start_time for chapter in made.tags.getall("CHAP")] == [0, 5000, 12000]


def test_chapters_after_the_end_make_no_files(tmp_path: Path) -> None:
    path = book(tmp_path / "book.mkv", [(0, 10, "one"), (10, 20, "two"), (30, 40, "late"), (40, 50, "later")])
    files = [mutagen.mp3.MP3(io.BytesIO(file)) for file in conversion(path, {"chapters": "split"}).files]
    assert [(str(file["TIT2"]), str(file["TRCK"])) for file in files] == [("one", "1/2"), ("two", "2/2")]


def test_marks_that_start_together_are_one() -> None:
    marks = [Chapter(4, 4, "b"), Chapter(0, 0, "a"), Chapter(4, 4, "c")]
    assert with_lengths(marks, 9.0) == (Chapter(0, 4, "a"), Chapter(4, 9, "c"))
    assert with_lengths(marks, None) == (Chapter(0, 4, "a"), Chapter(4, 5, "c"))
    assert with_lengths([], 9.0) == ()


def test_the_edition_that_is_played_by_default_counts() -> None:
    """Else the first one. Those after it are what FFmpeg leaves out on purpose."""
    first, second = atom(0, 4, "a"), atom(0, 2, "x") + atom(2, 4, "y")
    found = [Chapter(0, 4, "a")]
    assert complete(matroska(edition(first), edition(second, default=True)), found, 4) == (
        Chapter(0, 2, "x"),
        Chapter(2, 4, "y"),
    )
    assert complete(matroska(edition(first), edition(second)), found, 4) == tuple(found)


def test_a_chapter_without_an_end_lasts_until_the_next_that_starts_later() -> None:
    file = matroska(edition(atom(0, None, "a") + atom(3, None, "c") + atom(3, None, "d") + atom(1, None, "b")))
    found = complete(file, [Chapter(0, 3, "a")], 9)
    assert found == (Chapter(0, 1, "a"), Chapter(3, 9, "c"), Chapter(3, 9, "d"), Chapter(1, 3, "b"))


def test_chapters_behind_the_sound_are_found_by_the_seek_head() -> None:
    chapters = element(0x1043A770, edition(atom(0, 4, "a") + atom(2, 4, "b")))
    cluster = element(0x1F43B675, bytes(100_000))
    for _ in range(2):
        place = len(seek_head(0)) + len(cluster)
        content = seek_head(place) + cluster + chapters
    file = of(element(0x1A45DFA3, b"") + element(0x18538067, content))
    assert complete(file, [Chapter(0, 4, "a")], 4) == (Chapter(0, 4, "a"), Chapter(2, 4, "b"))


def test_whatever_is_in_the_file_those_of_the_demuxer_are_the_least() -> None:
    found = [Chapter(0, 5, "one")]
    whole = matroska(edition(atom(0, 4, "a") + atom(2, 4, "b")), edition(atom(0, None, "c"))).peek(0, 10_000)
    chance = random.Random(1)
    for number in range(len(whole)):
        assert len(complete(of(whole[:number]), found, 9)) >= 1
        data = bytearray(whole)
        for _ in range(4):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with suppress(OverflowError):
            complete(of(bytes(data)), found, 9)
    assert complete(of(b"no Matroska"), found, 9) == tuple(found)
    assert complete(of(whole), [], 9) == ()


def book(path: Path, chapters: Sequence[tuple[float, float, str]]) -> Path:
    """Twenty seconds of sound with these chapters."""
    sections = [
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start * 1000}\nEND={end * 1000}\ntitle={title}\n"
        for start, end, title in chapters
    ]
    path.with_suffix(".txt").write_text(";FFMETADATA1\n" + "".join(sections))
    inputs = ["-f", "lavfi", "-i", "sine=d=20:r=16000", "-i", str(path.with_suffix(".txt")), "-map_chapters", "1"]
    command = [media.ffmpeg(), "-v", "error", *inputs, "-map", "0:a", "-c:a", "aac", str(path)]
    subprocess.run(command, check=True)
    return path


def matroska(*editions: bytes) -> RangeFile:
    return of(element(0x1A45DFA3, b"") + element(0x18538067, element(0x1043A770, b"".join(editions))))


def edition(atoms: bytes, default: bool = False) -> bytes:
    return element(0x45B9, element(0x45DB, bytes([default])) + atoms)


def atom(start: int, end: int | None, title: str) -> bytes:
    """A chapter; times in seconds."""
    ends = b"" if end is None else element(0x92, (end * 10**9).to_bytes(8, "big"))
    display = element(0x80, element(0x85, title.encode()))
    return element(0xB6, element(0x91, (start * 10**9).to_bytes(8, "big")) + ends + display)


def seek_head(position: int) -> bytes:
    where = element(0x53AB, bytes.fromhex("1043a770")) + element(0x53AC, position.to_bytes(8, "big"))
    return element(0x114D9B74, element(0x4DBB, where))


def element(kind: int, content: bytes) -> bytes:
    """An element of EBML, with its size in eight bytes."""
    return kind.to_bytes((kind.bit_length() + 7) // 8, "big") + b"\x01" + len(content).to_bytes(7, "big") + content


def of(data: bytes) -> RangeFile:
    return RangeFile(Bytes(data))
