"""Heads of plain sound files that state 0 channels, 0 samples a second, or 0 bits a sample: nothing can be played.

FFmpeg refuses some of them, and decodes nothing, or noise, of others.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from functions.convert.conversion.containers.heads import caf_chunks, form_chunks, format_of, is_plain_aiff
from functions.convert.conversion.containers.tails import Order
from functions.convert.conversion.source import RangeFile

__all__ = ["states_nothing"]

# Codec, channels, sample rate, bits of a sample (Multimedia Programming Interface 1.0, "WAVE"). Codecs of plain
# samples; those whose frames say it themselves: MPEG audio, AAC, AC-3, DTS.
_FORMATS, _PLAIN = {"little": struct.Struct("<HHI6xH"), "big": struct.Struct(">HHI6xH")}, (1, 3)
_FRAMED = (0x50, 0x55, 0xFF, 0x1600, 0x1602, 0x1610, 0x2000, 0x2001, 0x706D)
# Channels, bits, sample rate as a float of 80 bits (Audio Interchange File Format 1.3, "Common Chunk").
_COMMON = struct.Struct(">H4xH10s")
# Sample rate, codec, channels, bits (Apple Core Audio Format, "Audio Description Chunk").
_DESCRIPTION = struct.Struct(">d4s12xII")
# Sample rate and channels behind the mark, where the sound begins, its length and its codec.
_SUN, _SUN_AT = struct.Struct(">II"), 16


def states_nothing(file: RangeFile) -> bool:
    """Whether the head of a WAV, W64, AIFF, CAF or AU states 0 of what its samples need."""
    head = file.peek(0, 16)
    if head.startswith(b".snd"):
        numbers = file.peek(_SUN_AT, _SUN.size)
        return len(numbers) == _SUN.size and not all(_SUN.unpack(numbers))
    if head[:4] == b"FORM" and head[8:11] == b"AIF":
        return any(_is_void_aiff(file, *place) for place in _found(form_chunks(file, 12), b"COMM"))
    if head.startswith(b"caff"):
        return any(_is_void_caf(file, start) for start, _ in _found(caf_chunks(file), b"desc"))
    wav = format_of(file)
    return wav is not None and _is_void_wav(file, *wav)


def _found(chunks: Iterator[tuple[bytes, int, int]], wanted: bytes) -> list[tuple[int, int]]:
    """Where the first chunk of a name begins and ends, if there is one."""
    return next(([(start, stop)] for name, start, stop in chunks if name == wanted), [])


def _is_void_wav(file: RangeFile, start: int, order: Order) -> bool:
    numbers = _FORMATS[order]
    data = file.peek(start, numbers.size)
    if len(data) < numbers.size:
        return False
    codec, channels, rate, bits = numbers.unpack(data)
    return codec not in _FRAMED and not (channels and rate and (bits or codec not in _PLAIN))


def _is_void_aiff(file: RangeFile, start: int, stop: int) -> bool:
    data = file.peek(start, _COMMON.size)
    if len(data) < _COMMON.size:
        return False
    channels, bits, rate = _COMMON.unpack(data)
    return not (channels and any(rate) and (bits or not is_plain_aiff(file, start, stop)))


def _is_void_caf(file: RangeFile, start: int) -> bool:
    data = file.peek(start, _DESCRIPTION.size)
    if len(data) < _DESCRIPTION.size:
        return False
    rate, codec, channels, bits = _DESCRIPTION.unpack(data)
    return codec == b"lpcm" and not (channels and bits and rate)
