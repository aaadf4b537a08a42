"""Heads of plain sound files that are wrong about what follows, or that FFmpeg takes for others: what they should be.

A recorder writes the lengths when it ends. Where it lost its power, or was given a wrong one, the sound is there.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from functions.convert.conversion.containers.avi_index import without_lost_index
from functions.convert.conversion.containers.tails import RIFF_UNKNOWN_FROM, W64, Order, riff_chunks
from functions.convert.conversion.source import Part, RangeFile

__all__ = ["caf_chunks", "form_chunks", "format_of", "is_plain_aiff", "mended", "w64_chunks"]

_MAX_CHUNKS, _MAX_HEAD, _LOOK = 256, 1024 * 1024, 64 * 1024
# Of what is behind the sound by the head, so many bytes may be anything; the name of a chunk.
_MIN_REST, _NAME = 1024, re.compile(rb"[A-Za-z0-9_ ()]{4}")
_UNKNOWN = b"\xff" * 4
# How the names of chunks of a Wave64 end; the lengths that follow them count all of a chunk (Sony Wave64 1.2).
_W64_CHUNK = bytes.fromhex("f3acd3118cd100c04f8edb8a")
# Channels, frames, and bits of a sample (Audio Interchange File Format 1.3, "Common Chunk"); codecs of plain samples.
_COMMON, _PLAIN = struct.Struct(">HIH"), (b"NONE", b"twos", b"sowt", b"in24", b"in32", b"fl32", b"FL32", b"fl64")
# Codecs with a byte for each sample.
_BYTES = (b"ulaw", b"ULAW", b"alaw", b"ALAW")
# The order of the bytes in the numbers of each kind of WAV.
_ORDERS: dict[bytes, Order] = {b"RIFF": "little", b"RF64": "little", b"BW64": "little", b"RIFX": "big"}
# Codec, channels, sample rate, bits of a sample: of a WAV whose numbers all have their highest byte first.
_FORMAT, _SAMPLES, _BITS = struct.Struct(">HHI6xH"), 1, (16, 24, 32)


def mended(file: RangeFile) -> list[Part] | None:
    """The file with a head that fits; None where it does as it is."""
    head = file.peek(0, 12)
    if head.startswith(b".snd"):
        return [head[:8] + _UNKNOWN, (12, file.size)] if head[8:] == bytes(4) else None
    if head.startswith(b"caff"):
        return _caf(file)
    if W64.startswith(head):
        return _w64(file)
    if head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"):
        return _aiff(file)
    if head[:4] == b"FORM" and head[8:] == b"8SVX":
        return _amiga(file)
    if head[:4] == b"RIFF" and head[8:] == b"AVI ":
        return without_lost_index(file)
    looks = {b"RIFX": _rifx, b"RIFF": _riff}
    return looks[head[:4]](file) if head[:4] in looks and head[8:] == b"WAVE" else None


def caf_chunks(file: RangeFile) -> Iterator[tuple[bytes, int, int]]:
    """Name, start of the content and stated end of each chunk of a Core Audio Format file."""
    return form_chunks(file, 8, wide=True)


def _caf(file: RangeFile) -> list[Part] | None:
    for name, content, stop in caf_chunks(file):
        if name == b"data":
            # -1 says that the sound lasts until the end (Apple Core Audio Format, "Audio Data Chunk").
            is_wrong = stop >= content and _goes_on(file, stop, wide=True)
            return [(0, content - 8), b"\xff" * 8, (content, file.size)] if is_wrong else None
    return None


def format_of(file: RangeFile) -> tuple[int, Order] | None:
    """Where the format of a WAV or W64 begins, and the order of the bytes in its numbers; None where there is none."""
    head = file.peek(0, 16)
    if head.startswith(W64):
        return next(((start + 24, "little") for name, start, _ in w64_chunks(file) if name == b"fmt "), None)
    order = _ORDERS.get(head[:4])
    if order is None or head[8:12] != b"WAVE":
        return None
    chunks = riff_chunks(file, 12, file.size, order)
    return next(((start, order) for name, start, _ in chunks if name == b"fmt "), None)


def w64_chunks(file: RangeFile) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and stated end of each chunk of a Wave64, heads of 24 bytes and what makes them even counted in."""
    start = 40
    for _ in range(_MAX_CHUNKS):
        head = file.peek(start, 24)
        size = int.from_bytes(head[16:], "little")
        if len(head) < 24 or size < 24:
            return
        yield head[:4], start, start + size + -size % 8
        start += size + -size % 8


def _w64(file: RangeFile) -> list[Part] | None:
    """The W64 with the length that there is, if it states one that is too short."""
    start, stop = next(((start, stop) for name, start, stop in w64_chunks(file) if name == b"data"), (0, 0))
    behind = file.peek(stop, _MIN_REST) if start else b""
    goes_on = len(behind) == _MIN_REST and any(behind) and not behind.startswith(W64)
    if not goes_on or behind[4:16] == _W64_CHUNK:
        return None
    return [(0, start + 16), (file.size - start).to_bytes(8, "little"), (start + 24, file.size)]


def _amiga(file: RangeFile) -> list[Part] | None:
    """The 8SVX with the length that there is, if it states one that is too short."""
    content, stop = next(((content, stop) for name, content, stop in form_chunks(file, 12) if name == b"BODY"), (0, 0))
    if not content or not _goes_on(file, stop + stop % 2):
        return None
    return [(0, content - 4), (file.size - content).to_bytes(4, "big"), (content, file.size)]


def _aiff(file: RangeFile) -> list[Part] | None:
    common = about = 0
    for name, content, stop in form_chunks(file, 12):
        if name == b"COMM":
            common, about = content, stop - content
        if name == b"SSND" and common and content < _MAX_HEAD:
            return _with_frames(file, common, about, content, stop)
    return None


def is_plain_aiff(file: RangeFile, common: int, stop: int) -> bool:
    """Whether an AIFF whose COMM has its content between two positions has plain samples of several bits."""
    return stop - common <= 18 or file.peek(common + 18, 4) in _PLAIN


def _with_frames(file: RangeFile, common: int, about: int, content: int, stop: int) -> list[Part] | None:
    """The AIFF with as many frames as there are, if it states another number or a length that is too short."""
    head = bytearray(file.peek(0, content))
    channels, frames, bits = _COMMON.unpack_from(head, common)
    codec = bytes(head[common + 18 : common + 22]) if about > 18 else _PLAIN[0]
    # A file may state the bits that a sample of these has when it is decoded.
    size = channels * (1 if codec in _BYTES else (bits + 7) // 8)
    if not size or codec not in _PLAIN + _BYTES:
        return None
    goes_on = stop - content <= 8 or _goes_on(file, stop + stop % 2)
    stop = file.size if goes_on else stop
    there = (stop - content - 8) // size
    if stop > file.size or (not goes_on and frames <= there):
        return None
    _COMMON.pack_into(head, common, channels, there, bits)
    head[content - 4 :] = (stop - content).to_bytes(4, "big")
    return [bytes(head), (content, file.size)]


def _riff(file: RangeFile) -> list[Part] | None:
    """A WAV whose sound is in several chunks, or not where the chunks before it end."""
    chunks = list(riff_chunks(file, 12, file.size))
    places = {name: (content, stop) for name, content, stop in chunks}
    if b"fmt " not in places:
        return None
    return _in_one(file, chunks, places[b"fmt "][0]) if b"data" in places else _hidden(file, places)


def _in_one(file: RangeFile, chunks: list[tuple[bytes, int, int]], about: int) -> list[Part] | None:
    """The WAV with all of its sound in the first chunk of sound: FFmpeg would play the last one alone."""
    first = next(number for number, chunk in enumerate(chunks) if chunk[0] == b"data")
    behind = chunks[first:]
    unit = int.from_bytes(file.peek(about + 12, 2), "little") or 1
    sound = [(start, stop - (stop - start) % unit) for name, start, stop in behind if name == b"data"]
    size = sum(stop - start for start, stop in sound)
    if len(sound) < 2 or size >= RIFF_UNKNOWN_FROM:
        return None
    others = [(start - 8, stop + (stop - start) % 2) for name, start, stop in behind if name != b"data"]
    head: list[Part] = [(0, sound[0][0] - 4), size.to_bytes(4, "little")]
    return [*head, *_there(file, sound), bytes(size % 2), *_there(file, others)]


def _there(file: RangeFile, parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(start, min(stop, file.size)) for start, stop in parts if start < min(stop, file.size)]


def _hidden(file: RangeFile, places: dict[bytes, tuple[int, int]]) -> list[Part] | None:
    """A WAV whose sound is not where the chunks before it end: one is odd and lacks a byte, or zeros follow."""
    about, end = places[b"fmt "]
    sound = file.peek(0, _LOOK).find(b"data", end)
    return [(0, 12), (about - 8, end), (sound, file.size)] if sound > 0 else None


def _rifx(file: RangeFile) -> list[Part] | None:
    """A WAV whose samples have their highest byte first, as the AIFF that it could be: FFmpeg would play noise."""
    about = None
    for name, content, stop in riff_chunks(file, 12, file.size, "big"):
        if name == b"fmt " and stop - content >= _FORMAT.size:
            about = _FORMAT.unpack(file.peek(content, _FORMAT.size))
        if name == b"data" and about and about[0] == _SAMPLES and about[3] in _BITS:
            return [_as_aiff(about[1], about[2], about[3], stop - content), (content, min(stop, file.size))]
    return None


def _as_aiff(channels: int, rate: int, bits: int, size: int) -> bytes:
    common = _COMMON.pack(channels, size // (channels * bits // 8 or 1), bits) + _extended(rate)
    chunks = b"COMM" + len(common).to_bytes(4, "big") + common + b"SSND" + (size + 8).to_bytes(4, "big") + bytes(8)
    return b"FORM" + (4 + len(chunks) + size).to_bytes(4, "big") + b"AIFF" + chunks


def _extended(number: int) -> bytes:
    """A whole number as 80 bits of floating point (IEEE 754-1985)."""
    length = number.bit_length()
    return (16382 + length).to_bytes(2, "big") + (number << (64 - length)).to_bytes(8, "big")


def form_chunks(file: RangeFile, start: int, *, wide: bool = False) -> Iterator[tuple[bytes, int, int]]:
    """Name, start of the content and stated end of each chunk; `wide` ones have lengths of eight bytes."""
    digits = 8 if wide else 4
    for _ in range(_MAX_CHUNKS):
        head = file.peek(start, 4 + digits)
        if len(head) < 4 + digits:
            return
        size = int.from_bytes(head[4:], "big", signed=wide)
        yield head[:4], start + 4 + digits, start + 4 + digits + size
        if size < 0:
            return
        start += 4 + digits + size + (0 if wide else size % 2)


def _goes_on(file: RangeFile, stop: int, *, wide: bool = False) -> bool:
    """Whether sound is behind the place where it should end: no chunk, and no zeros."""
    if stop >= file.size - _MIN_REST:
        return False
    name, _, end = next(form_chunks(file, stop, wide=wide))
    is_chunk = name in (b"FORM", b"caff") or (_NAME.fullmatch(name) and end <= file.size)
    return not is_chunk and any(file.peek(stop, _MIN_REST))
