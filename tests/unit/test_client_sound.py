"""The client takes the sound out of a video only where the MP3 stays the same: all kinds of file, both ways."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from functions.shared.reasons import Failure
from knative.client.sound import take_out
from tests import media
from tests.unit.conversions import conversion

X264 = ["-c:v", "libx264", "-bf", "3"]
# Name → how it is made. From all of these the sound is taken out.
TAKEN = {
    "aac.mp4": [*X264, "-c:a", "aac", "-metadata", "title=Übung", "-metadata", "artist=Anna"],
    "faststart.mp4": [*X264, "-c:a", "aac", "-movflags", "+faststart"],
    "mono.mp4": [*X264, "-c:a", "aac", "-ar", "22050", "-ac", "1"],
    "surround.mp4": [*X264, "-c:a", "aac", "-ac", "6"],
    "ac3.mp4": [*X264, "-c:a", "ac3"],
    "mp3.mp4": [*X264, "-c:a", "libmp3lame"],
    "opus.mp4": [*X264, "-c:a", "libopus"],
    "alac.mov": [*X264, "-c:a", "alac", "-b:v", "4M"],
    "h265.mp4": ["-c:v", "libx265", "-x265-params", "log-level=none", "-c:a", "aac"],
    "aac.mov": [*X264, "-c:a", "aac"],
    "alaw.mov": [*X264, "-c:a", "pcm_alaw", "-b:v", "4M"],
    "aac.mkv": [*X264, "-c:a", "aac", "-metadata:s:a:0", "language=deu"],
    "opus.mkv": [*X264, "-c:a", "libopus"],
    "vorbis.mkv": [*X264, "-c:a", "libvorbis"],
    "eac3.mkv": [*X264, "-c:a", "eac3"],
    "opus.webm": ["-c:v", "libvpx", "-b:v", "2M", "-c:a", "libopus"],
    "vorbis.webm": ["-c:v", "libvpx", "-b:v", "2M", "-c:a", "libvorbis"],
    "aac.ts": [*X264, "-c:a", "aac"],
    "ac3.ts": [*X264, "-c:a", "ac3"],
    "mp2.ts": ["-c:v", "mpeg2video", "-b:v", "4M", "-c:a", "mp2"],
    "mp3.avi": ["-c:v", "mpeg4", "-b:v", "2M", "-c:a", "libmp3lame"],
    "pcm.avi": ["-c:v", "mpeg4", "-b:v", "8M", "-c:a", "pcm_s16le"],
    "aac.flv": [*X264, "-c:a", "aac"],
}
# … and from these not: there is nothing to leave at home, or the client does not know how, or not for certain.
WHOLE = {
    "audio-only.m4a": ["-vn", "-c:a", "aac"],
    "silent.mp4": [*X264, "-an"],
    "mostly-sound.mov": [*X264, "-b:v", "50k", "-c:a", "pcm_s16le"],
    "fragmented.mp4": [*X264, "-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov"],
    "speex.flv": ["-c:v", "flv", "-b:v", "2M", "-ar", "16000", "-ac", "1", "-c:a", "libspeex"],
    "wma.asf": ["-c:v", "wmv2", "-b:v", "2M", "-c:a", "wmav2"],
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sound")


@pytest.mark.parametrize("name", TAKEN)
def test_the_mp3_of_the_sound_is_that_of_the_video(name: str, files: Path) -> None:
    video = media.chirp(files / name, *TAKEN[name], seconds=6)

    check_taken(video)


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_not_known_for_certain_is_sent_whole(name: str, files: Path) -> None:
    video = media.chirp(files / name, *WHOLE[name], seconds=6)

    check_whole(video)


def test_chapters_and_tags_go_along(files: Path, tmp_path: Path) -> None:
    told = tmp_path / "told.txt"
    told.write_text(
        ";FFMETADATA1\ntitle=Two talks\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=2500\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=2500\nEND=6000\ntitle=Two\n",
        encoding="utf-8",
    )
    for name in ("aac.mp4", "aac.mkv"):
        video = remade(simple(files), f"told-{name}", "-i", str(told), "-map_metadata", "1", "-map_chapters", "1")

        assert len(conversion(check_taken(video, chapters="split"), {"chapters": "split"}).files) == 2


def test_a_cover_goes_along(files: Path, tmp_path: Path) -> None:
    picture = tmp_path / "cover.jpg"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", picture)
    video = remade(
        simple(files), "cover.mp4", "-i", str(picture), "-map", "0", "-map", "1", "-disposition:v:1", "attached_pic"
    )

    assert b"APIC" in conversion(check_taken(video), {}).mp3[:4096]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_all_tracks_go_along_with_languages_and_default(files: Path, suffix: str) -> None:
    words = ["-map", "0", "-map", "0:a", "-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=eng"]
    video = remade(simple(files), f"two.{suffix}", *words, "-disposition:a:0", "0", "-disposition:a:1", "default")

    check_taken(video, language="en")


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("seconds", ["0.0417", "3.0217", "-1.5"])
def test_sound_that_begins_with_another_time_stays_there(files: Path, suffix: str, seconds: str) -> None:
    video = files / f"shifted{seconds}.{suffix}"
    ffmpeg(
        "-itsoffset",
        seconds,
        "-i",
        simple(files),
        "-i",
        simple(files),
        "-map",
        "0:a",
        "-map",
        "1:v",
        "-c",
        "copy",
        video,
    )

    check_same(video)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_video_that_was_cut_out_of_another_stays_so(files: Path, suffix: str) -> None:
    check_same(remade(simple(files), f"from-the-middle.{suffix}", before=["-ss", "2.3"]))


@pytest.mark.parametrize("name", ["aac.mp4", "aac.mkv", "opus.webm", "aac.ts", "mp3.avi", "aac.flv"])
def test_what_is_cut_off_is_sent_whole_or_is_the_same(files: Path, name: str) -> None:
    whole = media.chirp(files / f"cut-{name}", *TAKEN[name], seconds=6).read_bytes()
    for share in (0.3, 0.9, 0.999):
        video = files / f"{share}-{name}"
        video.write_bytes(whole[: int(len(whole) * share)])
        check_same(video)


def test_what_follows_is_sent_along(files: Path) -> None:
    for one, two in (("mp4", "mp4"), ("mkv", "mkv"), ("mp4", "mkv")):
        video = files / f"joined.{one}.{two}.{one}"
        video.write_bytes(
            remade(simple(files), f"a.{one}").read_bytes() + remade(simple(files), f"b.{two}").read_bytes()
        )
        check_whole(video)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["mp4", "mkv", "ts", "flv"]),
    st.lists(st.integers(0, 2**31), min_size=1, max_size=20),
    st.binary(min_size=1, max_size=4),
)
@example("mp4", [0], b"\0")
def test_what_is_damaged_is_sent_whole_or_is_the_same(
    files: Path, suffix: str, places: list[int], wrong: bytes
) -> None:
    data = bytearray(remade(simple(files), f"sound.{suffix}").read_bytes())
    for place in places:
        at = place % len(data)
        data[at : at + len(wrong)] = wrong
    video = files / f"damaged.{suffix}"
    video.write_bytes(data)

    check_same(video)


def test_the_same_video_gives_the_same_bytes_again(files: Path, tmp_path: Path) -> None:
    for suffix in ("mp4", "mkv", "ts"):
        video = remade(simple(files), f"again.{suffix}")
        first, second = tmp_path / "first", tmp_path / "second"
        assert take_out(video, first)
        assert take_out(video, second)
        assert first.read_bytes() == second.read_bytes()


def test_progress_is_told(files: Path, tmp_path: Path) -> None:
    told: list[float] = []
    assert take_out(simple(files), tmp_path / "out", told.append)
    assert told == sorted(told)
    assert 0 <= told[0] < 0.2 < 0.8 < told[-1] <= 1


def simple(files: Path) -> Path:
    """A video as most are."""
    path = files / "simple.mp4"
    return path if path.exists() else media.chirp(path, *TAKEN["aac.mp4"], seconds=6)


def remade(video: Path, name: str, *words: str, before: Sequence[str] = ()) -> Path:
    """The same packets, put together anew."""
    path = video.with_name(name)
    ffmpeg(*before, "-i", video, *words, "-c", "copy", path)
    return path


def ffmpeg(*words: object) -> None:
    command = [media.ffmpeg(), "-v", "error", "-nostdin", "-y", *map(str, words)]
    subprocess.run(command, check=True, capture_output=True)


def check_taken(video: Path, **options: object) -> Path:
    """The sound is taken out, is smaller, and makes the same MP3. Gives the file with it."""
    sound = video.with_name(f"sound-of-{video.name}")
    assert take_out(video, sound)
    assert sound.stat().st_size < 0.8 * video.stat().st_size
    assert made(sound, options) == made(video, options)
    return sound


def check_whole(video: Path) -> None:
    """It is sent whole, and nothing is left behind."""
    sound = video.with_name(f"sound-of-{video.name}")
    assert not take_out(video, sound)
    assert not sound.exists()


def check_same(video: Path) -> None:
    """It is sent whole, or its sound makes the same MP3."""
    sound = video.with_name(f"sound-of-{video.name}")
    if take_out(video, sound):
        assert made(sound, {}) == made(video, {})


def made(video: Path, options: dict[str, object]) -> object:
    """What comes of a file: the MP3 with what there is to know about it, or why there is none."""
    try:
        found = conversion(video, options)
    except Failure as failure:
        return failure.code, failure.hint
    return found.files, found.warnings
