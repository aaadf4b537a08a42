"""The engine and the ffmpeg command: the same video and options make the same sound, or fail for the same reason."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from functions.convert import plain, plain_probe
from functions.convert.conversion.pipeline import converted
from functions.convert.plain_mend import Input
from functions.shared.job_warnings import JobWarning
from functions.shared.reasons import Failure
from tests import media
from tests.unit import clocks
from tests.unit.bytes_source import Bytes
from tests.unit.conversions import plan_of, probed
from tests.unit.test_loudness import measure
from tests.unit.troubles import TROUBLES

JOB = {"threads": 1, "max_seconds": 3600, "state": None}
# Noise that grows and ebbs: where it is cut, and how loud it is, shows.
NOISE = "aevalsrc='0.4*(random(0)-0.5)*(1.2+sin(5*t))|0.4*(random(1)-0.5)':s=44100:d=4"


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """The empty directory that the ffmpeg command works in."""
    (tmp_path / "room").mkdir()
    return tmp_path / "room"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("both")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize(
    "name", ["avi-ac3.avi", "avi-mp3.avi", "sound.wav", "mkv-flac.mkv", "mp4-aac.mp4", "mp4-faststart.mp4"]
)
def test_a_file_that_was_cut_off_is_cut_off_for_both(directory: Path, room: Path, name: str, share: float) -> None:
    path = made(directory, name)
    whole = path.read_bytes()
    cut = room.parent / name
    cut.write_bytes(whole[: int(len(whole) * share)])
    assert code_by_engine(cut) == code_by_ffmpeg(cut, room) == "truncated"


@pytest.mark.parametrize("stated", [0, 0x7FFF_0000, 0xFFFF_FFFF])
def test_a_wav_whose_writer_could_not_seek_is_whole_for_both(directory: Path, room: Path, stated: int) -> None:
    data = made(directory, "sound.wav").read_bytes()
    path = room.parent / "unknown.wav"
    path.write_bytes(data[:4] + stated.to_bytes(4, "little") + data[8:])
    assert (code_by_engine(path), code_by_ffmpeg(path, room)) == ("whole", "whole")


# What the command would read wrongly.
MENDED = (
    *("voc with a silence", "voc with a repeat", "aiff, length of the sound never written", "rifx"),
    *(
        "caf, half the sound stated",
        "w64, a tenth stated",
        "mp3 in a wav, half of it stated",
        "rf64, lengths never written",
    ),
)


@pytest.mark.parametrize("name", MENDED)
def test_the_command_gets_a_file_that_it_can_read(directory: Path, room: Path, name: str) -> None:
    trouble, path = TROUBLES[name], room.parent / "troubled"
    path.write_bytes(trouble.made(directory))
    mp3, seconds = plain.convert(path, room, {"quality": 5}, quiet)
    assert seconds == pytest.approx(trouble.seconds, abs=0.15)
    (heard,) = media.samples(mp3, 1, "-ar", "44100")
    for at, was in trouble.heard.items():
        assert clocks.source_time(heard, at) == (was if was is None else pytest.approx(was, abs=0.12)), at


@pytest.mark.parametrize("name", ["mp4 and mkv", "avi and avi of another codec"])
def test_the_command_does_not_hide_that_there_is_more(directory: Path, room: Path, name: str) -> None:
    path, warnings = room.parent / "joined", list[JobWarning]()
    path.write_bytes(TROUBLES[name].made(directory))
    _, seconds = plain.convert(path, room, {}, quiet, warnings=warnings)
    assert seconds == pytest.approx(6, abs=0.15)
    assert [warning.code for warning in warnings] == ["rest-unread"]


@pytest.mark.parametrize("base", ["1/1000", "1/44100", "1001/30000", "7/3"])
def test_chapters_are_at_the_same_times_for_both(directory: Path, room: Path, base: str) -> None:
    chapters = "".join(
        f"[CHAPTER]\nTIMEBASE={base}\nSTART={start}\nEND={start + 17}\ntitle=Teil {start}\n" for start in (0, 17, 34)
    )
    (room.parent / "tags").write_text(f";FFMETADATA1\n{chapters}")
    for name in ("book.mkv", "book.mp4"):
        path = room.parent / name
        words = ("-i", str(made(directory, "mp4-aac.mp4")), "-i", str(room.parent / "tags"))
        ffmpeg(*words, "-map", "0:a", "-map_chapters", "1", "-c", "copy", str(path))
        seen = plain_probe.probe(Input(path), room, soon(), quiet).chapters
        assert len(seen) == 3
        assert seen == probed(path).chapters


@pytest.mark.parametrize("name", ["later.mkv", "later.mp4"])
def test_chapters_of_a_file_that_begins_later_are_on_its_clock(directory: Path, room: Path, name: str) -> None:
    chapters = "".join(f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={at}\nEND={at + 2000}\n" for at in (3000, 5000))
    (room.parent / "tags").write_text(f";FFMETADATA1\n{chapters}")
    path = room.parent / name
    words = (
        "-i",
        str(made(directory, "mp4-aac.mp4")),
        "-i",
        str(room.parent / "tags"),
        "-map",
        "0",
        "-map_chapters",
        "1",
    )
    ffmpeg(*words, "-c", "copy", "-output_ts_offset", "3", str(path))
    starts = pytest.approx([0, 2], abs=0.03)
    assert [chapter.start for chapter in probed(path).chapters] == starts
    assert [chapter.start for chapter in plain_probe.probe(Input(path), room, soon(), quiet).chapters] == starts


@pytest.mark.parametrize("target", [-30.0, -14.0, -5.0])
@pytest.mark.parametrize("name", ["noise.flac", "sound.wav", "mkv-flac.mkv", "silence.flac"])
def test_both_find_the_same_gain(directory: Path, room: Path, name: str, target: float) -> None:
    path = made(directory, name)
    plan = replace(plan_of(path), loudness=target)
    by_ffmpeg = plain._measured(Input(path), room, plan, soon(), quiet).gain
    assert by_ffmpeg == pytest.approx(measure(path, plan).gain, abs=0.002)


@pytest.mark.parametrize("name", ["noise.flac", "noise.aac"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"start": 0.7123, "end": 2.9},
        {"fade_in": 1.5},
        {"fade_out": 1.5},
        {"start": 1.0, "fade_in": 0.3, "fade_out": 9.0},
        {"loudness": -27.0, "channels": 1},
        {"loudness": -20.0, "fade_out": 0.5, "end": 3.3, "sample_rate": 24000},
    ],
    ids=str,
)
def test_the_same_options_make_the_same_sound(directory: Path, room: Path, name: str, options: dict[str, Any]) -> None:
    """Also where a file states a wrong length: ffmpeg guesses that of an AAC without a container from its bitrate."""
    path = made(directory, name)
    wanted = {**options, "quality": 0}
    (room.parent / "engine.mp3").write_bytes(by_engine(path, wanted))
    mp3, seconds = plain.convert(path, room, wanted, quiet)
    ours, theirs = (media.samples(each, 1) for each in (room.parent / "engine.mp3", mp3))
    assert ours.shape[1] == pytest.approx(theirs.shape[1], abs=2)
    # What ffmpeg says of its MP3 has the encoder's delay and the rest of the last frame in it.
    assert seconds == pytest.approx(ours.shape[1] / options.get("sample_rate", 44100), abs=0.11)
    length = min(ours.shape[1], theirs.shape[1])
    difference = np.abs(ours[:, :length] - theirs[:, :length])
    # What two encoders of the same kind make of the same samples, and no more.
    assert difference.max() < 0.1
    assert np.sqrt(np.mean(difference**2)) < 0.004


@pytest.mark.parametrize(
    ("options", "silent"),
    [({}, 9), ({"timeline": "sound"}, 0), ({"start": 4.0, "end": 11.0}, 6), ({"loudness": -20}, 9)],
    ids=str,
)
@pytest.mark.parametrize("name", ["clock.mkv", "clock.mp4", "clock.flv"])
def test_holes_and_late_starts_are_silent_for_both(
    directory: Path, room: Path, name: str, options: dict[str, Any], silent: int
) -> None:
    path = directory / name
    if not path.exists():
        whole = clocks.chirped(directory / f"whole-{name}")
        clocks.moved(whole, path, lambda at: None if 5 <= at < 8 else at + 1.5)
    (room.parent / "engine.mp3").write_bytes(by_engine(path, options))
    mp3, seconds = plain.convert(path, room, options, quiet)
    ours, theirs = (media.samples(each, 1)[0] for each in (room.parent / "engine.mp3", mp3))
    assert seconds == pytest.approx(len(ours) / 44100, abs=0.11)
    times = np.arange(0.25, len(ours) / 44100 - 0.1, 0.5)
    heard = [[clocks.source_time(sound, at) for at in times] for sound in (ours, theirs)]
    assert heard[0].count(None) == silent
    assert heard[1] == [at if at is None else pytest.approx(at, abs=0.06) for at in heard[0]]


def test_a_stated_length_is_wrong_where_the_test_above_needs_it(directory: Path) -> None:
    stated = probed(made(directory, "noise.aac")).seconds
    assert stated
    assert abs(stated - 4) > 0.09


def made(directory: Path, name: str) -> Path:
    """One file of each name for all tests."""
    path = directory / name
    if path.exists():
        return path
    if name in media.KINDS:
        return media.make(path)
    sounds = {"noise": NOISE, "sound": "sine=duration=4", "silence": "anullsrc=d=2"}
    # Quiet first: a guess by the bitrate of the beginning is wrong.
    uneven = ["-af", "volume='if(lt(t,1.5),0.001,1)':eval=frame"] if name.endswith(".aac") else []
    ffmpeg("-f", "lavfi", "-i", sounds[path.stem], *uneven, str(path))
    return path


def by_engine(path: Path, options: dict[str, Any]) -> bytes:
    """The MP3 that the engine makes."""
    frames = b""
    for header, payload in converted(Bytes(path.read_bytes()), {**JOB, "options": options}):
        if header["kind"] == "audio":
            frames += payload
        if header["kind"] == "file":
            return payload[: header["head"]] + frames + payload[header["head"] :]
    raise AssertionError("no MP3 came")


def code_by_engine(path: Path) -> str:
    """Why it fails, or "whole"."""
    try:
        by_engine(path, {})
    except Failure as failure:
        return failure.code
    return "whole"


def code_by_ffmpeg(path: Path, room: Path) -> str:
    """Why it fails, or "whole"."""
    try:
        plain.convert(path, room, {}, quiet)
    except Failure as failure:
        return failure.code
    return "whole"


def ffmpeg(*words: str) -> None:
    command = [media.ffmpeg(), "-v", "error", "-nostdin", "-y", *words]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def quiet(_: float) -> None:
    """Watch without a word."""


def soon() -> float:
    return time.monotonic() + 120
