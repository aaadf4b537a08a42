"""Files that want much for little: time, size, channels, tracks, chapters, tags, pictures, depth."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping

from tests.hostile.forms import audio_track, blocks, flac, flv, id3, mkv, mov, mp3, times
from tests.hostile.hostile import BROKEN, MP3, UNREADABLE, Hostile, box, chunk, element, number, pcm, text, wav

__all__ = ["many", "pictures", "sizes", "spans", "texts"]

_WHOLE = frozenset({MP3})
_ANY = frozenset({MP3, "too-long"}) | UNREADABLE
_ALMOST = 2**32 - 1


def spans(whole: Mapping[str, bytes]) -> Iterator[Hostile]:
    """Bombs in time: what states that it lasts for ever, or does so. The limit of these tests is MAX_SECONDS."""
    # One sample a second, which is one byte of the file.
    yield Hostile("wav at 1 Hz", wav(bytes(3000), 1, bits=8), frozenset({"too-long"}))
    for rate in (0, 3, 100, 999_983, 2**31 - 1, _ALMOST):
        yield Hostile(f"wav at {rate} Hz", wav(rate=rate), _ANY)
    yield Hostile("wav that states 2 GB", wav(size=2 * 10**9), frozenset({"truncated"}))
    yield Hostile("wav that was never measured", wav(size=_ALMOST), _WHOLE)
    yield Hostile("flac of 2^36 samples", flac(whole["flac.flac"], samples=2**36 - 1), frozenset({MP3, "truncated"}))
    # In ticks of a millisecond. What no file of this size can have says nothing.
    for ticks in (1e9, 1e15, 1e300, float("inf"), float("nan"), -1.0):
        info = element(0x4489, struct.pack(">d", ticks))
        yield Hostile(f"mkv that states {ticks} ms", mkv(info=info), _WHOLE, "x.mkv")
    for tick in (1, 10**9, 10**15, 2**63 - 1):
        yield Hostile(f"mkv with a tick of {tick} ns", mkv(info=number(0x2AD7B1, tick)), _ANY, "x.mkv")
    for at in (3_000_000, 2**40, 2**62):
        # "Holes become silence, clock jumps do not": either is right, as long as it ends.
        yield Hostile(
            f"mkv with a hole of {at} ms", mkv(clusters=blocks() + blocks(at=at)), frozenset({MP3, "too-long"})
        )
        yield Hostile(f"mkv that begins at {at} ms", mkv(clusters=blocks(at=at)), frozenset({MP3, "too-long"}))
    yield Hostile("mkv that goes back and forth", mkv(clusters=b"".join(blocks(at=at) for at in (9000, 0) * 20)), _ANY)
    for count, delta in ((_COUNT, 2**31), (_COUNT, 0), (_ALMOST, 1), (1, 1), (2**31, 2**31)):
        tables = {b"stts": times(count, delta)}
        yield Hostile(f"mp4 of {count} samples of {delta}", mov(tables=tables), _ANY)
    for length, start in ((2**62, -1), (12000, 2**62), (-1, 0), (0, 0)):
        edit = box(b"elst", struct.pack(">IIqqI", 1 << 24, 1, length, start, 1 << 16))
        yield Hostile(f"mp4 with an edit of {length} from {start}", mov(in_track=box(b"edts", edit)), _ANY)
    many_edits = box(b"elst", struct.pack(">II", 0, 200_000) + struct.pack(">IiI", 1, 0, 1 << 16) * 200_000)
    yield Hostile("mp4 of 200,000 edits", mov(in_track=box(b"edts", many_edits)), _ANY)


_COUNT = 12000


def sizes(whole: Mapping[str, bytes]) -> Iterator[Hostile]:
    """Bombs in size: what is almost all zeros, or unpacks to much, or states that it holds more than there is."""
    gigabytes = 3 * 1024**3
    yield Hostile("3 GB of zeros", b"\0", frozenset({"not-media"}), zeros=gigabytes)
    yield Hostile("mp4 before 3 GB of zeros", whole["faststart.mp4"], _WHOLE, zeros=gigabytes)
    free = struct.pack(">I4sQ", 1, b"free", gigabytes + 16)
    yield Hostile("mp4 before a box of 3 GB", whole["faststart.mp4"] + free, _WHOLE, zeros=gigabytes)
    yield Hostile("mp4 whose index never comes", box(b"ftyp", b"isom\0\0\0\0isom") + free, UNREADABLE, zeros=gigabytes)
    # In these, FFmpeg looks for the next piece at each byte.
    yield Hostile("matroska before zeros", whole["flac.mkv"], _WHOLE, "x.mkv", zeros=200_000_000)
    yield Hostile("matroska of zeros", whole["flac.mkv"][:200], UNREADABLE, "x.mkv", zeros=200_000_000)
    yield Hostile("ogg before zeros", whole["vorbis.ogg"], _ANY, "x.ogg", zeros=200_000_000)
    packed = zlib.compress(bytes(64 * 1024**2), 9)
    yield Hostile("gzip of zeros", b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + packed, frozenset({"not-media"}), "x.mp4.gz")
    zipped = (
        struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 8, 0, 0, 0, len(packed), 64 * 1024**2, 5, 0) + b"x.mp4" + packed
    )
    yield Hostile("zip of zeros", zipped, frozenset({"not-media"}), "x.zip")
    yield Hostile("index that is packed", _packed_index(), BROKEN)
    for kind in (b"stsz", b"stts", b"stsc", b"stco", b"ctts", b"stss"):
        full = struct.pack(">III", 0, 0 if kind == b"stsz" else _ALMOST, _ALMOST)
        yield Hostile(f"mp4 whose {kind.decode()} states 2^32 entries", mov(tables={kind: full}), _ANY)
    for size in (0, 1, 2, 7, _ALMOST):
        yield Hostile(
            f"mp4 with a box of {size} bytes", whole["faststart.mp4"][:32] + box(b"moov", b"", size), UNREADABLE
        )
    yield Hostile("mp4 of 100,000 boxes", box(b"ftyp", b"isom\0\0\0\0isom") + box(b"free") * 100_000, UNREADABLE)
    yield Hostile("avi of 100,000 chunks", b"RIFF\xff\xff\xff\x7fAVI " + chunk(b"JUNK", b"") * 100_000, UNREADABLE)
    yield Hostile("wav of 100,000 chunks", wav(chunks=chunk(b"junk", b"") * 100_000), _ANY)
    for length in (0x10, 0xFFFFFFFFFFFFFE):
        lie = b"\xa3\x01" + length.to_bytes(7)
        yield Hostile(
            f"mkv with a block of {length} bytes",
            mkv(clusters=blocks() + b"\x1f\x43\xb6\x75\xff\xe7\x81\0" + lie),
            _ANY,
        )
    yield Hostile("mkv of 20,000 clusters", mkv(clusters=blocks() + b"\x1f\x43\xb6\x75\x83\xe7\x81\0" * 20_000), _WHOLE)


def _packed_index() -> bytes:
    """A moov that unpacks to 64 MB of zeros (QuickTime File Format, "Compressed movie resources")."""
    packed = zlib.compress(bytes(64 * 1024**2), 9)
    inside = box(b"dcom", b"zlib") + box(b"cmvd", struct.pack(">I", 64 * 1024**2) + packed)
    return box(b"ftyp", b"qt  \0\0\0\0") + box(b"moov", box(b"cmov", inside))


def many(whole: Mapping[str, bytes]) -> Iterator[Hostile]:
    """Bombs in channels, tracks, chapters, recordings and depth."""
    for channels in (0, 8, 63, 64, 65, 255, 1024, 65535):
        right = _WHOLE if channels == 8 else _ANY
        yield Hostile(f"wav of {channels} channels", wav(pcm(8000, 0.2, min(channels, 255)), channels=channels), right)
        yield Hostile(f"mkv of {channels} channels", mkv(tracks=audio_track(channels=channels)), _ANY)
    for bits in (0, 1, 7, 128, 65535):
        yield Hostile(f"wav of {bits} bits", wav(bits=bits), _ANY)
        yield Hostile(f"mkv of {bits} bits", mkv(tracks=audio_track(bits=bits)), _ANY)
    for count in (100, 1500, 5000):
        tracks = b"".join(map(audio_track, range(1, count + 1)))
        yield Hostile(f"mkv of {count} tracks", mkv(tracks=tracks), _ANY, "x.mkv")
        yield Hostile(f"mp4 of {count} tracks", mov(copies=count), _ANY)
    yield Hostile("mkv of tracks of one number", mkv(tracks=audio_track() * 50), _ANY)
    for count in (1000, 30_000):
        yield Hostile(f"mkv of {count} chapters", mkv(more=_chapters(_chapter(at) for at in range(count))), _WHOLE)
    nested = b""
    for _ in range(3000):
        nested = element(0xB6, number(0x91, 0) + nested)
    yield Hostile("mkv of chapters in chapters", mkv(more=_chapters([nested])), _ANY)
    backwards = (_chapter(at, -at) for at in range(200))
    yield Hostile("mkv of chapters that end before they begin", mkv(more=_chapters(backwards)), _WHOLE)
    yield Hostile("mp3 of 5,000 chapters", _id3_chapters(5000) + mp3(), _WHOLE, "x.mp3")
    for kind in (b"moov", b"trak", b"udta", b"meta"):
        yield Hostile(f"mp4 of {kind.decode()} in {kind.decode()}", whole["aac.mp4"] + _nested(kind, 3000), _ANY)
        yield Hostile(
            f"{kind.decode()} in {kind.decode()} alone",
            box(b"ftyp", b"isom\0\0\0\0isom") + _nested(kind, 3000),
            UNREADABLE,
        )
    yield Hostile("avi of lists in lists", _lists(2000), UNREADABLE, "x.avi")
    yield Hostile(
        "flv of objects in objects", flv(whole["aac.flv"], b"\x02\0\nonMetaData" + b"\x03\0\1a" * 20_000), _ANY
    )
    yield Hostile(
        "flv of arrays in arrays", flv(whole["aac.flv"], b"\x02\0\nonMetaData" + b"\x0a\0\0\0\1" * 20_000), _ANY
    )
    yield Hostile("ogg of 30 recordings", whole["vorbis.ogg"] * 30, _WHOLE, "x.ogg")
    yield Hostile("mp3 of 2,000 tags", id3(b"TIT2", b"\0x") * 2000 + mp3(), _ANY, "x.mp3")
    yield Hostile("mp4 of 20 recordings", whole["aac.mp4"] * 20, _WHOLE)


def _chapter(at: int, lasts: int = 1) -> bytes:
    end = max(at * 10**6 + lasts * 10**6, 0)
    return element(
        0xB6,
        number(0x73C4, at + 1) + number(0x91, at * 10**6) + number(0x92, end) + element(0x80, text(0x85, "x" * 40)),
    )


def _chapters(atoms: Iterator[bytes] | list[bytes]) -> bytes:
    return element(0x1043A770, element(0x45B9, b"".join(atoms)))


def _id3_chapters(count: int) -> bytes:
    frames = b"".join(
        b"CHAP" + struct.pack(">IH", 22, 0) + b"c%04d\0" % at + struct.pack(">IIII", at, at + 1, _ALMOST, _ALMOST)
        for at in range(count)
    )
    size = len(frames)
    return b"ID3\x03\0\0" + bytes((size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127)) + frames


def _nested(kind: bytes, depth: int) -> bytes:
    made = b""
    for _ in range(depth):
        made = box(kind, made)
    return made


def _lists(depth: int) -> bytes:
    made = b""
    for _ in range(depth):
        made = chunk(b"LIST", b"hdrl" + made)
    return chunk(b"RIFF", b"AVI " + made)


_ODD = (
    "\0a\0b",
    "\u202egpj.exe",
    "\ud83d\ude00" * 300,
    "\x1b]0;x\x07\x1b[2J",
    "<script>alert(1)</script>",
    "a\r\nBcc: x@y",
)


def texts(whole: Mapping[str, bytes]) -> Iterator[Hostile]:
    """Bombs in tags: long, many, of no encoding, or with what steers a terminal, a page or a mail."""
    odd = [
        *(value.encode("utf-8", "surrogatepass") for value in _ODD),
        b"\xff\xfe\xfd",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
    ]
    for at, value in enumerate(odd):
        title = element(0x63C0, b"") + element(0x67C8, text(0x45A3, "TITLE") + text(0x4487, value))
        named = audio_track(more=text(0x536E, value) + text(0x22B59C, value[:30]))
        yield Hostile(
            f"mkv of odd text {at}", mkv(tracks=named, more=element(0x1254C367, element(0x7373, title))), _WHOLE
        )
        yield Hostile(f"mp3 of odd text {at}", id3(b"TIT2", b"\3" + value) + mp3(), _WHOLE, "x.mp3")
        listed = wav(chunks=chunk(b"LIST", b"INFO" + chunk(b"INAM", value) + chunk(b"IART", value)))
        yield Hostile(f"wav of odd text {at}", listed, _WHOLE, "x.wav")
    long = b"x" * 8_000_000
    yield Hostile("mkv with a long title", mkv(info=text(0x7BA9, long)), _ANY)
    yield Hostile("mkv with a long track title", mkv(tracks=audio_track(more=text(0x536E, long[:900_000]))), _ANY)
    yield Hostile("mp3 with a long title", id3(b"TIT2", b"\0" + long) + mp3(), _WHOLE, "x.mp3")
    yield Hostile("mp4 with a long title", mov(more=_metadata(long)), _ANY)
    yield Hostile("flac of 2^32 comments", flac(whole["flac.flac"], more=_comments(b"\0\0\0\0" + b"\xff" * 4)), _ANY)
    yield Hostile("flac with a comment of 4 GB", flac(whole["flac.flac"], more=_comments(b"\xff" * 8)), _ANY)
    every = b"\0\0\0\0" + struct.pack("<I", 100_000) + b"\5\0\0\0a=bcd" * 100_000
    yield Hostile("flac of 100,000 comments", flac(whole["flac.flac"], more=_comments(every)), _ANY)
    tags = b"".join(element(0x67C8, text(0x45A3, f"T{at}") + text(0x4487, "x")) for at in range(20_000))
    yield Hostile(
        "mkv of 20,000 tags", mkv(more=element(0x1254C367, element(0x7373, element(0x63C0, b"") + tags))), _WHOLE
    )
    yield Hostile("mp3 whose tag states 256 MB", b"ID3\x03\0\0\x7f\x7f\x7f\x7f" + mp3(), _ANY, "x.mp3")
    yield Hostile("mp3 of packed text", id3(b"TIT2\0\0", b"") + mp3(), _ANY, "x.mp3")


def _metadata(value: bytes) -> bytes:
    item = box(b"\xa9nam", box(b"data", struct.pack(">II", 1, 0) + value))
    return box(b"udta", box(b"meta", bytes(4) + box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9)) + box(b"ilst", item)))


def _comments(content: bytes) -> bytes:
    return b"\x04" + struct.pack(">I", len(content))[1:] + content


def pictures(whole: Mapping[str, bytes]) -> Iterator[Hostile]:
    """Bombs in covers: what is dropped, or drawn small; the sound is converted all the same."""
    sound = mp3()
    for name, picture in _PICTURES.items():
        yield Hostile(f"mp3 with {name}", id3(b"APIC", b"\0image/png\0\3\0" + picture) + sound, _WHOLE, "x.mp3")
        attached = text(0x466E, "cover.png") + text(0x4660, "image/png") + element(0x465C, picture) + number(0x46AE, 1)
        yield Hostile(f"mkv with {name}", mkv(more=element(0x1941A469, element(0x61A7, attached))), _WHOLE, "x.mkv")
    cover = struct.pack(">I", 3) + struct.pack(">I", 9) + b"image/png" + bytes(4) + bytes(16) + b"\xff" * 4
    yield Hostile(
        "flac with a cover of 4 GB",
        flac(whole["flac.flac"], more=b"\6" + struct.pack(">I", len(cover))[1:] + cover),
        _ANY,
    )
    one = id3(b"APIC", b"\0image/png\0\3\0" + _png(1, 1))[10:]
    size = len(one) * 3000
    head = b"ID3\x03\0\0" + bytes((size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127))
    yield Hostile("mp3 of 3,000 covers", head + one * 3000 + sound, _ANY, "x.mp3")


def _png(width: int, height: int, rows: int = 1) -> bytes:
    """A picture that states this size, and has so many bytes of zeros in place of it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    made = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


_PICTURES = {
    "a picture of 2^31 by 2^31": _png(2**31 - 1, 2**31 - 1),
    "a picture of 30,000 by 30,000": _png(30_000, 30_000, 32 * 1024**2),
    "a picture of 6,000 by 6,000": _png(6000, 6000, 6001 * 6000),
    "a picture of 1 by 1,000,000": _png(1, 1_000_000, 2_000_000),
    "a picture that is cut": _png(100, 100, 10_100)[:60],
    "a picture of nothing": b"",
    "a page for a picture": b"<html><script>x</script></html>",
    "a vector drawing": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='http://127.0.0.1/'/></svg>",
    "a program for a picture": b"\x7fELF\2\1\1" + bytes(100),
    "a GIF of 10,000 frames": b"GIF89a\1\0\1\0\0\0\0" + b",\0\0\0\0\1\0\1\0\0\2\2D\1\0" * 10_000 + b";",
    "a JPEG of 65,500 by 65,500": b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xdc\xff\xdc\1\1\x11\0\xff\xda\0\x08\1\1\0\0\x3f\0",
    "a picture of 25 MB": b"\x89PNG\r\n\x1a\n" + bytes(25_000_000),
}
