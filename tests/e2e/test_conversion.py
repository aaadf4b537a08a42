"""From a video to an MP3, as a user sees it."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import mutagen.mp3
import pytest

from functions.shared.reasons import Failure
from tests import media
from tests.e2e.inside import job_row, mails, plain
from tests.system import Audiolift, User

Maker = Callable[[Path], Path]


@pytest.mark.parametrize("name", [name for name in media.KINDS if name != "silent-movie.mp4"])
def test_every_container_and_codec_becomes_an_mp3(user: User, tmp_path: Path, name: str) -> None:
    job = user.convert(media.make(tmp_path / name))

    assert job["state"] == "done", job["error"]
    assert job["duration_seconds"] == pytest.approx(media.SECONDS, abs=0.2)
    assert media.tone(user.audio(job)) == pytest.approx(440, abs=2)


def test_a_recorded_video_becomes_an_mp3(user: User) -> None:
    job = user.convert(media.recorded("bigbuckbunny.mp4"))

    info = mutagen.mp3.MP3(BytesIO(user.audio(job))).info
    assert job["state"] == "done", job["error"]
    assert info.length == pytest.approx(5.3, abs=0.1)
    assert (info.sample_rate, info.channels) == (48000, 2)


@pytest.mark.parametrize("name", ["bikes.mp4", "carphone_pristine.mp4"])
def test_a_video_that_was_recorded_without_sound_has_no_audio(user: User, name: str) -> None:
    assert user.convert(media.recorded(name))["error"]["code"] == "no-audio"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"bitrate_mode": mutagen.mp3.BitrateMode.VBR, "sample_rate": 44100, "channels": 1}),
        ({"bitrate": 64}, {"bitrate_mode": mutagen.mp3.BitrateMode.CBR, "bitrate": pytest.approx(64000, rel=0.01)}),
        ({"sample_rate": 22050, "channels": 2}, {"sample_rate": 22050, "channels": 2}),
    ],
    ids=str,
)
def test_options_shape_the_mp3(user: User, video: Path, options: dict[str, int], expected: dict[str, Any]) -> None:
    job = user.convert(video, **options)

    info = mutagen.mp3.MP3(BytesIO(user.audio(job))).info
    assert job["options"] == options
    assert {name: getattr(info, name) for name in expected} == expected


def test_a_lower_quality_is_a_smaller_file(user: User) -> None:
    best, smallest = (user.convert(media.recorded(), quality=quality) for quality in (0, 9))

    assert smallest["size_bytes"] < best["size_bytes"] / 2


def test_surround_becomes_stereo_and_mono_when_asked(user: User, tmp_path: Path) -> None:
    surround = media.make(tmp_path / "surround.mp4")

    as_it_is, mono = (user.audio(user.convert(surround, **asked)) for asked in ({}, {"channels": 1}))

    assert mutagen.mp3.MP3(BytesIO(as_it_is)).info.channels == 2
    assert mutagen.mp3.MP3(BytesIO(mono)).info.channels == 1


def test_the_track_that_was_asked_for_is_converted(user: User, tmp_path: Path) -> None:
    video = tracks(tmp_path / "tracks.mkv", 440, 880)

    assert media.tone(user.audio(user.convert(video))) == pytest.approx(440, abs=2)
    assert media.tone(user.audio(user.convert(video, track=1))) == pytest.approx(880, abs=2)
    assert user.convert(video, track=2)["error"]["code"] == "no-track"


@pytest.mark.parametrize("suffix", ["mp4", "avi", "mkv"])
def test_mp3_in_a_video_is_copied_bit_by_bit(user: User, tmp_path: Path, suffix: str) -> None:
    video = media.make(tmp_path / f"a.{suffix}", "-c:v", "mpeg4", "-c:a", "libmp3lame", "-b:a", "96k")
    job = user.convert(video)

    assert job["state"] == "done", job["error"]
    (tmp_path / "out.mp3").write_bytes(user.audio(job))
    assert packets(tmp_path / "out.mp3") == packets(video)


def silent_movie(path: Path) -> Path:
    return media.make(path, *media.KINDS["silent-movie.mp4"])


def noise(path: Path) -> Path:
    path.write_bytes(random.Random(7).randbytes(300_000))
    return path


def letter(path: Path) -> Path:
    path.write_text("Dear Anna,\n" * 10_000)
    return path


def picture(path: Path) -> Path:
    words = ["-f", "lavfi", "-i", "testsrc=size=64x64:duration=1", "-frames:v", "1", "-f", "image2", "-c:v", "png"]
    subprocess.run([media.ffmpeg(), "-v", "error", "-nostdin", "-y", *words, str(path)], check=True)
    return path


def nothing(path: Path) -> Path:
    path.touch()
    return path


def ffconcat(path: Path) -> Path:
    path.write_text(f"ffconcat version 1.0\nfile {secret(path)}\n")
    return path


def playlist(path: Path) -> Path:
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{secret(path)}\n#EXT-X-ENDLIST\n")
    return path


def secret(path: Path) -> Path:
    """A video that is somebody else's, beside that path."""
    return media.make(path.with_name("secret.ts"), *media.KINDS["ts-mp2.ts"])


def cut(kind: str) -> Maker:
    """Makes the first 60 % of a video of that kind."""

    def make(path: Path) -> Path:
        whole = media.make(path.with_name(kind)).read_bytes()
        path.write_bytes(whole[: len(whole) * 6 // 10])
        return path

    return make


FAILURES: dict[str, tuple[Maker, Failure]] = {
    "silent movie": (silent_movie, Failure("no-audio")),
    "noise": (noise, Failure("not-media")),
    "letter": (letter, Failure("not-media")),
    "picture": (picture, Failure("not-media", "picture")),
    "nothing": (nothing, Failure("empty")),
    "ffconcat": (ffconcat, Failure("refused-format")),
    "playlist": (playlist, Failure("refused-format")),
    "cut off, moov at the end": (cut("mp4-aac.mp4"), Failure("truncated", "no-index")),
    "cut off, moov at the start": (cut("mp4-faststart.mp4"), Failure("truncated")),
    "cut off mkv": (cut("mkv-opus.mkv"), Failure("truncated")),
    "cut off avi": (cut("avi-mp3.avi"), Failure("truncated")),
}


@pytest.mark.parametrize("system", ["audiolift", "narrow"], ids=["ffmpeg of the machine", "ffmpeg of the package"])
@pytest.mark.parametrize(("make", "reason"), FAILURES.values(), ids=FAILURES)
def test_what_cannot_be_converted_fails_at_once_and_the_owner_hears_why(
    request: pytest.FixtureRequest, tmp_path: Path, system: str, make: Maker, reason: Failure
) -> None:
    audiolift: Audiolift = request.getfixturevalue(system)
    user = audiolift.user()

    job = user.convert(make(tmp_path / "video.mp4"))

    why = {"code": reason.code, "title": reason.title, "detail": reason.detail, "hint": reason.hint or None}
    assert (job["state"], job["error"]) == ("failed", why)
    assert job_row(audiolift, job["id"])["attempts"] == 1
    user.wait_for_mails(1)
    (mail,) = mails(audiolift, user.email)
    assert reason.title in mail["Subject"]
    assert f"{reason.title}. {reason.detail}" in " ".join(plain(mail).split())


def test_what_is_too_long_is_not_converted(narrow: Audiolift, tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    source = ("-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono:d=3601")
    subprocess.run([media.ffmpeg(), "-v", "error", "-nostdin", *source, str(path)], check=True)

    job = narrow.user().convert(path)

    assert job["error"]["code"] == "too-long"
    assert job_row(narrow, job["id"])["attempts"] == 1


def test_a_job_is_followed_live_from_its_first_state_to_its_last(user: User, long_audio: Path) -> None:
    job_id = user.upload(long_audio, sample_rate=8000, channels=1)["id"]

    seen = follow(user, job_id)

    states = [job["state"] for _, job in seen]
    assert sorted(states, key=["queued", "converting", "done"].index) == states
    assert {"converting", "done"} <= set(states)
    assert len({number for number, _ in seen}) == len(seen)
    progress = [job["progress"] for _, job in seen]
    assert progress == sorted(progress)
    assert progress[-1] == 1
    assert seen[-1][1] == user.job(job_id)


def test_who_comes_back_sees_only_what_is_new(user: User, long_audio: Path) -> None:
    job_id = user.upload(long_audio)["id"]
    user.wait(job_id, "converting")
    with user.http.stream("GET", f"/v1/jobs/{job_id}/events") as response:
        first, _ = next(events(response.iter_lines()))
    user.http.post(f"/v1/jobs/{job_id}/cancel").raise_for_status()

    later = follow(user, job_id, after=first)

    assert [job["state"] for _, job in later][-1] == "cancelled"
    assert all(int(number) > int(first) for number, _ in later)
    assert follow(user, job_id, after=later[-1][0]) == []


def follow(user: User, job_id: str, after: str = "") -> list[tuple[str, dict[str, Any]]]:
    """The id and the job of every event, until the stream ends."""
    with user.http.stream("GET", f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": after}) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        return list(events(response.iter_lines()))


def events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "id":
            number = value
        elif name == "data":
            yield number, json.loads(value)


def tracks(path: Path, *tones: int) -> Path:
    """A video with one audio track for each tone, in Hz."""
    inputs = [word for tone in tones for word in ("-f", "lavfi", "-i", f"sine=frequency={tone}:duration=3")]
    maps = [word for number in range(len(tones)) for word in ("-map", str(number))]
    subprocess.run([media.ffmpeg(), "-v", "error", *inputs, *maps, "-c:a", "aac", str(path)], check=True)
    return path


def packets(path: Path) -> list[str]:
    """The checksum of every audio packet in a file."""
    command = [media.ffmpeg(), "-v", "error", "-i", str(path), "-map", "0:a", "-c", "copy", "-f", "framemd5", "-"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line.split(",")[5].strip() for line in lines if not line.startswith("#")]
