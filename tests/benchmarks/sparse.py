"""MP4 files of any size that take no room on the disk: all samples are zeros; only where they lie is written."""

from __future__ import annotations

import struct
from pathlib import Path

__all__ = ["sparse_mp4"]

# A second: so many pictures, and blocks of sound in between, as a camera writes them.
PICTURES, SAMPLES, SOUND_SIZE = 25, 1024, 341
RATE = 48_000
# ISO/IEC 14496-14 and -3: AAC-LC, 48 kHz, two channels.
CONFIG = bytes.fromhex("0319000100041140150000000000000000000000050211900601 02".replace(" ", ""))


def sparse_mp4(path: Path, size: int, bits: int) -> Path:
    """About `size` bytes of video of `bits` a second, its index at the end. Each picture and each sample is a chunk."""
    picture = bits // 8 // PICTURES
    seconds = size // (bits // 8)
    pictures, sounds = seconds * PICTURES, seconds * RATE // SAMPLES
    head = box(b"ftyp", b"isom\0\0\2\0isomiso2mp41")
    places: tuple[list[int], list[int]] = ([], [])
    at = len(head) + 16
    begin = at
    for number in range(pictures):
        places[0].append(at)
        at += picture
        while len(places[1]) < sounds and len(places[1]) * SAMPLES * PICTURES < (number + 1) * RATE:
            places[1].append(at)
            at += SOUND_SIZE
    tracks = (
        track(1, b"vide", places[0], picture, 1, PICTURES, VIDEO),
        track(2, b"soun", places[1], SOUND_SIZE, SAMPLES, RATE, AUDIO),
    )
    header = full(
        b"mvhd", struct.pack(">IIIII", 0, 0, 1000, seconds * 1000, 0x10000) + bytes(76) + struct.pack(">I", 3)
    )
    with path.open("wb") as file:
        file.write(head + struct.pack(">I4sQ", 1, b"mdat", 16 + at - begin))
        file.seek(at)
        file.write(box(b"moov", header + b"".join(tracks)))
    return path


def box(kind: bytes, content: bytes) -> bytes:
    """ISO/IEC 14496-12, 4.2."""
    return struct.pack(">I4s", 8 + len(content), kind) + content


def full(kind: bytes, content: bytes, flags: int = 0) -> bytes:
    """The same with a version and flags."""
    return box(kind, struct.pack(">I", flags) + content)


VIDEO = box(b"mp4v", bytes(6) + b"\0\1" + bytes(16) + struct.pack(">HH", 1280, 720) + bytes(50))
AUDIO = box(b"mp4a", bytes(6) + b"\0\1" + bytes(8) + struct.pack(">HHII", 2, 16, 0, RATE << 16) + full(b"esds", CONFIG))


def track(number: int, kind: bytes, places: list[int], size: int, ticks: int, scale: int, entry: bytes) -> bytes:
    """A track whose samples are chunks of one each; they have all one size, which the table says of each by itself."""
    count = len(places)
    tables = b"".join(
        [
            full(b"stsd", struct.pack(">I", 1) + entry),
            full(b"stts", struct.pack(">III", 1, count, ticks)),
            full(b"stsc", struct.pack(">IIII", 1, 1, 1, 1)),
            full(b"stsz", struct.pack(">II", 0, count) + struct.pack(">I", size) * count),
            full(b"co64", struct.pack(f">I{count}Q", count, *places)),
        ]
    )
    header = full(b"tkhd", struct.pack(">IIIII", 0, 0, number, 0, count * ticks * 1000 // scale) + bytes(60), 3)
    clock = full(b"mdhd", struct.pack(">IIIIHH", 0, 0, scale, count * ticks, 0x55C4, 0))
    handler = full(b"hdlr", bytes(4) + kind + bytes(13))
    return box(b"trak", header + box(b"mdia", clock + handler + box(b"minf", box(b"stbl", tables))))
