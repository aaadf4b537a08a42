"""functions/convert/conversion/mpeg/copying.py: MP3 that is copied runs on the clock, too, by frames of silence."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import mutagen.mp3
import numpy as np
import pytest

from functions.convert.conversion.mpeg import frames
from functions.convert.conversion.pipeline import converted
from tests.media import ffmpeg, samples
from tests.unit.bytes_source import Bytes
from tests.unit.clocks import chirped, moved, source_time

MP3 = ("-c:a", "libmp3lame")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the videos are kept, each made once."""
    return tmp_path_factory.mktemp("copied")


def copied(video: Path, target: Path, **options: Any) -> tuple[Path, float]:
    """The MP3, and the seconds that are said of it. It was not encoded again."""
    content = b""
    job = {"threads": 1, "max_seconds": 10_000, "state": None, "options": options}
    for header, payload in converted(Bytes(video.read_bytes()), job):
        if header["kind"] == "audio":
            content += payload
        if header["kind"] == "file":
            target.write_bytes(payload[: header["head"]] + content + payload[header["head"] :])
            assert b"LAME" not in payload[: header["head"]]
            return target, float(header["seconds"])
    raise AssertionError("no MP3 came")


@pytest.mark.parametrize("name", ["mp3.mkv", "mp3.mp4", "mp3.flv", "mp3.ts"])
def test_holes_and_late_starts_become_frames_of_silence(directory: Path, name: str) -> None:
    video = chirped(directory / name, *MP3)
    holed = moved(video, directory / f"hole-{name}", lambda at: None if 5 <= at < 10 else at + 3)
    mp3, seconds = copied(holed, directory / "holed.mp3")
    sound = samples(mp3, 1)[0]
    assert seconds == pytest.approx(23.03, abs=0.04)
    assert len(sound) / 44100 == pytest.approx(seconds, abs=0.03)
    assert mutagen.mp3.MP3(mp3).info.length == pytest.approx(seconds, abs=0.05)
    heard = [source_time(sound, at) for at in (1, 2.9, 3.3, 7.8, 8.3, 10, 12.8, 13.3, 18, 22)]
    silent = [None, None, 0.3, 4.8, None, None, None, 10.3, 15, 19]
    assert heard == [at if at is None else pytest.approx(at, abs=0.06) for at in silent]


def test_no_frame_after_a_hole_has_sound_in_frames_that_are_missing(directory: Path) -> None:
    """It would be noise for a decoder: main data begins in the slots of frames before (the bit reservoir)."""
    noise = ("-af", "volume=0.5,aeval=val(0)+0.3*random(0)*sin(9*t)", "-c:a", "libmp3lame", "-b:a", "160k")
    video = chirped(directory / "noisy.mkv", *noise)
    holed = moved(video, directory / "noisy-hole.mkv", lambda at: None if 5 <= at < 10 else at)
    strung, _ = copied(holed, directory / "noisy-strung.mp3", timeline="sound")
    mp3, _ = copied(holed, directory / "noisy.mp3")
    hole = round(5 * 44100 / 1152)
    assert max(map(main_data_begin, stream(strung)[hole : hole + 2])) > 0
    found = stream(mp3)
    last = max(number for number, frame in enumerate(found) if frame == frames.silent(frame))
    assert last == pytest.approx(10 * 44100 / 1152, abs=2)
    here = 0
    for frame in found[last + 1 : last + 20]:
        assert main_data_begin(frame) <= here
        here += len(frames.slot(frame))
    assert sum(frames.side_info(frame).main_data_length == 0 for frame in found[last + 1 : last + 20]) in (1, 2)
    sound = samples(mp3, 1)[0]
    assert np.abs(sound[round(5.1 * 44100) : round(9.9 * 44100)]).max() == 0


def main_data_begin(frame: bytes) -> int:
    return frames.side_info(frame).main_data_begin


def stream(mp3: Path) -> list[bytes]:
    """The frames of an MP3, without its header; the size of a tag before them has 7 bits in a byte."""
    data = mp3.read_bytes()
    start = 10 + (data[6] << 21 | data[7] << 14 | data[8] << 7 | data[9]) if data[:3] == b"ID3" else 0
    return frames.split(data[start:])[1:]


def test_what_comes_twice_is_copied_once(directory: Path) -> None:
    whole = chirped(directory / "twice.ts", *MP3)
    parts = []
    for number, (start, stop) in enumerate([("0", "10"), ("7", "20")]):
        part = directory / f"part-{number}.ts"
        cut = ("-ss", start, "-to", stop, "-i", str(whole), "-c", "copy", "-output_ts_offset", start, "-muxdelay", "0")
        subprocess.run([ffmpeg(), "-v", "error", "-y", *cut, str(part)], check=True)
        parts.append(part.read_bytes())
    (directory / "overlap.ts").write_bytes(b"".join(parts))
    mp3, seconds = copied(directory / "overlap.ts", directory / "overlap.mp3")
    assert seconds == pytest.approx(20, abs=0.1)
    sound = samples(mp3, 1)[0]
    assert [source_time(sound, at) for at in (1, 9, 11, 19)] == [pytest.approx(at, abs=0.1) for at in (1, 9, 11, 19)]


def test_strung_together_it_is_copied_as_it_is(directory: Path) -> None:
    video = chirped(directory / "strung.mkv", *MP3)
    holed = moved(video, directory / "strung-hole.mkv", lambda at: None if 5 <= at < 10 else at + 3)
    mp3, seconds = copied(holed, directory / "strung.mp3", timeline="sound")
    assert seconds == pytest.approx(15.03, abs=0.04)
    expected = [
        ffmpeg(),
        "-v",
        "error",
        "-i",
        str(holed),
        "-vn",
        "-c",
        "copy",
        "-write_xing",
        "0",
        "-id3v2_version",
        "0",
    ]
    raw = subprocess.run([*expected, "-f", "mp3", "-"], check=True, capture_output=True).stdout
    assert mp3.read_bytes().endswith(raw)


@pytest.mark.parametrize("word", ["fffb9064", "fff340c4", "fffa9244", "ffe318c4"])
def test_a_frame_of_silence_is_like_those_around_it(word: str) -> None:
    frame = bytes.fromhex(word).ljust(frames.header(bytes.fromhex(word)).size, b"\x55")
    silent = frames.silent(frame)
    mine, theirs = frames.header(silent[:4]), frames.header(frame[:4])
    assert (mine.version, mine.sample_rate, mine.channels) == (theirs.version, theirs.sample_rate, theirs.channels)
    assert len(silent) == mine.size <= theirs.size
    assert frames.side_info(silent).main_data_begin == frames.side_info(silent).main_data_length == 0
    muted = frames.muted(frame)
    assert frames.side_info(muted).main_data_length == 0
    assert len(muted) == len(frame)
    assert muted.endswith(frames.slot(frame))
