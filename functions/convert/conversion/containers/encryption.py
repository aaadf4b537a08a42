"""Which tracks of a file are encrypted, by what its containers say; FFmpeg does not always tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from functions.convert.conversion.containers import ebml, tails
from functions.convert.conversion.containers.boxes import FIRST, FRAGMENTS, Box, boxes
from functions.convert.conversion.source import RangeFile

__all__ = ["is_scrambled", "may_have_encrypted_samples", "protected_tracks"]

# Sample entries of encrypted sound: Common Encryption (ISO/IEC 14496-12, 8.12), iTunes' FairPlay, Audible.
_PROTECTED = {b"enca", b"drms", b"aavd"}
_AUDIBLE_BRANDS = {b"aax ", b"aaxc"}
# The Content Encryption Objects of an ASF, plain, extended and advanced (Advanced Systems Format, 10.3).
_ASF_PROTECTED = (
    bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"),
    bytes.fromhex("14e68a292226174cb935dae07ee9289c"),
    bytes.fromhex("338505438169e6499b74ad12cb86d58c"),
)
_ASF_HEAD = 64 * 1024
# How much of a transport stream is looked at, and what share of its packets is scrambled where it is.
_TS_LOOK, _TS_SHARE = 256 * 1024, 0.1
_MAX_ENTRIES = 16
# Types of streams of AC-3, E-AC-3 and AAC of which parts of each frame are encrypted (MPEG-2 Stream Encryption Format
# for HTTP Live Streaming, 2.2).
_SAMPLES_ENCRYPTED = {0xC1, 0xC2, 0xCF}


def protected_tracks(file: RangeFile, count: int) -> tuple[bool, ...]:
    """For each of `count` sound tracks, whether it is encrypted by what the file says."""
    head = file.peek(0, 16)
    if head.startswith(tails.ASF):
        about = file.peek(0, _ASF_HEAD)
        return (any(mark in about for mark in _ASF_PROTECTED),) * count
    if head.startswith(ebml.MAGIC):
        segment = ebml.segment(file)
        found = tuple(sound.encrypted for sound in segment.sounds) if segment else ()
    elif head[4:8] in FIRST | FRAGMENTS:
        found = tuple(_of_mp4(file, head))
    else:
        found = ()
    # Where the tracks are not those that FFmpeg sees, nobody knows which is which.
    return found if len(found) == count else (bool(found) and all(found),) * count


def _of_mp4(file: RangeFile, head: bytes) -> Iterator[bool]:
    is_audible = head[4:8] == b"ftyp" and head[8:12] in _AUDIBLE_BRANDS
    # The first moov is the one that FFmpeg takes; a look at all that follows would take long.
    for moov in islice(_inside(file, Box(b"", 0, 0, file.size), b"moov"), 1):
        for track in _inside(file, moov, b"trak"):
            for media in _inside(file, track, b"mdia"):
                if any(file.peek(box.content + 8, 4) == b"soun" for box in _inside(file, media, b"hdlr")):
                    yield is_audible or any(entry in _PROTECTED for entry in _sample_entries(file, media))


def _sample_entries(file: RangeFile, media: Box) -> Iterator[bytes]:
    for minf in _inside(file, media, b"minf"):
        for table in _inside(file, minf, b"stbl"):
            for description in _inside(file, table, b"stsd"):
                entries = boxes(file, description.content + 8, description.stop)
                yield from (entry.kind for _, entry in zip(range(_MAX_ENTRIES), entries, strict=False))


def _inside(file: RangeFile, box: Box, kind: bytes) -> Iterator[Box]:
    """The boxes of a kind in another one. None reaches beyond it, so that no byte is looked at again and again."""
    stop = min(box.stop, file.size)
    for each in boxes(file, box.content, stop):
        if each.kind == kind:
            yield replace(each, stop=min(each.stop, stop))


def is_scrambled(file: RangeFile) -> bool:
    """Whether a transport stream is scrambled (ISO/IEC 13818-1, 2.4.3.3: transport_scrambling_control)."""
    flags = [packet[3] & 0xC0 > 0 for packet in _packets(file)]
    return sum(flags) > _TS_SHARE * len(flags)


def may_have_encrypted_samples(file: RangeFile) -> bool:
    """Whether a transport stream says that its sound is encrypted; who decrypts it may leave that as it is."""
    return any(_SAMPLES_ENCRYPTED.intersection(_stream_types(packet)) for packet in _packets(file))


def _packets(file: RangeFile) -> list[bytes]:
    """The first packets of a transport stream, 188 bytes each; none where it is no such stream."""
    first, size = tails.ts_packet(file)
    data = file.peek(0, _TS_LOOK) if size else b""
    starts = range(first + tails.TS_PACKETS[size], len(data) - 187, size) if size else ()
    return [data[start : start + 188] for start in starts]


def _stream_types(packet: bytes) -> Iterator[int]:
    """Those in a map of a program that begins in a packet (ISO/IEC 13818-1, 2.4.4.9); none in others."""
    at = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
    at += 1 + packet[at] if at < len(packet) else 0
    section = packet[at:]
    if not packet[1] & 0x40 or len(section) < 12 or section[0] != 2:
        return
    stop = 3 + ((section[1] & 0x0F) << 8 | section[2]) - 4
    entry = 12 + ((section[10] & 0x0F) << 8 | section[11])
    while entry + 5 <= min(stop, len(section)):
        yield section[entry]
        entry += 5 + ((section[entry + 3] & 0x0F) << 8 | section[entry + 4])
