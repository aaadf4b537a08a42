"""What a hostile file is, which ends of its conversion are right, and how boxes, elements and chunks are written."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

__all__ = [
    "BROKEN",
    "MP3",
    "NO_MEDIA",
    "SECONDS",
    "TONE_HZ",
    "UNREADABLE",
    "Hostile",
    "box",
    "chunk",
    "element",
    "number",
    "pcm",
    "text",
    "wav",
]

# What every file sounds like that has sound; and how long it has it.
TONE_HZ, SECONDS = 440, 1.5

# The ends that are right are reasons of functions/shared/reasons.py, or this: an MP3.
MP3 = "mp3"
# What is no video at all. What has a beginning that FFmpeg knows, and nothing to convert behind it. What was a video,
# and is broken somewhere.
NO_MEDIA = frozenset({"not-media", "refused-format"})
UNREADABLE = frozenset({"not-media", "damaged", "truncated", "no-audio", "unsupported-codec"})
BROKEN = UNREADABLE | {MP3, "refused-format", "too-long"}


@dataclass(frozen=True)
class Hostile:
    """A file that is uploaded as `filename`, and the ends of its conversion that are right: reasons, or MP3.

    `zeros` bytes follow its content, as a hole on the disk.
    """

    name: str
    content: bytes
    right: frozenset[str]
    filename: str = "talk.mp4"
    zeros: int = 0


def box(kind: bytes, content: bytes = b"", size: int | None = None) -> bytes:
    """A box of an MP4 (ISO/IEC 14496-12, 4.2); `size` is what it states where that is a lie."""
    return struct.pack(">I", len(content) + 8 if size is None else size) + kind + content


def chunk(kind: bytes, content: bytes, size: int | None = None) -> bytes:
    """A chunk of RIFF; `size` is what it states where that is a lie."""
    return kind + struct.pack("<I", len(content) if size is None else size) + content + bytes(len(content) % 2)


def element(kind: int, content: bytes) -> bytes:
    """An element of EBML (RFC 8794), with a length of eight bytes."""
    return kind.to_bytes((kind.bit_length() + 7) // 8) + b"\x01" + len(content).to_bytes(7) + content


def number(kind: int, value: int) -> bytes:
    """An element that holds a whole number."""
    return element(kind, value.to_bytes(max(1, (value.bit_length() + 7) // 8)))


def text(kind: int, value: str | bytes) -> bytes:
    """An element that holds a text, or what is none."""
    return element(kind, value.encode() if isinstance(value, str) else value)


def pcm(rate: int = 8000, seconds: float = SECONDS, channels: int = 1) -> bytes:
    """The tone as samples of 16 bits."""
    wave = (round(12000 * math.sin(2 * math.pi * TONE_HZ * at / rate)) for at in range(round(rate * seconds)))
    return b"".join(struct.pack("<h", value) * channels for value in wave)


def wav(
    samples: bytes | None = None,
    rate: int = 8000,
    channels: int = 1,
    bits: int = 16,
    size: int | None = None,
    chunks: bytes = b"",
) -> bytes:
    """A WAV of these samples (the tone, unless said), whose data chunk states a `size`, after these `chunks`."""
    samples = pcm(8000, SECONDS, channels) if samples is None else samples
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * block & 0xFFFFFFFF, block & 0xFFFF, bits)
    inside = b"WAVE" + chunk(b"fmt ", form) + chunks + chunk(b"data", samples, size)
    return chunk(b"RIFF", inside, None if size is None else min(size + 36, 0xFFFFFFFF))
