"""functions/convert: real ffmpegs, hostile files, and what is left when something goes wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from functions.convert import engine, guard, media
from functions.convert import process as runner
from functions.convert.process import Outcome, run
from functions.shared.reasons import Failure
from tests import media as samples
from tests.provision import need

SECRET_HZ, TONE_HZ = 3000, 440


@pytest.fixture(params=["on PATH", "carried by imageio-ffmpeg"], autouse=True)
def ffmpeg(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each of the ffmpegs that a conversion may meet."""
    samples.ffmpeg()
    if request.param == "on PATH":
        need("ffmpeg")
    else:
        monkeypatch.setenv("PATH", "")
    media.ffmpeg.cache_clear()
    yield media.ffmpeg()
    media.ffmpeg.cache_clear()


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """The empty directory that a conversion works in."""
    (tmp_path / "room").mkdir()
    return tmp_path / "room"


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return samples.make(tmp_path_factory.mktemp("media") / "mp4-faststart.mp4")


def test_a_video_becomes_its_sound(talk: Path, room: Path) -> None:
    progress: list[float] = []
    mp3, seconds = engine.convert(talk, room, {}, progress.append)
    assert seconds == pytest.approx(samples.SECONDS, abs=0.2)
    assert samples.tone(mp3.read_bytes()) == pytest.approx(TONE_HZ, abs=2)
    assert progress == sorted(progress)
    assert all(0 <= value < 1 for value in progress)


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        ("ffconcat version 1.0\nfile 'secret.wav'\n", {"refused-format"}),
        ("ffconcat version 1.0\nfile '{folder}/secret.wav'\n", {"refused-format"}),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.wav\n#EXT-X-ENDLIST\n", {"refused-format"}),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{folder}/secret.wav\n#EXT-X-ENDLIST\n", {"refused-format"}),
        ("#EXTM3U\n#EXTINF:9,\nconcat:{folder}/secret.wav\n", {"refused-format", "not-media"}),
        ("v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n", {"refused-format", "not-media"}),
        ("<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'></MPD>", {"refused-format", "not-media"}),
        ("[playlist]\nFile1=secret.wav\n", {"refused-format", "not-media"}),
        (";FFMETADATA1\ntitle=x\n", {"refused-format", "not-media", "no-audio"}),
    ],
)
@pytest.mark.parametrize("name", ["talk.mp4", "talk.m3u8", "talk"])
def test_a_script_that_names_another_file_never_brings_its_sound(
    tmp_path: Path, room: Path, content: str, codes: set[str], name: str
) -> None:
    secret(tmp_path / "secret.wav")
    (tmp_path / name).write_text(content.format(folder=tmp_path))
    assert failure(tmp_path / name, room).code in codes
    assert list(room.iterdir()) == []


@pytest.mark.parametrize(
    "title", ["partial file", "File ended prematurely", "File too large", "corrupt", "no decoder found"]
)
def test_what_a_title_says_is_no_verdict(tmp_path: Path, room: Path, talk: Path, title: str) -> None:
    video = tagged(talk, tmp_path / "titled.mp4", f"How to cure: {title}")
    assert engine.convert(video, room, {}, quiet)[1] == pytest.approx(samples.SECONDS, abs=0.2)


def test_a_title_cannot_forge_length_or_tracks(tmp_path: Path, room: Path, talk: Path) -> None:
    forged = "x\n  Duration: 99:00:00.00, start: 0\n  Stream #0:0: Audio: mp3\r  Stream #0:0: Audio: mp3"
    seen = media.probe(tagged(talk, tmp_path / "forged.mp4", forged), room, time.monotonic() + 60, quiet)
    assert seen.seconds == pytest.approx(samples.SECONDS, abs=0.2)
    assert [track.codec for track in seen.tracks] == ["aac"]


@pytest.mark.parametrize(
    ("name", "share", "code"),
    [
        ("mp4-faststart.mp4", 0.5, "truncated"),
        ("mp4-aac.mp4", 0.5, "truncated"),
        ("mkv-flac.mkv", 0.5, "truncated"),
        ("avi-mp3.avi", 0.5, "truncated"),
        ("mp4-aac.mp4", 0.0, "empty"),
        ("silent-movie.mp4", 1.0, "no-audio"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, room: Path, name: str, share: float, code: str) -> None:
    whole = samples.make(tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
    assert failure(tmp_path / name, room).code == code


@pytest.mark.parametrize("content", [b"x", b"\x00" * 100_000, b"hello, world\n" * 1000, os.urandom(100_000)])
def test_what_is_no_media_is_told(tmp_path: Path, room: Path, content: bytes) -> None:
    (tmp_path / "video").write_bytes(content)
    assert failure(tmp_path / "video", room).code == "not-media"


def test_a_track_that_is_not_there_is_told(talk: Path, room: Path) -> None:
    assert failure(talk, room, track=1).code == "no-track"


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        ("MAX_DURATION_SECONDS", "1", "too-long"),
        ("MAX_AUDIO_BYTES", "8000", "too-large"),
        ("CONVERT_TIMEOUT_SECONDS", "0", "timed-out"),
    ],
)
def test_limits_are_kept(
    talk: Path, room: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, code: str
) -> None:
    monkeypatch.setenv(setting, value)
    assert failure(talk, room).code == code
    assert sum(path.stat().st_size for path in room.iterdir()) <= 8000


def test_an_ffmpeg_that_is_killed_blames_nobody(
    talk: Path, room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ffmpeg: str
) -> None:
    stand_in = tmp_path / "ffmpeg"
    stand_in.write_text(f'#!/bin/sh\ncase "$*" in *-progress*) kill -9 $$;; esac\nexec {ffmpeg} "$@"\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    media.ffmpeg.cache_clear()
    with pytest.raises(engine.Crash, match="signal 9"):
        engine.convert(talk, room, {}, quiet)


@pytest.mark.parametrize("name", ["avi-mp3.avi", "mp4-mp3.mp4"])
def test_sound_that_is_mp3_already_is_copied_bit_by_bit(tmp_path: Path, room: Path, name: str) -> None:
    video = samples.make(tmp_path / name, "-c:v", "mpeg4", "-c:a", "libmp3lame")
    mp3, _ = engine.convert(video, room, {"track": 0}, quiet)
    assert packets(mp3) == packets(video)


@pytest.mark.parametrize("options", [{"bitrate": 64}, {"quality": 9}, {"channels": 2}, {"sample_rate": 22050}])
def test_sound_that_is_mp3_already_is_encoded_anew_when_the_owner_wants_it_otherwise(
    tmp_path: Path, room: Path, options: dict[str, int]
) -> None:
    video = samples.make(tmp_path / "avi-mp3.avi")
    mp3, _ = engine.convert(video, room, options, quiet)
    assert packets(mp3) != packets(video)


@pytest.mark.parametrize("script", ["sleep {mark} & sleep {mark}", "trap '' TERM INT; sleep {mark}; sleep {mark}"])
def test_no_process_is_left_at_the_deadline(room: Path, script: str) -> None:
    mark = f"{os.getpid()}{time.monotonic_ns()}"
    with pytest.raises(Failure) as caught:
        run(["/bin/sh", "-c", script.format(mark=mark)], room, time.monotonic() + 1, quiet)
    assert caught.value.code == "timed-out"
    assert_gone(mark)


def test_no_process_is_left_when_the_watcher_stops_it(room: Path) -> None:
    class Stop(Exception):
        """The watcher has seen enough."""

    mark = f"{os.getpid()}{time.monotonic_ns()}"

    def stop(_: float) -> NoReturn:
        raise Stop

    with pytest.raises(Stop):
        run(["/bin/sh", "-c", f"sleep {mark} & sleep {mark}"], room, time.monotonic() + 60, stop)
    assert_gone(mark)


@pytest.mark.parametrize(
    "flood",
    ["yes 'a line that says nothing' | head -c 20000000", "head -c 20000000 /dev/zero", "yes '' | head -c 2000000"],
)
def test_a_flood_of_words_does_not_fill_the_memory(room: Path, flood: str) -> None:
    tracemalloc.start()
    outcome = run(
        ["/bin/sh", "-c", f"PATH=/bin:/usr/bin; ({flood}) >&2; echo >&2; echo last words >&2"], room, soon(), quiet
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000
    assert len(outcome.lines) <= runner.LINES_KEPT
    assert max(map(len, outcome.lines)) <= runner.LINE_LENGTH
    assert outcome.status == 0
    assert "last words" in outcome.last_words()


def test_ffmpeg_gets_an_empty_environment_and_its_own_directory(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://root:hunter2@db")
    outcome = run(["/bin/sh", "-c", "set >&2; pwd >&2; ulimit -c >&2"], room, soon(), quiet)
    assert str(room) in outcome.lines
    assert not outcome.said("hunter2")
    assert outcome.lines[-1] == "0"


def test_who_uses_up_the_processor_is_told_apart_from_who_is_killed() -> None:
    limits = json.dumps({"RLIMIT_CPU": 1})
    command = [sys.executable, "-I", "-S", guard.__file__, limits, "/bin/sh", "-c", "while :; do :; done"]
    assert subprocess.run(command, check=False).returncode == -signal.SIGXCPU


def test_the_last_words_are_the_last() -> None:
    outcome = Outcome()
    outcome.lines.extend(str(number) for number in range(3000))
    assert outcome.last_words() == "2995 | 2996 | 2997 | 2998 | 2999"


def quiet(_: float) -> None:
    """Watch without a word."""


def soon() -> float:
    return time.monotonic() + 120


def failure(video: Path, room: Path, **options: int) -> Failure:
    with pytest.raises(Failure) as caught:
        engine.convert(video, room, options, quiet)
    return caught.value


def secret(path: Path) -> None:
    command = [samples.ffmpeg(), "-v", "error", "-y", "-f", "lavfi", "-i", f"sine={SECRET_HZ}:duration=2", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def tagged(video: Path, target: Path, title: str) -> Path:
    named = ["-c", "copy", "-metadata", f"title={title}", str(target)]
    command = [samples.ffmpeg(), "-v", "error", "-i", str(video), *named]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return target


def packets(path: Path) -> bytes:
    """The encoded sound in a file, without what is around it."""
    command = [samples.ffmpeg(), "-v", "error", "-i", str(path), "-map", "0:a:0", "-c", "copy", "-f", "data", "pipe:1"]
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True).stdout


def assert_gone(mark: str) -> None:
    """Whoever was killed needs a moment to die."""
    ends = time.monotonic() + 20
    while left := running(mark):
        assert time.monotonic() < ends, left
        time.sleep(0.01)


def running(mark: str) -> list[str]:
    """The command lines, of processes that are alive, that hold `mark`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if mark in words:
            found.append(words)
    return found
