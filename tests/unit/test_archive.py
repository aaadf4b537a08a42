"""functions/convert/conversion/mpeg/archive.py, as zipfile and Info-ZIP read what it writes."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.convert.conversion.mpeg.archive import Zip

PARTS = [b"first", b"second " * 10_000, b""]
TITLES = ["Intro", "Größe 🎧 שלום", ""]
NAMES = ["01 Intro.mp3", "02 Größe 🎧 שלום.mp3", "03.mp3"]


class Counting:
    """A sink that only counts."""

    size = 0
    largest = 0

    def write(self, data: bytes) -> None:
        self.size += len(data)
        self.largest = max(self.largest, len(data))


class Appending:
    """A sink that can do nothing but take bytes."""

    def __init__(self) -> None:
        self.taken = b""

    def write(self, data: bytes) -> None:
        self.taken += data


def zipped(titles: list[str], parts: list[bytes], files: int = 99) -> bytes:
    sink = Appending()
    archive = Zip(sink.write, files)
    for title, part in zip(titles, parts, strict=True):
        with archive.file(title) as file:
            file.write(part[:3])
            file.write(part[3:])
    archive.close()
    return sink.taken


def named(title: str, files: int = 1) -> str:
    return zipfile.ZipFile(BytesIO(zipped([title], [b"x"], files))).namelist()[0]


def test_every_file_is_read_back_under_its_number_and_title() -> None:
    with zipfile.ZipFile(BytesIO(zipped(TITLES, PARTS))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == NAMES
        assert [archive.read(name) for name in NAMES] == PARTS
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert [bool(entry.flag_bits & 0x800) for entry in archive.infolist()] == [False, True, False]


@pytest.mark.parametrize("command", [["unzip", "-t"], ["bsdtar", "-tf"], ["7z", "t"]], ids=lambda command: command[0])
def test_other_programs_find_nothing_wrong(command: list[str], tmp_path: Path) -> None:
    if not shutil.which(command[0]):
        pytest.skip(f"no {command[0]}")
    path = tmp_path / "chapters.zip"
    path.write_bytes(zipped(TITLES, PARTS))
    subprocess.run([*command, str(path)], check=True, capture_output=True)


def test_the_same_chapters_make_the_same_zip() -> None:
    assert zipped(TITLES, PARTS) == zipped(TITLES, PARTS)


def test_nothing_is_held_back() -> None:
    sink = Counting()
    archive = Zip(sink.write)
    with archive.file("long") as file:
        for written in range(1, 50):
            file.write(bytes(1_000_000))
            assert sink.size >= written * 1_000_000
    archive.close()
    assert sink.largest <= 1_000_000


def test_a_zip_without_files_is_a_zip() -> None:
    assert zipfile.ZipFile(BytesIO(zipped([], []))).namelist() == []


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("../../etc/passwd", "01 .. .. etc passwd.mp3"),
        ("C:\\Windows\\x", "01 C Windows x.mp3"),
        ("a\0b\nc", "01 ab c.mp3"),
        ('what? "this" <is> |it*', "01 what this is it.mp3"),
        ("CON", "01 CON.mp3"),
        (" . ", "01.mp3"),
        ("the end...", "01 the end.mp3"),
        ("report \u202e3pm.exe", "01 report 3pm.exe.mp3"),
        ("x" * 1_000_000, f"01 {'x' * 93}.mp3"),
        ("Lecture 3.2 Introduction", "01 Lecture 3.2 Introduction.mp3"),
        ("👩\u200d🚀 می\u200cخواهم", "01 👩\u200d🚀 می\u200cخواهم.mp3"),
        ("\ufeffa\u200bb\u2066c", "01 abc.mp3"),
        ("🎧" * 1000, f"01 {'🎧' * 62}.mp3"),
    ],
)
def test_names_are_safe(title: str, name: str) -> None:
    assert named(title) == name


def test_names_sort_in_the_order_of_the_chapters() -> None:
    assert named("x", 99) == "01 x.mp3"
    assert named("x", 100) == "001 x.mp3"


@given(st.lists(st.text(), max_size=4))
def test_whatever_the_titles_are_the_names_are_safe_and_differ(titles: list[str]) -> None:
    names = zipfile.ZipFile(BytesIO(zipped(titles, [b"x"] * len(titles)))).namelist()
    assert len(set(names)) == len(titles)
    for name in names:
        assert not any(ord(letter) < 32 for letter in name)
        assert not set(name) & set('/\\:*?"<>|')
        assert len(name) <= 100
        assert len(name.encode()) <= 255
