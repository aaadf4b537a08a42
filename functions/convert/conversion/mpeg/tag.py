"""ID3 for the finished MP3: the ID3v2.4 prefix with chapters and the cover, and the ID3v1 suffix.

Own writer, because FFmpeg's mp3 muxer counts the chapters in its table of contents modulo 256, writes comments where
players do not look (TXXX), and needs an audio stream to write a tag at all; what can write all of it is under the GPL.
"""

from __future__ import annotations

import math
import re
import struct
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functions.convert.conversion.media import Chapter

__all__ = ["MAX_CHAPTERS", "MAX_TEXT_LENGTH", "cleaned", "id3v1", "id3v2", "synchsafe", "synchsafe_number"]

# So that no prefix is longer than 1 MiB and the cover: 1000 × (4 × 200 + 67) + 13 × (4 × 1000 + 20) bytes.
MAX_TEXT_LENGTH, MAX_CHAPTER_LENGTH, MAX_CHAPTERS = 1000, 200, 1000

# Where the bits of each byte of a size stand (ID3v2.4 structure, section 6.2).
_SHIFTS = (21, 14, 7, 0)
# ffmpeg's generic names of tags → the text frames (ID3v2.4 frames, section 4.2). Everything else is dropped.
FRAMES = {
    "title": "TIT2",
    "artist": "TPE1",
    "album_artist": "TPE2",
    "album": "TALB",
    "date": "TDRC",
    "genre": "TCON",
    "track": "TRCK",
    "disc": "TPOS",
    "composer": "TCOM",
    "language": "TLAN",
    "copyright": "TCOP",
    "publisher": "TPUB",
}

# How much of the text is taken: ID3v2.4 structure, section 4 (time stamps, of which the time of day is left out, or
# else a year anywhere; ISO-639-2), and frames, section 4.2.1 (numbers).
_NUMBERS = re.compile(r"^[0-9]{1,5}(/[0-9]{1,5})?$")
_FORMS = {
    "date": re.compile(r"^[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?|\b[0-9]{4}\b"),
    "track": _NUMBERS,
    "disc": _NUMBERS,
    "language": re.compile(r"^(?!und)[a-z]{3}$"),
}

_BREAKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UTF8, _LATIN1 = b"\x03", b"\x00"
_FRONT_COVER = b"\x03"
_TOP_LEVEL, _ORDERED = 2, 1
_NO_OFFSET = 0xFFFFFFFF
_MAX_MILLISECONDS = 0xFFFFFFFE


def id3v2(tags: Mapping[str, str], chapters: Sequence[Chapter], cover: bytes | None) -> bytes:
    """The ID3v2.4 tag in UTF-8 that the MP3 begins with; empty when there is nothing to tell.

    `tags` have ffmpeg's generic names in lower case; a description stands in for a comment. Of `chapters` (times in
    seconds) the first 1000 are taken, less what ends before it begins; `cover` is a JPEG. At most 1 MiB and the cover,
    whatever the texts.
    """
    frames = b"".join((*_texts(tags), *_chapters(chapters), *_pictures(cover)))
    return b"ID3\x04\x00\x00" + synchsafe(len(frames)) + frames if frames else b""


def id3v1(tags: Mapping[str, str]) -> bytes:
    """The 128 bytes of ID3v1.1 that the MP3 ends with, in Latin-1 with "?" for other letters and no genre."""
    texts = (("title", 30), ("artist", 30), ("album", 30), ("date", 4), ("comment", 28))
    fields = b"".join(_field(_text(tags, name), length) for name, length in texts)
    track = _text(tags, "track").partition("/")[0]
    number = int(track or 0)
    return b"TAG" + fields + bytes((0, number if number < 256 else 0, 255))


def cleaned(text: str, length: int) -> str:
    """`text` in one line, without control characters and halves of characters, cut to `length` characters."""
    return _CONTROLS.sub("", _BREAKS.sub(" ", text)).strip()[:length]


def _texts(tags: Mapping[str, str]) -> Iterator[bytes]:
    for name, frame in FRAMES.items():
        if text := _text(tags, name):
            yield _text_frame(frame, text)
    if comment := _lines(tags.get("comment", "")) or _lines(tags.get("description", "")):
        # Section 4.10: the language, XXX when it is not known, and an empty description.
        language = _text(tags, "language") or "XXX"
        yield _frame("COMM", _UTF8 + language.encode() + b"\x00" + comment.encode())


def _text(tags: Mapping[str, str], name: str) -> str:
    text = cleaned(tags.get(name, ""), MAX_TEXT_LENGTH)
    if name not in _FORMS:
        return text
    found = _FORMS[name].search(text.lower())
    return found.group() if found else ""


def _lines(text: str) -> str:
    """A comment alone has lines."""
    return "\n".join(cleaned(line, MAX_TEXT_LENGTH) for line in text.splitlines()).strip()[:MAX_TEXT_LENGTH]


def _chapters(chapters: Sequence[Chapter]) -> Iterator[bytes]:
    """ID3v2 Chapter Frame Addendum 1.0: a table of contents (CTOC), and a CHAP for each entry."""
    sound = sorted(filter(_is_sound, chapters[:MAX_CHAPTERS]), key=lambda chapter: chapter.start)
    if sound:
        yield from _contents([f"ch{index}" for index in range(len(sound))])
    for index, chapter in enumerate(sound):
        yield _chapter(f"ch{index}", chapter)


def _is_sound(chapter: Chapter) -> bool:
    return math.isfinite(chapter.start) and math.isfinite(chapter.end) and max(chapter.start, 0) < chapter.end


def _contents(names: Sequence[str]) -> Iterator[bytes]:
    """One CTOC, or one with a CTOC for each 255 entries below it: the number of entries is one byte."""
    if len(names) <= 255:
        yield _table("toc", _TOP_LEVEL | _ORDERED, names)
        return
    parts = [names[start : start + 255] for start in range(0, len(names), 255)]
    yield _table("toc", _TOP_LEVEL | _ORDERED, [f"toc{index}" for index in range(len(parts))])
    for index, part in enumerate(parts):
        yield _table(f"toc{index}", _ORDERED, part)


def _table(name: str, flags: int, entries: Sequence[str]) -> bytes:
    return _frame("CTOC", _ended(name) + bytes((flags, len(entries))) + b"".join(map(_ended, entries)))


def _chapter(name: str, chapter: Chapter) -> bytes:
    times = struct.pack(">4I", _milliseconds(chapter.start), _milliseconds(chapter.end), _NO_OFFSET, _NO_OFFSET)
    title = cleaned(chapter.title, MAX_CHAPTER_LENGTH)
    return _frame("CHAP", _ended(name) + times + (_text_frame("TIT2", title) if title else b""))


def _pictures(cover: bytes | None) -> Iterator[bytes]:
    if cover:
        yield _frame("APIC", _LATIN1 + b"image/jpeg\x00" + _FRONT_COVER + b"\x00" + cover)


def _text_frame(name: str, text: str) -> bytes:
    return _frame(name, _UTF8 + text.encode())


def _frame(name: str, content: bytes) -> bytes:
    return name.encode() + synchsafe(len(content)) + b"\x00\x00" + content


def synchsafe(number: int) -> bytes:
    """Four bytes of seven bits (ID3v2.4 structure, section 6.2)."""
    return bytes(number >> shift & 0x7F for shift in _SHIFTS)


def synchsafe_number(data: bytes) -> int | None:
    """The number in four bytes of seven bits; None where they are not four, or one has its top bit, which is none."""
    if len(data) != len(_SHIFTS) or not data.isascii():
        return None
    return sum(byte << shift for byte, shift in zip(data, _SHIFTS, strict=True))


def _ended(name: str) -> bytes:
    return name.encode() + b"\x00"


def _milliseconds(seconds: float) -> int:
    return round(min(max(seconds, 0.0) * 1000, _MAX_MILLISECONDS))


def _field(text: str, length: int) -> bytes:
    # Composed: a letter and its accent as two characters would become two, one of them "?".
    return unicodedata.normalize("NFC", text).encode("latin-1", "replace")[:length].ljust(length, b"\x00")
