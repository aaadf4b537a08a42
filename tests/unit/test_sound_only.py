"""What the page sends of a video gives the same MP3 as all of it, to the byte; what looks wrong is sent whole."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from functions.shared.reasons import Failure
from tests import media
from tests.sound_only import sound_only
from tests.unit.conversions import conversion, probed

SECONDS = 6
# Pictures that do not compress well, and come out of order.
PICTURES = ["-f", "lavfi", "-i", f"testsrc2=size=640x360:rate=25:duration={SECONDS}"]
X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "40", "-pix_fmt", "yuv420p", "-strict", "-2"]
VP8 = ["-c:v", "libvpx", "-deadline", "realtime", "-b:v", "2M", "-g", "40"]
TWO = [
    *("-map", "0:v", "-map", "1:a", "-map", "1:a", "-filter:a:1", "volume=0.5"),
    *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu", "-metadata:s:a:1", "title=Zweite"),
    *("-disposition:a:0", "comment", "-disposition:a:1", "default"),
]


def sound(channels: int = 2, seconds: int = SECONDS) -> list[str]:
    tones = "|".join(f"0.2*sin(2*PI*({200 + 100 * channel}+20*t)*t)" for channel in range(channels))
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    return ["-f", "lavfi", "-i", f"aevalsrc={tones}:s=48000:d={seconds}:c={layout}"]


def flags(*words: str) -> list[str]:
    return ["-movflags", "".join(f"+{word}" for word in words)]


# Name → pictures, sound, and how they are encoded.
KINDS: dict[str, tuple[list[str], list[str], list[str]]] = {
    **{
        f"{codec}.{container}": (PICTURES, sound(), [*X264, "-c:a", codec])
        for container, codecs in {
            "mp4": "aac libopus flac libmp3lame ac3 eac3 alac dca mp2",
            "mov": "aac alac pcm_s16le pcm_s24be pcm_f32le pcm_mulaw adpcm_ima_qt",
            "mkv": "aac libopus flac libmp3lame ac3 eac3 alac dca mp2 pcm_s16le pcm_s24le libvorbis truehd tta wavpack "
            "wmav2",
        }.items()
        for codec in codecs.split()
    },
    "libopus.webm": (PICTURES, sound(), [*VP8, "-c:a", "libopus"]),
    "libvorbis.webm": (PICTURES, sound(), [*VP8, "-c:a", "libvorbis"]),
    "as-a-browser-records.webm": (PICTURES, sound(), [*VP8, "-c:a", "libopus", "-live", "1"]),
    "surround.mp4": (PICTURES, sound(6), [*X264, "-c:a", "aac"]),
    "surround-eac3.mp4": (PICTURES, sound(6), [*X264, "-c:a", "eac3"]),
    "surround-ac3.mkv": (PICTURES, sound(6), [*X264, "-c:a", "ac3"]),
    "mono.mp4": (PICTURES, sound(1), [*X264, "-c:a", "aac", "-ar", "22050"]),
    "index-first.mp4": (PICTURES, sound(), [*X264, "-c:a", "aac", *flags("faststart")]),
    "index-first.mkv": (PICTURES, sound(), [*X264, "-c:a", "aac", "-cues_to_front", "1"]),
    "fragments.mp4": (PICTURES, sound(), [*X264, "-c:a", "aac", *flags("frag_keyframe", "empty_moov")]),
    "fragments-of-their-own.mp4": (
        PICTURES,
        sound(),
        [*X264, "-c:a", "aac", *flags("frag_keyframe", "empty_moov", "default_base_moof")],
    ),
    "segments.mp4": (
        PICTURES,
        sound(),
        [*X264, "-c:a", "aac", *flags("frag_keyframe", "empty_moov", "global_sidx", "default_base_moof")],
    ),
    "dash.mp4": (PICTURES, sound(), [*X264, "-c:a", "aac", *flags("dash", "frag_keyframe", "empty_moov")]),
    **{
        f"{name}.{container}": (pictures, tones, [*X264, "-c:a", "aac"])
        for container in ("mp4", "mkv")
        for name, pictures, tones in (
            ("late", PICTURES, ["-itsoffset", "1.5", *sound()]),
            ("early", ["-itsoffset", "1.5", *PICTURES], sound()),
            ("ends-early", PICTURES, sound(seconds=2)),
        )
    },
    "two-tracks.mp4": (PICTURES, sound(), [*X264, *TWO, "-c:a", "aac"]),
    "two-tracks.mkv": (PICTURES, sound(), [*X264, *TWO, "-c:a:0", "aac", "-c:a:1", "libopus"]),
    "only-keyframes.mkv": (PICTURES, sound(), [*X264, "-g", "1", "-c:a", "aac"]),
    "mpeg4.mkv": (PICTURES, sound(), ["-c:v", "mpeg4", "-b:v", "2M", "-c:a", "aac"]),
    **{
        f"{codec}.{container}": (PICTURES, sound(), [*arguments, "-c:a", codec])
        for container, arguments, codecs in (
            ("ts", X264, "aac ac3 eac3 libmp3lame mp2 libopus dca"),
            ("m2ts", X264, "aac ac3 pcm_bluray"),
            ("flv", X264, "aac"),
            ("avi", ["-c:v", "mpeg4", "-b:v", "3M", "-bf", "1"], "libmp3lame ac3 mp2 aac pcm_s16le adpcm_ms"),
        )
        for codec in codecs.split()
    },
    "mpeg2.ts": (PICTURES, sound(), ["-c:v", "mpeg2video", "-b:v", "3M", "-c:a", "mp2"]),
    "h265.ts": (
        PICTURES,
        sound(),
        ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", "-b:v", "3M", "-c:a", "aac"],
    ),
    "old.flv": (PICTURES, sound(), ["-c:v", "flv", "-b:v", "2M", "-ar", "44100", "-c:a", "libmp3lame"]),
    "speex.flv": (PICTURES, sound(1), ["-c:v", "flv", "-b:v", "2M", "-ar", "16000", "-c:a", "libspeex"]),
    "keyframes.flv": (PICTURES, sound(), [*X264, "-c:a", "aac", "-flvflags", "add_keyframe_index"]),
    **{
        f"{name}.{container}": (pictures, tones, [*X264, "-c:a", "aac"])
        for container in ("ts", "flv")
        for name, pictures, tones in (
            ("late", PICTURES, ["-itsoffset", "1.5", *sound()]),
            ("early", ["-itsoffset", "1.5", *PICTURES], sound()),
            ("ends-early", PICTURES, sound(seconds=2)),
        )
    },
}
# What goes whole, and why.
WHOLE: dict[str, tuple[list[str], list[str], list[str]]] = {
    # It would be found where it was not looked for.
    "sound-after-five-seconds.mkv": (PICTURES, ["-itsoffset", "5.5", *sound()], [*X264, "-c:a", "aac"]),
    # Some of its fragments begin before the one before has ended.
    "fragment-for-each-picture.mp4": (
        PICTURES,
        sound(),
        [*X264, "-c:a", "aac", *flags("frag_every_frame", "empty_moov")],
    ),
    "sound-after-five-seconds.ts": (PICTURES, ["-itsoffset", "5.5", *sound()], [*X264, "-c:a", "aac"]),
    # Where each of several tracks has sound would be looked for in other places.
    "two-tracks.ts": (PICTURES, sound(), [*X264, *TWO, "-c:a", "aac"]),
    "two-tracks.avi": (PICTURES, sound(), ["-c:v", "mpeg4", "-b:v", "3M", *TWO, "-c:a", "libmp3lame"]),
    # Not in the table.
    "old.asf": (PICTURES, sound(), ["-c:v", "wmv2", "-b:v", "2M", "-c:a", "wmav2"]),
    "program.mpg": (PICTURES, sound(), ["-c:v", "mpeg2video", "-b:v", "3M", "-c:a", "mp2"]),
    # Nothing would be saved.
    "music.m4a": ([], sound(), ["-c:a", "aac"]),
    "loud.mkv": (PICTURES, sound(6), ["-c:v", "mpeg4", "-b:v", "100k", "-c:a", "pcm_s24le"]),
    # There is nothing to take out.
    "silent.mp4": (PICTURES, [], X264),
    "silent.mkv": (PICTURES, [], X264),
}
# One of each way to say what lies where.
DAMAGED = [
    *("aac.mp4", "index-first.mp4", "pcm_s16le.mov", "two-tracks.mp4", "fragments.mp4", "segments.mp4", "dash.mp4"),
    *("aac.mkv", "as-a-browser-records.webm", "two-tracks.mkv"),
    *("aac.ts", "ac3.m2ts", "aac.flv", "libmp3lame.avi"),
]
Kinds = dict[str, tuple[Path, Path | None]]  # a video, and what is sent instead of it
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "two-tracks.mp4": [{"track": 0}, {"tracks": "mix"}, {"language": "de"}],
    "two-tracks.mkv": [{"track": 1}, {"tracks": "mix"}, {"language": "en"}],
    "late.mp4": [{"timeline": "sound"}, {"start": 1.0, "end": 3.0}],
    "early.mkv": [{"trim_silence": True}, {"loudness": -16.0}],
    **{
        name: [{"start": 1.0, "end": 3.0}, {"timeline": "sound"}]
        for name in ("aac.ts", "late.ts", "ac3.m2ts", "late.flv", "keyframes.flv", "libmp3lame.avi", "pcm_s16le.avi")
    },
}


def ffmpeg(*words: str) -> None:
    subprocess.run([media.ffmpeg(), "-v", "error", "-nostdin", "-y", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Kinds:
    """Each kind, and what is sent instead of it."""
    folder = tmp_path_factory.mktemp("kinds")
    for name, inputs in (KINDS | WHOLE).items():
        ffmpeg(*(word for part in inputs for word in part), str(folder / name))
    _add_described(folder)
    videos = sorted(folder.iterdir())
    return {video.name: (video, sent) for video, sent in zip(videos, sound_only(*videos), strict=True)}


DESCRIBED = ("described.mp4", "described.mov", "described.mkv", "cut-by-an-edit-list.mp4", "before-zero.mp4")
CHAPTERS = """;FFMETADATA1
title=Ein Titel
artist=Jemand
[CHAPTER]
TIMEBASE=1/1000
START=0
END=2000
title=Eins
[CHAPTER]
TIMEBASE=1/1000
START=2000
END=6000
title=Zwei
"""


def _add_described(folder: Path) -> None:
    """Tags, chapters and a cover; and parts that begin between two keyframes."""
    texts, cover, plain = folder / "texts", folder / "cover.jpg", str(folder / "aac.mp4")
    texts.write_text(CHAPTERS)
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=300x300", "-frames:v", "1", str(cover))
    begin = ["-i", plain, "-f", "ffmetadata", "-i", str(texts), "-map_metadata", "1", "-map", "0", "-c", "copy"]
    ffmpeg(*begin, str(folder / "described.mov"))
    ffmpeg(*begin, "-attach", str(cover), "-metadata:s:t", "mimetype=image/jpeg", str(folder / "described.mkv"))
    covered = [*begin[:6], "-i", str(cover), *begin[6:], "-map", "2", "-disposition:v:1", "attached_pic"]
    ffmpeg(*covered, str(folder / "described.mp4"))
    ffmpeg("-ss", "0.7", "-i", plain, "-c", "copy", str(folder / "cut-by-an-edit-list.mp4"))
    early = ["-avoid_negative_ts", "disabled", "-movflags", "negative_cts_offsets"]
    ffmpeg("-ss", "0.7", "-i", plain, "-c", "copy", *early, str(folder / "before-zero.mp4"))
    texts.unlink()
    cover.unlink()


def outcome(video: Path, options: dict[str, Any] | None = None) -> tuple[Any, ...]:
    """All that a conversion gives: MP3s and warnings, or why it fails."""
    try:
        made = conversion(video, options or {})
    except Failure as failure:
        return (*failure.args,)
    return made.files, made.warnings


@pytest.mark.parametrize("name", [*KINDS, *DESCRIBED])
def test_the_mp3_is_the_same_to_the_byte(made: Kinds, name: str) -> None:
    video, sent = made[name]
    assert sent, "it is sent whole"
    assert sent.stat().st_size < 0.8 * video.stat().st_size
    assert probed(sent) == probed(video)
    for options in ({}, *OPTIONS.get(name, [])):
        assert outcome(sent, options) == outcome(video, options)
        assert outcome(sent, options)[0]


def test_chapters_make_the_same_files(made: Kinds) -> None:
    for name in DESCRIBED[:3]:
        video, sent = made[name]
        assert sent
        files = outcome(sent, {"chapters": "split"})[0]
        assert len(files) == 2
        assert files == outcome(video, {"chapters": "split"})[0]


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_not_in_the_table_is_sent_whole(made: Kinds, name: str) -> None:
    assert made[name][1] is None


def test_no_more_is_sent_than_the_sound_and_its_index(tmp_path: Path) -> None:
    """By how large the same sound is alone, in a file that ffmpeg writes."""
    pictures, tones = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=120"], sound(seconds=120)
    for name, arguments in {"a.mp4": [], "b.mkv": [], "c.mp4": flags("frag_keyframe", "empty_moov")}.items():
        video, alone = tmp_path / name, tmp_path / f"alone-{name}"
        ffmpeg(*pictures, *tones, *X264, "-c:a", "aac", "-b:a", "128k", *arguments, str(video))
        ffmpeg("-i", str(video), "-map", "0:a", "-c", "copy", *arguments, str(alone))
        (sent,) = sound_only(video)
        assert sent
        assert sent.stat().st_size < 1.05 * alone.stat().st_size


@pytest.mark.parametrize("name", DAMAGED)
def test_whatever_is_damaged_ends_as_it_would_have(made: Kinds, name: str, tmp_path: Path) -> None:
    """Cut off, with bytes changed, with a part missing: the same MP3, warning or failure as of the whole file."""
    whole, chance = made[name][0].read_bytes(), random.Random(name)
    damaged = [_damaged(whole, chance, number, tmp_path / f"{number}-{name}") for number in range(12)]
    for video, sent in zip(damaged, sound_only(*damaged), strict=True):
        if sent:
            assert outcome(sent) == outcome(video)


def _damaged(whole: bytes, chance: random.Random, number: int, path: Path) -> Path:
    data, at = bytearray(whole), chance.randrange(100, len(whole))
    match number % 3:
        case 0:
            del data[at:]
        case 1:
            for place in (at, chance.randrange(2000), len(data) - 1 - chance.randrange(2000)):
                data[place] = chance.randrange(256)
        case 2:
            del data[at : at + chance.randrange(1, 20_000)]
    path.write_bytes(data)
    return path


def test_a_file_that_is_cut_off_is_always_sent_whole(made: Kinds, tmp_path: Path) -> None:
    cut = []
    for name in ("index-first.mp4", "aac.mkv", "fragments.mp4", "libopus.webm", "aac.flv", "libmp3lame.avi"):
        whole = made[name][0].read_bytes()
        for share in (0.3, 0.6, 0.95):
            cut.append(tmp_path / f"{share}-{name}")
            cut[-1].write_bytes(whole[: int(share * len(whole))])
    # Where a browser's recording or a file in fragments was cut between two pieces, nobody can know.
    assert sound_only(*cut) == [None] * len(cut)


def test_two_files_joined_end_to_end_are_sent_whole(made: Kinds, tmp_path: Path) -> None:
    joined = []
    for name in ("aac.mp4", "aac.mkv", "fragments.mp4", "aac.flv", "libmp3lame.avi"):
        joined.append(tmp_path / name)
        joined[-1].write_bytes(made[name][0].read_bytes() * 2)
    assert sound_only(*joined) == [None] * len(joined)


def test_pictures_that_are_put_together_of_parts_are_sent_whole(made: Kinds, tmp_path: Path) -> None:
    """A second entry in the edit list of the pictures, at the first of all tracks."""
    data = bytearray(made["aac.mp4"][0].read_bytes())
    edits = data.index(b"elst") - 4
    count = edits + 12
    end = edits + int.from_bytes(data[edits : edits + 4])
    data[end:end] = data[end - 12 : end]
    data[count : count + 4] = (int.from_bytes(data[count : count + 4]) + 1).to_bytes(4)
    for kind in (b"moov", b"trak", b"edts", b"elst"):
        at = data.index(kind) - 4
        data[at : at + 4] = (int.from_bytes(data[at : at + 4]) + 12).to_bytes(4)
    (tmp_path / "parts.mp4").write_bytes(data)
    assert data.index(b"moov") > data.index(b"mdat"), "what lies behind the index has moved"
    assert outcome(tmp_path / "parts.mp4")[0]
    assert sound_only(tmp_path / "parts.mp4") == [None]


def test_what_is_no_video_is_sent_whole(tmp_path: Path) -> None:
    files = {"empty": b"", "text.mp4": b"text, text", "zeros.mkv": bytes(100_000), "one": b"\x1a\x45\xdf\xa3"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    assert sound_only(*(tmp_path / name for name in files)) == [None] * len(files)


def test_the_module_needs_no_page(made: Kinds, tmp_path: Path) -> None:
    shutil.copy(made["aac.mp4"][0], tmp_path / "x.mp4")
    assert sound_only(tmp_path / "x.mp4") == [tmp_path / "sound-of-x.mp4"]
