"""containers/start.py: sound that begins after H.264 in a Matroska is late."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.conversions import probed
from tests.unit.endings import ended, ffmpeg

SOUND = ("-itsoffset", "2.5", "-f", "lavfi", "-i", "sine=440:duration=3")
PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=8")
CHAPTER = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=3000\nEND=4000\ntitle=one\n"


@pytest.mark.parametrize("words", [["-bf", "0"], ["-bf", "3"], ["-output_ts_offset", "100"]], ids=str)
def test_sound_that_begins_after_the_pictures_is_late(tmp_path: Path, words: list[str]) -> None:
    path = ffmpeg(tmp_path / "late.mkv", *SOUND, *PICTURE, "-c:v", "libx264", "-c:a", "aac", *words)
    found = ended(path)
    assert found.seconds == pytest.approx(5.5, abs=0.1)
    assert found.tones(1, 2, 3, 5) == [0, 0, 440, 440]


def test_chapters_count_from_the_pictures(tmp_path: Path) -> None:
    (tmp_path / "tags").write_text(CHAPTER)
    inputs = (*SOUND, *PICTURE, "-i", str(tmp_path / "tags"), "-map_metadata", "2")
    path = ffmpeg(tmp_path / "late.mkv", *inputs, "-c:v", "libx264", "-c:a", "aac")
    assert [chapter.start for chapter in probed(path).chapters] == pytest.approx([3.0])


def test_pictures_that_begin_later_change_nothing(tmp_path: Path) -> None:
    inputs = ("-f", "lavfi", "-i", "sine=440:duration=3", "-itsoffset", "1", *PICTURE)
    found = ended(ffmpeg(tmp_path / "early.mkv", *inputs, "-c:v", "libx264", "-c:a", "aac"))
    assert found.seconds == pytest.approx(3, abs=0.1)
    assert found.tones(0.5, 2.5) == [440, 440]
