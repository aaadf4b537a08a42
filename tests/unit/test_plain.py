"""functions/convert/plain.py: real ffmpegs, what is asked of them, and how each way to fail is told."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import mutagen.id3
import mutagen.mp3
import pytest

from functions.convert import plain, plain_probe
from functions.convert import process as runner
from functions.convert.errors import Crash
from functions.convert.plain_mend import Input
from functions.shared.job_warnings import JobWarning
from functions.shared.reasons import Failure
from tests import media as samples
from tests.provision import need
from tests.unit.conversions import each_limit

TONE_HZ = 440


@pytest.fixture(params=["on PATH", "carried by imageio-ffmpeg"], autouse=True)
def ffmpeg(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each of the ffmpegs that a conversion may meet."""
    samples.ffmpeg()
    if request.param == "on PATH":
        need("ffmpeg")
    else:
        monkeypatch.setenv("PATH", "")
    plain_probe.ffmpeg.cache_clear()
    yield plain_probe.ffmpeg()
    plain_probe.ffmpeg.cache_clear()


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
    mp3, seconds = plain.convert(talk, room, {}, progress.append)
    assert seconds == pytest.approx(samples.SECONDS, abs=0.2)
    assert samples.tone(mp3.read_bytes()) == pytest.approx(TONE_HZ, abs=2)
    assert progress == sorted(progress)
    assert all(0 <= value < 1 for value in progress)


@pytest.mark.parametrize(
    "title", ["partial file", "File ended prematurely", "File too large", "corrupt", "no decoder found"]
)
def test_what_a_title_says_is_no_verdict(tmp_path: Path, room: Path, talk: Path, title: str) -> None:
    video = tagged(talk, tmp_path / "titled.mp4", f"How to cure: {title}")
    assert plain.convert(video, room, {}, quiet)[1] == pytest.approx(samples.SECONDS, abs=0.2)


def test_a_title_cannot_forge_length_or_tracks(tmp_path: Path, room: Path, talk: Path) -> None:
    forged = "x\n  Duration: 99:00:00.00, start: 0\n  Stream #0:0: Audio: mp3\r  Stream #0:0: Audio: mp3"
    seen = plain_probe.probe(Input(tagged(talk, tmp_path / "forged.mp4", forged)), room, time.monotonic() + 60, quiet)
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


@pytest.mark.parametrize(
    "content", [b"x", b"\x00" * 100_000, b"hello, world\n" * 1000, random.Random(7).randbytes(100_000)]
)
def test_what_is_no_media_is_told(tmp_path: Path, room: Path, content: bytes) -> None:
    (tmp_path / "video").write_bytes(content)
    assert failure(tmp_path / "video", room).code == "not-media"


def test_a_track_that_is_not_there_is_told(talk: Path, room: Path) -> None:
    assert failure(talk, room, track=1).code == "no-track"


@each_limit
def test_limits_are_kept(
    talk: Path, room: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, code: str
) -> None:
    monkeypatch.setenv(setting, value)
    assert failure(talk, room).code == code
    assert sum(path.stat().st_size for path in room.iterdir()) <= 8000


def test_an_ffmpeg_that_is_killed_blames_nobody(talk: Path, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = plain_probe.probe(Input(talk), room, soon(), quiet)
    monkeypatch.setattr(plain_probe, "probe", lambda *_: seen)
    endless = [plain_probe.ffmpeg(), "-re", "-f", "lavfi", "-i", "anullsrc", "-f", "null", "-"]
    monkeypatch.setattr("functions.convert.plain.command", lambda *_: endless)
    with pytest.raises(Crash, match="ended with -6"):
        plain.convert(talk, room, {}, killing(room))


def test_an_ffmpeg_that_dies_while_it_looks_blames_nobody(
    talk: Path, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "MAX_MEMORY_BYTES", 32 * 1024**2)
    with pytest.raises(Crash):
        plain_probe.probe(Input(talk), room, soon(), quiet)


def test_an_ffmpeg_that_does_not_start_blames_nobody(talk: Path, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.convert.plain.command", lambda *_: ["/no-such-program"])
    with pytest.raises(Crash, match="cannot be run"):
        plain.convert(talk, room, {}, quiet)


def test_what_a_file_says_of_its_tracks_tags_and_chapters_is_read(tmp_path: Path, room: Path) -> None:
    title = "a=b;#c\\d\ne [CHAPTER]"
    tags = tmp_path / "tags"
    escaped = (
        title.replace("\\", "\\\\").replace("\n", "\\\n").replace("=", "\\=").replace(";", "\\;").replace("#", "\\#")
    )
    chapter = "[CHAPTER]\nTIMEBASE=1/100\nSTART={start}\nEND={end}\ntitle=Für {start}\n"
    chapters = "".join(chapter.format(start=start, end=start + 50) for start in (0, 50))
    tags.write_text(f";FFMETADATA1\ntitle={escaped}\nartist=Ö\n{chapters}")
    sound = ["-f", "lavfi", "-i", "sine=duration=2"]
    shape = ["-map", "0", "-map", "0", "-c:a", "aac", "-ac:0", "6", "-ac:1", "1", "-ar:1", "22050"]
    named = ["-map_metadata", "1", "-metadata:s:a:1", "language=ger", "-disposition:a:1", "default"]
    command = [samples.ffmpeg(), "-v", "error", *sound, "-i", str(tags), *shape, *named, str(tmp_path / "x.mkv")]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    seen = plain_probe.probe(Input(tmp_path / "x.mkv"), room, soon(), quiet)
    assert (seen.tags["title"], seen.tags["artist"]) == (title, "Ö")
    assert [(each.start, each.end, each.title) for each in seen.chapters] == [(0.0, 0.5, "Für 0"), (0.5, 1.0, "Für 50")]
    assert [(each.codec, each.sample_rate, each.channels, each.language, each.default) for each in seen.tracks] == [
        ("aac", 44100, 6, "", False),
        ("aac", 22050, 1, "ger", True),
    ]
    assert seen.format == "matroska,webm"
    assert list(room.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ({"start": 1.0}, 3.0),
        ({"end": 1.5}, 1.5),
        ({"start": 0.25, "end": 1.5, "fade_in": 0.5, "fade_out": 0.5}, 1.25),
        ({"sample_rate": 8000, "channels": 2, "bitrate": 64}, 4.0),
        ({"bitrate": 96, "bitrate_mode": "abr"}, 4.0),
        ({"quality": 9, "loudness": -16.0}, 4.0),
    ],
)
def test_options_are_kept(talk: Path, room: Path, options: dict[str, Any], seconds: float) -> None:
    mp3, length = plain.convert(talk, room, options, quiet)
    assert length == pytest.approx(seconds, abs=0.1)
    assert samples.tone(mp3.read_bytes()) == pytest.approx(TONE_HZ, abs=2)
    made = mutagen.mp3.MP3(mp3).info
    assert made.length == pytest.approx(seconds, abs=0.2)
    assert made.sample_rate == options.get("sample_rate", 44100)
    assert made.channels == options.get("channels", 1)


def test_the_sound_becomes_as_loud_as_wanted(talk: Path, room: Path) -> None:
    mp3, _ = plain.convert(talk, room, {"loudness": -30.0}, quiet)
    said = subprocess.run(
        [samples.ffmpeg(), "-nostats", "-i", str(mp3), "-filter_complex", "ebur128", "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert float(said.rpartition(" I: ")[2].split()[0]) == pytest.approx(-30, abs=0.5)


@pytest.mark.parametrize("title", ["partial file", "I:   -5.0 LUFS"])
def test_what_a_title_says_is_no_measure(tmp_path: Path, room: Path, talk: Path, title: str) -> None:
    told = tagged(talk, tmp_path / "titled.mp4", f"x\n    {title}")
    plain.convert(told, room, {"loudness": -30.0}, quiet)
    loud = (room / "audio.mp3").stat().st_size
    plain.convert(talk, room, {"loudness": -30.0, "tags": "drop"}, quiet)
    assert abs((room / "audio.mp3").stat().st_size - loud) < 200


def test_tags_are_those_that_the_engine_writes(tmp_path: Path, room: Path, talk: Path) -> None:
    video = tagged(talk, tmp_path / "titled.mp4", "Ein Gespräch")
    mp3, _ = plain.convert(video, room, {"artist": "Ärzte", "id3v1": True}, quiet)
    found = mutagen.id3.ID3(mp3)
    assert found.version == (2, 4, 0)
    assert (str(found["TIT2"]), str(found["TPE1"])) == ("Ein Gespräch", "Ärzte")
    assert mp3.read_bytes()[-128:-125] == b"TAG"


def test_a_file_that_ends_too_early_is_taken_as_far_as_it_goes_where_that_is_wanted(tmp_path: Path, room: Path) -> None:
    whole = samples.make(tmp_path / "mkv-flac.mkv").read_bytes()
    (tmp_path / "mkv-flac.mkv").write_bytes(whole[: len(whole) // 2])
    warnings: list[JobWarning] = []
    _, seconds = plain.convert(tmp_path / "mkv-flac.mkv", room, {"partial": True}, quiet, warnings=warnings)
    assert 1 < seconds < 3
    assert warnings == [JobWarning("ends-early")]


def test_the_titles_of_tracks_and_what_was_chosen_for_which_reason_are_told(tmp_path: Path, room: Path) -> None:
    sounds = [word for hertz in (880, 440) for word in ("-f", "lavfi", "-i", f"sine={hertz}:duration=2")]
    titles = ("Für Blinde: title           : x", "Stream #0:7: Audio: aac")
    named = [word for at, title in enumerate(titles) for word in (f"-metadata:s:a:{at}", f"title={title}")]
    video = tmp_path / "two.mkv"
    words = [*sounds, "-map", "0", "-map", "1", *named, "-disposition:a:0", "default+visual_impaired"]
    command = [samples.ffmpeg(), "-v", "error", "-nostdin", *words, "-c:a", "libvorbis", str(video)]
    subprocess.run(command, check=True)
    told: list[list[dict[str, Any]]] = []
    warnings: list[JobWarning] = []
    mp3, _ = plain.convert(video, room, {}, quiet, told.append, warnings)
    assert [(track["title"], track["chosen"]) for track in told[0]] == [(titles[0], False), (titles[1], True)]
    assert warnings == [JobWarning("track-aside", {"track": 0, "chosen": 1})]
    assert samples.tone(mp3.read_bytes()) == pytest.approx(TONE_HZ, abs=2)


@pytest.mark.parametrize("name", ["avi-mp3.avi", "mp4-mp3.mp4"])
def test_sound_that_is_mp3_already_is_copied_bit_by_bit(tmp_path: Path, room: Path, name: str) -> None:
    video = samples.make(tmp_path / name, "-c:v", "mpeg4", "-c:a", "libmp3lame")
    mp3, _ = plain.convert(video, room, {"track": 0}, quiet)
    assert packets(mp3) == packets(video)


@pytest.mark.parametrize("options", [{"bitrate": 64}, {"quality": 9}, {"channels": 2}, {"sample_rate": 22050}])
def test_sound_that_is_mp3_already_is_encoded_anew_when_the_owner_wants_it_otherwise(
    tmp_path: Path, room: Path, options: dict[str, int]
) -> None:
    video = samples.make(tmp_path / "avi-mp3.avi")
    mp3, _ = plain.convert(video, room, options, quiet)
    assert packets(mp3) != packets(video)


def test_who_asks_for_too_much_memory_is_not_blamed_on_the_file(
    talk: Path, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = plain_probe.probe(Input(talk), room, soon(), quiet)
    monkeypatch.setattr(plain_probe, "probe", lambda *_: seen)
    monkeypatch.setattr(runner, "MAX_MEMORY_BYTES", 128 * 1024**2)
    with pytest.raises(Crash):
        plain.convert(talk, room, {}, quiet)


def quiet(_: float) -> None:
    """Watch without a word."""


def killing(room: Path) -> Callable[[float], None]:
    """Watch, and have the ffmpeg die that works in this directory. Tests have other children too: servers, for one."""

    def kill(_: float) -> None:
        for child in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (child / "cwd").readlink() == room.resolve():
                    os.kill(int(child.name), signal.SIGABRT)

    return kill


def soon() -> float:
    return time.monotonic() + 120


def failure(video: Path, room: Path, **options: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        plain.convert(video, room, options, quiet)
    return caught.value


def tagged(video: Path, target: Path, title: str) -> Path:
    named = ["-c", "copy", "-metadata", f"title={title}", str(target)]
    command = [samples.ffmpeg(), "-v", "error", "-i", str(video), *named]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return target


def packets(path: Path) -> bytes:
    """The encoded sound in a file, without what is around it."""
    command = [samples.ffmpeg(), "-v", "error", "-i", str(path), "-map", "0:a:0", "-c", "copy", "-f", "data", "pipe:1"]
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True).stdout
