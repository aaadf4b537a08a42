"""Files of every container that are cut, or of which bits are flipped; beginnings without more; and wrong names."""

from __future__ import annotations

import io
import random
import tarfile
import zipfile
from collections.abc import Iterator, Mapping

from tests.hostile.containers import CUT_IN_HALF
from tests.hostile.forms import mkv, mov
from tests.hostile.hostile import BROKEN, MP3, UNREADABLE, Hostile, box, element, text, wav

__all__ = ["cut", "dislocated", "flipped", "foreign", "nested", "renamed"]

_NOT_MEDIA = frozenset({"not-media"})


def cut(whole: Mapping[str, bytes], seeds: int) -> Iterator[Hostile]:
    """Each container without its second half, and with nothing but its beginning; for more seeds, with most of it."""
    for name, content in whole.items():
        half = frozenset({CUT_IN_HALF[name]})
        yield Hostile(f"half of {name}", content[: len(content) // 2], half, name)
        most = frozenset({MP3, "truncated", *half})
        if seeds > 1 or name.endswith("wtv"):
            yield Hostile(f"most of {name}", content[: len(content) * 97 // 100], most, name)
        yield Hostile(f"beginning of {name}", content[:64], UNREADABLE, name)


def flipped(whole: Mapping[str, bytes], seeds: int) -> Iterator[Hostile]:
    """Each container with so many choices of bytes that are others, and of pieces that are gone or moved."""
    for name, content in whole.items():
        # Bits of a transport stream say by themselves that it is scrambled.
        right = BROKEN | ({"encrypted"} if name.endswith(".ts") else set())
        for seed in range(seeds):
            chance = random.Random(f"{name} {seed}")
            yield Hostile(f"{name}, flipped by {seed}", _flipped(content, chance), right, name)


def _flipped(content: bytes, chance: random.Random) -> bytes:
    broken = bytearray(content)
    # The first kilobyte is where most of what can go wrong is decided.
    reach = min(len(broken), chance.choice((100, 1000, len(broken))))
    for _ in range(chance.randrange(1, 60)):
        broken[chance.randrange(reach)] ^= 1 << chance.randrange(8)
    return dislocated(broken, chance, 0.3)


def dislocated(content: bytearray, chance: random.Random, holes: float) -> bytes:
    """What is left when some of it is gone, in a share `holes` of all cases, and some of it comes twice."""
    if chance.random() < holes:
        start = chance.randrange(len(content))
        del content[start : start + chance.randrange(5000)]
    if chance.random() < 0.3:
        start = chance.randrange(len(content))
        content[start:start] = content[: chance.randrange(5000)]
    return bytes(content)


_NAMES = (
    *("talk.m3u8", "talk%03d.png", "talk.sdp", "talk.txt", "talk", ".mp4", "-i.mp4", "concat:a|b", "x.jpg", "x.exe"),
    *("../../etc/passwd", "http:x.mp4", "pipe:0", "x.mp3", "x.ffconcat", "x.zip", "con.wav", "x.dash", "\u202e4pm.exe"),
)


def renamed(whole: Mapping[str, bytes]) -> Iterator[Hostile]:
    """Each container, whole, under a name of another: what is in it counts."""
    for at, (name, content) in enumerate(whole.items()):
        other = _NAMES[at % len(_NAMES)]
        yield Hostile(f"{name} as {other}", content, frozenset({MP3}), other)


def foreign() -> Iterator[Hostile]:
    """What is no video under the name of one."""
    yield Hostile("nothing", b"", frozenset({"empty"}))
    for name, content in _FOREIGN.items():
        yield Hostile(name, content, _NOT_MEDIA | {"refused-format"})
    for at, noise in enumerate((16, 5000, 300_000)):
        yield Hostile(f"{noise} bytes of noise", random.Random(at).randbytes(noise), UNREADABLE)


_FOREIGN = {
    **{f"one byte, {byte}": bytes((byte,)) for byte in (0, 10, 71, 255)},
    "a document": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<</Type/Catalog>>\nendobj\n" + bytes(2000),
    "a page": b"<!doctype html><html><body><video src='file:///etc/passwd'></video></body></html>",
    "a program for Linux": b"\x7fELF\2\1\1" + bytes(5000),
    "a program for Windows": b"MZ\x90\0" + bytes(5000),
    "a class of Java": b"\xca\xfe\xba\xbe\0\0\0\x41" + bytes(2000),
    "a database": b"SQLite format 3\0\x10\0\1\1" + bytes(5000),
    "a 7z": b"7z\xbc\xaf\x27\x1c\0\4" + bytes(2000),
    "an xz": b"\xfd7zXZ\0\0\4" + bytes(2000),
    "a zstd": b"\x28\xb5\x2f\xfd" + bytes(2000),
    "a JSON": b'{"source_url": "http://127.0.0.1/"}' * 50,
    "a table": b"time,event\n1,x\n" * 500,
    "a mail": b"From: a@example.com\r\nTo: b@example.com\r\n\r\nHello\r\n",
    "a pickle": b"\x80\4\x95\x1b\0\0\0\0\0\0\0\x8c\5posix\x94\x8c\6system\x94\x93\x94\x8c\4true\x94\x85\x94R\x94.",
    "a font": b"\0\1\0\0\0\x0b\0\x80\0\3\0\x30GSUB" + bytes(2000),
    "a web assembly": b"\0asm\1\0\0\0" + bytes(2000),
    "a key": b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
    "a torrent": b"d8:announce23:http://127.0.0.1/announcee",
    "a MIDI": b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0",
}


def nested(whole: Mapping[str, bytes]) -> Iterator[Hostile]:
    """A container in another: the outer one counts, and if it is no container of sound, nothing does."""
    inner = whole["aac.mp4"]
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("talk.mp4", inner)
    with tarfile.open(fileobj=tarred, mode="w") as archive:
        archive.addfile(_member(len(inner)), io.BytesIO(inner))
    yield Hostile("mp4 in a zip", zipped.getvalue(), _NOT_MEDIA)
    yield Hostile("mp4 in a tar", tarred.getvalue(), _NOT_MEDIA | {MP3})
    yield Hostile("mp4 behind a document", b"%PDF-1.7\n" + bytes(1000) + inner, _NOT_MEDIA)
    yield Hostile("mp4 behind a program", b"MZ\x90\0" + bytes(1000) + inner, _NOT_MEDIA)
    yield Hostile("zip behind an mp4", inner + zipped.getvalue(), frozenset({MP3}))
    for name in ("aac.mp4", "flac.mkv", "vorbis.ogg", "pcm.wav", "mp2.ts", "mp3.mp3"):
        yield Hostile(
            f"{name} as the samples of a wav", wav(whole[name]), frozenset({MP3, "unsupported-codec"}), "x.wav"
        )
        attached = text(0x466E, name) + text(0x4660, "video/mp4") + element(0x465C, whole[name])
        yield Hostile(
            f"{name} attached to an mkv", mkv(more=element(0x1941A469, element(0x61A7, attached))), frozenset({MP3})
        )
        yield Hostile(f"{name} in a box of an mp4", mov() + box(b"free", whole[name]), frozenset({MP3}))
        yield Hostile(
            f"{name} in the samples of an mp4",
            box(b"ftyp", b"isom\0\0\0\0isom") + box(b"mdat", whole[name]),
            UNREADABLE,
        )
    yield Hostile("mkv behind an mp4", inner + whole["flac.mkv"], frozenset({MP3}))
    yield Hostile("list behind an mp4", inner + b"#EXTM3U\n#EXTINF:9,\nsecret.wav\n", frozenset({MP3}))
    yield Hostile("mp4 behind a list", b"#EXTM3U\n#EXTINF:9,\nsecret.wav\n" + inner, frozenset({"refused-format"}))


def _member(size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo("talk.mp4")
    member.size = size
    return member
