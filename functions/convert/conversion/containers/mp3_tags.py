"""Tags in an MP3, wherever they lie: where files were joined end to end, they lie between the frames."""

from __future__ import annotations

import re

from functions.convert.conversion.mpeg.frames import Header
from functions.convert.conversion.mpeg.tag import synchsafe_number

__all__ = ["ID3_HEAD", "first_tag", "id3_size", "is_info_frame", "may_be_more_than_a_frame"]

ID3_HEAD = 10
_ID3V1, _ID3V1_SIZE = b"TAG", 128
_APE, _APE_HEAD = b"APETAGEX", 32
# In the flags of an APE tag's header and footer (APEv2 specification): which of the two it is.
_APE_IS_HEADER = 1 << 29
# A Lyrics3 tag says only at its end where that is (Lyrics3 v1; v2.00), and is hardly longer than this.
_LYRICS, _LYRICS_END, _MAX_LYRICS = b"LYRICSBEGIN", re.compile(rb"LYRICSEND|\d{6}LYRICS200"), 128 * 1024
# An ID3v2 tag (ID3v2.4 structure, 3.1: versions 2 to 4, and no byte of the size above 0x7F), or another one.
_TAG = re.compile(rb"ID3[\x02-\x04][\x00-\x0f].[\x00-\x7f]{4}|APETAGEX|LYRICSBEGIN", re.DOTALL)
# Names of header frames: Xing's, LAME's for a constant bitrate, Fraunhofer's.
_INFO = (b"Xing", b"Info")
_VBRI, _VBRI_AT = b"VBRI", 4 + 32
# Where the name in a header frame is, in whatever version and mode, with a checksum or without one.
_INFO_PLACES, _INFO_NAMES = slice(13, 42), re.compile(rb"Xing|Info|VBRI")


def id3_size(head: bytes) -> int:
    """How long the ID3v2 tag with this head is, in bytes; 0 where it is none (ID3v2.4 structure, 3.1)."""
    size = synchsafe_number(head[6:ID3_HEAD])
    if size is None or not head.startswith(b"ID3"):
        return 0
    return ID3_HEAD + size + (ID3_HEAD if head[5] & 0x10 else 0)


def first_tag(data: bytes) -> tuple[int, int | None] | None:
    """Where the first tag in data begins and ends, in bytes; the end may lie beyond the data, None if nobody knows yet.

    ID3v1 has three letters, which are there by chance, too: it counts at the beginning only.
    """
    if data.startswith(_ID3V1):
        return 0, _ID3V1_SIZE
    found = _TAG.search(data)
    if found is None:
        return None
    start = found.start()
    if data.startswith(_APE, start):
        return _ape(data, start)
    if data.startswith(_LYRICS, start):
        end = _LYRICS_END.search(data, start)
        return start, end.end() if end else None if len(data) < start + _MAX_LYRICS else len(data)
    return start, start + id3_size(data[start : start + ID3_HEAD])


def _ape(data: bytes, at: int) -> tuple[int, int]:
    """A tag has a header and a footer, or only a footer; the size counts all but the header."""
    size = int.from_bytes(data[at + 12 : at + 16], "little")
    flags = int.from_bytes(data[at + 20 : at + 24], "little")
    stop = at + _APE_HEAD
    return (at, stop + size) if flags & _APE_IS_HEADER else (max(stop - size, 0), stop)


def may_be_more_than_a_frame(data: bytes) -> bool:
    """Whether what FFmpeg took for a frame may have a tag in it, or be a header frame. It is asked of each."""
    looks_tagged = b"ID3" in data or b"APETAGEX" in data or _LYRICS in data or data.startswith(_ID3V1)
    return looks_tagged or _INFO_NAMES.search(data[_INFO_PLACES]) is not None


def is_info_frame(frame: bytes, head: Header) -> bool:
    """Whether a frame tells about others, and holds no sound."""
    return frame[head.overhead : head.overhead + 4] in _INFO or frame[_VBRI_AT : _VBRI_AT + 4] == _VBRI
