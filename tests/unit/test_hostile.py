"""Files that want to be more than a video: none brings another file's sound, none ends in anything but a verdict."""

from __future__ import annotations

import random
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from functions.convert import plain, plain_probe
from functions.convert.plain_mend import Input
from functions.convert.sandbox.nursery import Nursery
from functions.shared.reasons import REASONS, Failure
from tests import media as samples
from tests.hostile.broken import dislocated
from tests.unit.bytes_source import Bytes

SECRET_HZ, TONE_HZ = 3000, 440

HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n"
MPD = (
    "<?xml version='1.0'?>\n<MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static' mediaPresentationDuration='PT2S' "
    "profiles='urn:mpeg:dash:profile:isoff-on-demand:2011'><Period><AdaptationSet mimeType='audio/wav'>"
    "<Representation id='1' bandwidth='1'><BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>"
)
# What names another file, or is a program for FFmpeg, in each of its forms. {target} is the file with the secret.
LISTS = {
    "ffconcat": "ffconcat version 1.0\nfile '{target}'\n",
    "ffconcat with options": "ffconcat version 1.0\nfile '{target}'\noption safe 0\n",
    "ffconcat after a byte order mark": "\ufeffffconcat version 1.0\nfile '{target}'\n",
    "hls": HLS,
    "hls after empty lines": "\n\n" + HLS,
    "hls of another list": HLS.replace("{target}", "file:{target}.m3u8"),
    "hls by concat:": HLS.replace("{target}", "concat:{target}|{target}"),
    "hls by subfile:": HLS.replace("{target}", "subfile,,start,0,end,999999,,:{target}"),
    "hls by data:": HLS.replace("{target}", "data:audio/wav;base64,UklGRg=="),
    "hls with a key": HLS.replace("#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF'),
    "hls with a map": HLS.replace("#EXTINF", '#EXT-X-MAP:URI="{target}"\n#EXTINF'),
    "m3u": "#EXTM3U\n#EXTINF:9,\n{target}\n",
    "dash": MPD,
    "dash without its first line": MPD.partition("\n")[2],
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    "pls": "[playlist]\nFile1={target}\nNumberOfEntries=1\n",
    "asx": "<asx version='3.0'><entry><ref href='{target}'/></entry></asx>",
    "smil": "<smil><body><audio src='{target}'/></body></smil>",
    "reference": "[Reference]\nRef1=file://{target}\n",
    "rtsp": "RTSPtextrtsp://127.0.0.1/x",
    "data:": "data:audio/wav;base64,UklGRg==",
    "an address": "file:{target}\n",
}
# What FFmpeg does not know by its content, and must not by its name.
SCRIPTS = {
    "lavfi": "sine=frequency=3000:duration=2",
    "lavfi that reads": "amovie={target}",
    "tags": ";FFMETADATA1\ntitle=x\n",
    "subtitles": "1\n00:00:00,000 --> 00:00:01,000\nHello\n",
    "script": "#!/bin/sh\ncat {target}\n",
}
NAMES = ["talk.mp4", "talk.m3u8", "talk%03d.png"]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that lies beside the others, with another tone."""
    path = tmp_path_factory.mktemp("secret") / "secret.wav"
    ffmpeg("-f", "lavfi", "-i", f"sine={SECRET_HZ}:duration=2", path)
    Path(f"{path}.m3u8").write_text(HLS.format(target=path))
    return path


@pytest.fixture
def room(tmp_path: Path) -> Path:
    (tmp_path / "room").mkdir()
    return tmp_path / "room"


@pytest.mark.parametrize("content", LISTS.values(), ids=LISTS)
def test_the_engine_refuses_what_names_other_files(nursery: Nursery, secret: Path, content: str) -> None:
    for target in (str(secret), "secret.wav"):
        assert verdict(nursery, content.replace("{target}", target).encode()) == "refused-format"


@pytest.mark.parametrize("content", SCRIPTS.values(), ids=SCRIPTS)
def test_the_engine_takes_no_script_for_a_video(nursery: Nursery, secret: Path, content: str) -> None:
    said = verdict(nursery, content.replace("{target}", str(secret)).encode())
    assert said in ("refused-format", "not-media", "no-audio")


@pytest.mark.parametrize("form", ["png", "jpg", "gif", "bmp", "tiff", "webp"])
def test_the_engine_takes_no_picture(nursery: Nursery, tmp_path: Path, form: str) -> None:
    path = tmp_path / f"x.{form}"
    if form == "webp":
        path.write_bytes(b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0")
    else:
        ffmpeg("-f", "lavfi", "-i", "testsrc=size=16x16:duration=0.04", "-frames:v", "1", path)
    assert verdict(nursery, path.read_bytes()) == "not-media"


@pytest.mark.parametrize("content", [*LISTS.values(), *SCRIPTS.values()], ids=[*LISTS, *SCRIPTS])
@pytest.mark.parametrize("name", NAMES)
def test_plain_ffmpeg_never_brings_the_sound_of_another_file(
    tmp_path: Path, room: Path, secret: Path, name: str, content: str
) -> None:
    refused_by_ffmpeg(tmp_path / name, room, content.replace("{target}", str(secret)))


@pytest.mark.parametrize("content", [*LISTS.values(), *SCRIPTS.values()], ids=[*LISTS, *SCRIPTS])
def test_nor_does_the_one_that_is_carried(
    tmp_path: Path, room: Path, secret: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_probe, "ffmpeg", imageio_ffmpeg.get_ffmpeg_exe)
    refused_by_ffmpeg(tmp_path / "talk.mp4", room, content.replace("{target}", str(secret)))


def test_without_guards_ffmpeg_would_bring_it(tmp_path: Path, secret: Path) -> None:
    """Else the tests above prove nothing."""
    video = secret.with_name("talk.mp4")
    video.write_text("ffconcat version 1.0\nfile 'secret.wav'\n")
    ffmpeg("-i", video, tmp_path / "x.mp3")
    assert samples.tone((tmp_path / "x.mp3").read_bytes()) == pytest.approx(SECRET_HZ, abs=2)


def test_a_mov_whose_sound_lies_in_another_file_does_not_bring_it(
    nursery: Nursery, tmp_path: Path, room: Path, secret: Path
) -> None:
    """QuickTime File Format, "Data reference atoms"."""
    ffmpeg("-i", secret, "-c:a", "pcm_s16le", tmp_path / "secret.mov")
    (tmp_path / "talk.mp4").write_bytes(referring((tmp_path / "secret.mov").read_bytes()))
    ffmpeg("-enable_drefs", "1", "-i", tmp_path / "talk.mp4", tmp_path / "would-be.wav")
    assert samples.tone((tmp_path / "would-be.wav").read_bytes()) == pytest.approx(SECRET_HZ, abs=2)
    assert verdict(nursery, (tmp_path / "talk.mp4").read_bytes()) in ("damaged", "truncated")
    with pytest.raises(Failure) as caught:
        plain.convert(tmp_path / "talk.mp4", room, {}, quiet)
    assert caught.value.code in ("damaged", "truncated")


def test_a_matroska_that_goes_on_in_another_file_is_only_itself(
    nursery: Nursery, tmp_path: Path, room: Path, secret: Path
) -> None:
    """RFC 9559, section 17: linked segments."""
    name = "secret.mkv"
    title = ["-metadata", f"title={name}_", "-write_crc32", "0"]
    ffmpeg("-i", secret, "-c:a", "flac", tmp_path / name)
    ffmpeg("-f", "lavfi", "-i", f"sine={TONE_HZ}:duration=2", "-c:a", "flac", *title, tmp_path / "talk.mkv")
    whole = (tmp_path / "talk.mkv").read_bytes()
    # Title becomes NextFilename, whose id is a byte longer.
    old = b"\x7b\xa9" + bytes((0x80 | len(name) + 1,)) + f"{name}_".encode()
    assert whole.count(old) == 1
    (tmp_path / "talk.mkv").write_bytes(
        whole.replace(old, b"\x3e\x83\xbb" + bytes((0x80 | len(name),)) + name.encode())
    )
    mp3, seconds = plain.convert(tmp_path / "talk.mkv", room, {}, quiet)
    assert seconds == pytest.approx(2, abs=0.1)
    assert samples.tone(mp3.read_bytes()) == pytest.approx(TONE_HZ, abs=2)
    assert verdict(nursery, (tmp_path / "talk.mkv").read_bytes()) == "whole"


@pytest.mark.parametrize("name", sorted(samples.KINDS))
def test_a_broken_file_ends_in_a_verdict(nursery: Nursery, tmp_path: Path, name: str) -> None:
    """Bits flipped, pieces taken out and moved: whatever comes out, nobody crashes, hangs or has no answer."""
    whole = samples.make(tmp_path / name).read_bytes()
    chance = random.Random(name)
    for _ in range(6):
        assert verdict(nursery, mutilated(whole, chance)) in {"whole", *REASONS}


def refused_by_ffmpeg(video: Path, room: Path, content: str) -> None:
    video.write_bytes(content.encode())
    with pytest.raises(Failure) as caught:
        plain_probe.probe(Input(video), room, time.monotonic() + 60, quiet)
    assert caught.value.code in ("refused-format", "not-media", "no-audio")
    assert list(room.iterdir()) == []


def verdict(nursery: Nursery, video: bytes) -> str:
    """What the engine says in its sandbox: a reason code, or "whole"."""
    heard: list[dict[str, Any]] = []
    job = {"options": {}, "threads": 1, "max_seconds": 3600, "state": None}
    with nursery.worker() as worker:
        ended = worker.run(
            job,
            Bytes(video),
            lambda header, _: heard.append(header),
            lambda: None,
            time.monotonic() + 30,
        )
    assert ended.well, ended
    return str(heard[-1].get("code", "whole"))


def mutilated(whole: bytes, chance: random.Random) -> bytes:
    broken = bytearray(whole)
    for _ in range(chance.randrange(1, 40)):
        broken[chance.randrange(len(broken))] = chance.randrange(256)
    return dislocated(broken, chance, 0.5)


def referring(mov: bytes) -> bytes:
    """A MOV like this one, whose samples lie in secret.mov beside it."""
    start = mov.index(b"moov") - 4
    size = int.from_bytes(mov[start : start + 4], "big")
    return mov[: int.from_bytes(mov[:4], "big")] + atom(mov[start : start + size])


def atom(old: bytes) -> bytes:
    kind, content = old[4:8], old[8:]
    if kind == b"dref":
        content = content[:8] + alias()
    elif kind in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        content = b"".join(map(atom, atoms(content)))
    return struct.pack(">I", 8 + len(content)) + kind + content


def atoms(content: bytes) -> Iterator[bytes]:
    while content:
        size = int.from_bytes(content[:4], "big")
        yield content[:size]
        content = content[size:]


def alias() -> bytes:
    """An alias record of Mac OS, as far as FFmpeg's mov.c looks at it: the file lies in the same directory."""
    path = b"Disk:folder:secret.mov"
    record = bytes(4) + bytes(10) + b"\x04" + b"Disk".ljust(27, b"\0") + bytes(12)
    record += b"\x0a" + b"secret.mov".ljust(63, b"\0") + bytes(16) + struct.pack(">HH", 1, 1) + bytes(16)
    record += struct.pack(">hH", 2, len(path)) + path + struct.pack(">hH", -1, 0)
    return struct.pack(">I", 8 + len(record)) + b"alis" + record


def ffmpeg(*words: object) -> None:
    command = [samples.ffmpeg(), "-v", "error", "-nostdin", "-y", *map(str, words)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def quiet(_: float) -> None:
    """Watch without a word."""
