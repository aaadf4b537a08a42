"""Small files that are written by hand, of which a part is a lie: MP4, Matroska, MP3, FLAC, FLV, Ogg, AVI."""

from __future__ import annotations

import struct

from tests.hostile.hostile import box, element, number, pcm, text

__all__ = ["HEAD", "audio_track", "blocks", "flac", "flv", "id3", "mkv", "mov", "mp3", "times"]

HEAD = element(0x1A45DFA3, text(0x4282, "matroska"))
# Samples of the tone in an MP4, at the file's own rate of 8000.
_COUNT = 12000


def mov(
    data_reference: bytes | None = None,
    *,
    tables: dict[bytes, bytes] | None = None,
    entry: bytes | None = None,
    more: bytes = b"",
    in_track: bytes = b"",
    copies: int = 1,
) -> bytes:
    """An MP4 with the tone as PCM, its samples first.

    `tables` are what takes the place of those that say when and where its samples are, `entry` of the description of
    its codec, `data_reference` of the one that says in which file. `more` comes behind its track, of which there are
    so many `copies`; `in_track` goes into each.
    """
    sample = struct.pack(">6xHHHIHHHHI", 1, 0, 0, 0, 1, 16, 0, 0, 8000 << 16)
    described = box(b"stsd", struct.pack(">II", 0, 1) + (entry or box(b"sowt", sample)))
    all_tables = {
        b"stts": struct.pack(">IIII", 0, 1, _COUNT, 1),
        b"stsc": struct.pack(">IIIII", 0, 1, 1, _COUNT, 1),
        b"stsz": struct.pack(">III", 0, 2, _COUNT),
        b"stco": struct.pack(">III", 0, 1, 24),
    } | (tables or {})
    stbl = box(b"stbl", described + b"".join(box(kind, content) for kind, content in all_tables.items()))
    data = box(b"dinf", box(b"dref", struct.pack(">II", 0, 1) + (data_reference or box(b"url ", b"\0\0\0\1"))))
    media = box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, 8000, _COUNT, 0, 0)) + box(
        b"hdlr", bytes(8) + b"soun" + bytes(13)
    )
    media += box(b"minf", box(b"smhd", bytes(8)) + data + stbl)
    header = box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 8000, _COUNT) + bytes(80))
    heads = (box(b"tkhd", struct.pack(">IIIIII", 1, 0, 0, at + 1, 0, _COUNT) + bytes(60)) for at in range(copies))
    tracks = b"".join(box(b"trak", head + in_track + box(b"mdia", media)) for head in heads)
    return box(b"ftyp", b"qt  \0\0\0\0") + box(b"mdat", pcm()) + box(b"moov", header + tracks + more)


def times(count: int, delta: int) -> bytes:
    """The table of an MP4 that says that so many samples last so long each."""
    return struct.pack(">IIII", 0, 1, count, delta)


def audio_track(position: int = 1, rate: float = 8000.0, channels: int = 1, bits: int = 16, more: bytes = b"") -> bytes:
    """The entry of a track of PCM in a Matroska; `more` goes into it."""
    form = element(0xB5, struct.pack(">d", rate)) + number(0x9F, channels) + number(0x6264, bits)
    known = number(0xD7, position) + number(0x73C5, position) + number(0x83, 2) + text(0x86, "A_PCM/INT/LIT")
    return element(0xAE, known + element(0xE1, form) + more)


def blocks(track: int = 1, at: int = 0) -> bytes:
    """A cluster of a Matroska, whose clock is at so many ticks, with the tone for one of its first 126 tracks."""
    sound = pcm()
    pieces = (
        element(0xA3, bytes((0x80 | track,)) + struct.pack(">hB", piece * 250, 0x80) + sound[piece * 4000 :][:4000])
        for piece in range(6)
    )
    return element(0x1F43B675, number(0xE7, at) + b"".join(pieces))


def mkv(*, info: bytes = b"", tracks: bytes | None = None, clusters: bytes | None = None, more: bytes = b"") -> bytes:
    """A Matroska with the tone as PCM. Each part takes the place of its own; `info` and `more` are added."""
    segment = element(0x1549A966, number(0x2AD7B1, 1_000_000) + info)
    segment += element(0x1654AE6B, audio_track() if tracks is None else tracks) + more
    return HEAD + element(0x18538067, segment + (blocks() if clusters is None else clusters))


def mp3(frames: int = 60) -> bytes:
    """Frames of MPEG-1, 128 kbit/s, 44.1 kHz, mono; a side information of zeros has no sound."""
    return (b"\xff\xfb\x90\xc0" + bytes(413)) * frames


def id3(frame: bytes, content: bytes) -> bytes:
    """A tag of ID3v2.3 with one frame."""
    body = frame + struct.pack(">IH", len(content), 0) + content
    size = len(body)
    return b"ID3\x03\0\0" + bytes((size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127)) + body


def flac(sound: bytes, *, more: bytes = b"", samples: int | None = None) -> bytes:
    """A FLAC like this one, whose header is followed by this metadata block and states so many samples."""
    header = bytearray(sound[:42])
    header[4] &= 0x7F
    if samples is not None:
        header[21] = header[21] & 0xF0 | samples >> 32
        header[22:26] = struct.pack(">I", samples & 0xFFFFFFFF)
    first_frame = sound.index(b"\xff\xf8", 42)
    return bytes(header) + more + b"\x81\0\0\0" + sound[first_frame:]


def flv(sound: bytes, data: bytes) -> bytes:
    """An FLV like this one, with a script tag of this data first."""
    size = struct.pack(">I", len(data))
    return sound[:13] + b"\x12" + size[1:] + bytes(7) + data + struct.pack(">I", len(data) + 11) + sound[13:]
