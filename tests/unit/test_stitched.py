"""conversion/tracks/stitched.py: MP3s joined end to end, with the tags and header frames of each in between."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from functions.convert.conversion.containers.mp3_tags import first_tag
from functions.convert.conversion.mpeg.frames import offsets
from tests import media
from tests.unit.conversions import conversion
from tests.unit.endings import RATE, Ended, ended, ffmpeg

HERTZ = (440, 880, 660)
SECONDS = 4
FRAME = 1152 / RATE
# What an encoder puts around the sound of each part: two frames at most.
AROUND = 2 * FRAME
VBR, CBR = ("-q:a", "4"), ("-b:a", "128k")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stitched")


def part(directory: Path, hertz: int, *words: str, seconds: float = SECONDS, rate: int = RATE) -> bytes:
    """A tone; its ID3 tag and its header are as the words say."""
    tone = ("-f", "lavfi", "-i", f"sine={hertz}:sample_rate={rate}:duration={seconds}")
    path = directory / ("_".join((*words, str(hertz), str(seconds), str(rate))) + ".mp3")
    return (path if path.exists() else ffmpeg(path, *tone, "-c:a", "libmp3lame", *words)).read_bytes()


def parts(directory: Path, *words: str) -> list[bytes]:
    return [part(directory, hertz, *words) for hertz in HERTZ]


def frames_in(data: bytes) -> int:
    return len(list(offsets(data)))


def id3(content: bytes) -> bytes:
    """An ID3v2.3 tag with one frame of a picture."""
    frame = b"APIC" + len(content).to_bytes(4, "big") + bytes(2) + content
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + size + frame


def ape(*, header: bool) -> bytes:
    """An APEv2 tag with a text, which is longer than a frame."""
    item = (3000).to_bytes(4, "little") + bytes(4) + b"Comment\0" + b"x" * 3000

    def mark(flags: int) -> bytes:
        numbers = (2000, len(item) + 32, 1, flags)
        return b"APETAGEX" + b"".join(number.to_bytes(4, "little") for number in numbers) + bytes(8)

    return (mark(0xA0000000) if header else b"") + item + mark(0x80000000 if header else 0)


def lyrics(version: int) -> bytes:
    """A Lyrics3 tag, which is longer than a frame."""
    if version == 1:
        return b"LYRICSBEGIN" + b"[00:01]la la\r\n" * 200 + b"LYRICSEND"
    body = b"LYRICSBEGIN" + b"IND0000210" + b"LYR03000" + b"x" * 3000
    return body + b"%06d" % len(body) + b"LYRICS200"


def like_frames(size: int) -> bytes:
    """Noise with a header of a frame every 300 bytes, as it may be in a picture."""
    data = bytearray(np.random.default_rng(5).integers(0, 256, size, dtype=np.uint8).tobytes())
    for at in range(0, size - 4, 300):
        data[at : at + 4] = b"\xff\xfb\x90\x64"
    return bytes(data)


BARE = ("-id3v2_version", "0", "-write_xing", "0")
HEADED = ("-id3v2_version", "0")
TAGGED = ("-id3v2_version", "3", "-write_id3v1", "1", "-metadata", "title=Part", "-metadata", "artist=Someone")
TITLE = id3(b"title")
# Name → how a part is encoded, and what lies behind each.
BETWEEN = {
    "tags-and-headers": (TAGGED, b""),
    "headers": (HEADED, b""),
    "id3v1": (BARE, b"TAG" + b"title".ljust(125, b"\0")),
    "id3v2": (BARE, TITLE),
    "a-picture": (BARE, id3(like_frames(60_000))),
    "ape": (BARE, ape(header=True)),
    "ape-without-header": (BARE, ape(header=False)),
    "ape-and-both-id3": (HEADED, ape(header=True) + b"TAG" + bytes(125) + id3(like_frames(5000))),
    "two-tags": (HEADED, TITLE + TITLE),
    "lyrics": (HEADED, lyrics(1) + b"TAG" + bytes(125)),
    "lyrics-and-ape": (BARE, ape(header=True) + lyrics(2) + b"TAG" + bytes(125) + TITLE),
}


def whole(heard: Ended) -> None:
    """Each part in its place, with nothing between them but what encoders put there, and no click."""
    assert (heard.code, heard.codes) == ("done", [])
    assert heard.seconds + FRAME >= 3 * SECONDS
    assert heard.seconds <= 3 * (SECONDS + AROUND)
    assert heard.tones(0.5, 3.5, 4.7, 7.5, 8.7, 11.5) == [440, 440, 880, 880, 660, 660]
    # A tone of FFmpeg has an amplitude of an eighth.
    assert np.abs(heard.samples()).max() < 0.16


@pytest.mark.parametrize("words", [VBR, CBR], ids=["vbr", "cbr"])
@pytest.mark.parametrize("name", BETWEEN)
def test_tags_and_headers_between_parts_are_no_sound(directory: Path, name: str, words: tuple[str, ...]) -> None:
    made, after = BETWEEN[name]
    data = b"".join(each + after for each in parts(directory, *words, *made))
    sound = sum(frames_in(each) for each in parts(directory, *words, *BARE))
    copied = ended(data)
    whole(copied)
    assert not copied.restarted
    # All frames of sound, without the delay that the first part states, and that of FFmpeg's decoder.
    assert copied.seconds == pytest.approx(sound * FRAME, abs=AROUND)
    whole(ended(data, {"bitrate": 128}))


@pytest.mark.parametrize("name", BETWEEN)
def test_the_copy_has_the_frames_of_the_parts_and_no_other(directory: Path, name: str) -> None:
    made, after = BETWEEN[name]
    sound = b"".join(parts(directory, *CBR, *BARE))
    data = b"".join(each + after for each in parts(directory, *CBR, *made))
    assert ended(data).mp3.endswith(sound)


def plain(path: Path) -> float:
    """How many seconds the ffmpeg command decodes of a file."""
    words = [media.ffmpeg(), "-v", "quiet", "-i", str(path), "-ac", "1", "-ar", str(RATE), "-f", "f32le", "-"]
    return len(subprocess.run(words, check=False, capture_output=True).stdout) / 4 / RATE


def test_plain_ffmpeg_has_the_header_frames_as_silence(directory: Path) -> None:
    path = directory / "plain.mp3"
    path.write_bytes(b"".join(parts(directory, *CBR, *HEADED)))
    assert plain(path) == pytest.approx(ended(path).seconds + 2 * FRAME, abs=0.001)


def test_many_parts_do_not_make_a_hole(directory: Path) -> None:
    """Forty header frames are a second: more than the clock passes over."""
    data = part(directory, 440, *CBR, *HEADED, seconds=1) * 40
    sound = frames_in(part(directory, 440, *CBR, *BARE, seconds=1)) * 40 * FRAME
    for options in ({}, {"bitrate": 128}):
        found = ended(data, options)
        assert (found.code, found.codes) == ("done", [])
        assert found.seconds == pytest.approx(sound, abs=AROUND)


def test_parts_of_another_rate_are_encoded_with_the_tags_left_out(directory: Path) -> None:
    data = part(directory, 440, *CBR, *TAGGED) + part(directory, 880, *CBR, *TAGGED, rate=48000)
    found = ended(data)
    assert (found.code, found.codes, found.restarted) == ("done", [], True)
    assert found.seconds == pytest.approx(2 * SECONDS, abs=2 * AROUND)
    assert found.tones(0.5, 3.5, 4.7, 7.5) == [440, 440, 880, 880]


def test_a_part_that_was_cut_off_costs_no_more_than_its_last_frame(directory: Path) -> None:
    first, second = part(directory, 440, *CBR, *BARE)[:-200], part(directory, 880, *CBR, *TAGGED)
    found = ended(first + second)
    assert (found.code, found.tones(0.5, 3.5, 4.7, 7.5)) == ("done", [440, 440, 880, 880])
    assert found.seconds == pytest.approx(2 * SECONDS, abs=2 * AROUND)
    assert np.abs(found.samples()).max() < 0.16


def test_it_is_resumed_to_the_same_bytes(directory: Path) -> None:
    path = directory / "resumed.mp3"
    path.write_bytes(b"".join(each + ape(header=True) for each in parts(directory, *VBR, *TAGGED)) * 8)
    once = conversion(path, {"bitrate": 64})
    assert len(once.checkpoints) > 2
    for frames, state in once.checkpoints:
        resumed = conversion(path, {"bitrate": 64}, frames, json.loads(json.dumps(state)))
        assert (resumed.mp3, resumed.warnings) == (once.mp3, [])


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", None),
        (b"\xff\xfb" + bytes(400), None),
        (TITLE, (0, len(TITLE))),
        (b"12345" + TITLE + b"67", (5, 5 + len(TITLE))),
        (b"ID3\x03\x00\x00\x00\x00\x01\x00", (0, 138)),
        (b"ID3\x03\x00\x00\x00\x00\x80\x00", None),
        (b"ID3\x04\x00\x10\x00\x00\x00\x05", (0, 25)),
        (b"TAG", (0, 128)),
        (b"xTAG", None),
        (b"xx" + ape(header=True), (2, 2 + len(ape(header=True)))),
        (b"xx" + ape(header=False), (2, 2 + len(ape(header=False)))),
        (ape(header=False)[-32:], (0, 32)),
        (b"xx" + lyrics(1) + b"yy", (2, 2 + len(lyrics(1)))),
        (lyrics(2) + b"TAG", (0, len(lyrics(2)))),
        (lyrics(2)[:-3], (0, None)),
    ],
)
def test_a_tag_is_known_by_its_head(data: bytes, found: tuple[int, int | None] | None) -> None:
    assert first_tag(data) == found
