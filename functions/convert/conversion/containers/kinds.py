"""What a file is that is no video, by its first bytes."""

from __future__ import annotations

import re

from functions.convert.conversion.containers.boxes import boxes
from functions.convert.conversion.source import RangeFile
from functions.shared.reasons import Failure

__all__ = ["check_kind", "is_text"]

_HEAD = 1024
# How texts begin that make FFmpeg read other files.
_TEXTS = (b"ffconcat", b"#extm3u", b"v=0", b"<smil", b"<mpd", b"<asx", b"<playlist", b"<smoothstreamingmedia")
_LISTS = (b"[playlist]", b"[reference]", b"rtsptext", b"smiltext", b"data:", b"http://", b"https://", b"file:")
# PNG, JPEG, GIF, BMP, TIFF, Photoshop, JPEG 2000, JPEG XL, OpenEXR, DPX, PCX, QOI, Netpbm.
_PICTURES = (
    *(b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"8BPS", b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"),
    *(b"\0\0\0\x0cJXL ", b"\x76\x2f\x31\x01", b"SDPX", b"XPDS", b"\x0a\x05\x01\x08", b"qoif"),
)
_NETPBM = re.compile(rb"P[1-7]\s+(#|\d+\s)")
# A bitmap states its size, and has four bytes of zeros after that.
_BITMAP = re.compile(rb"BM.{4}\0{4}", re.DOTALL)
# Brands of still pictures in the boxes of an MP4: HEIF, AVIF, Canon's raw (ISO/IEC 23008-12, annex B).
_PICTURE_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif", b"crx "}


def check_kind(file: RangeFile) -> None:
    """Raises: Failure (empty, refused-format, not-media) for what need not be looked into."""
    if file.size == 0:
        raise Failure("empty")
    head = file.peek(0, _HEAD)
    if _is_list(head):
        raise Failure("refused-format")
    if _is_picture(head) or (head[4:8] == b"ftyp" and head[8:12] in _PICTURE_BRANDS and not _has_movie(file)):
        raise Failure("not-media", "picture")


def is_text(file: RangeFile) -> bool:
    """Whether a file is a text: subtitles, a page, a script."""
    head = file.peek(0, _HEAD).removeprefix(b"\xef\xbb\xbf")
    return bool(head) and not any(byte < 32 and byte not in b"\t\n\f\r\x1b" for byte in head)


def _has_movie(file: RangeFile) -> bool:
    return any(box.kind == b"moov" for box in boxes(file, 0, file.size))


def _is_list(head: bytes) -> bool:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<?xml"):
        return any(mark in text for mark in _TEXTS[3:])
    return text.startswith(_TEXTS + _LISTS)


def _is_picture(head: bytes) -> bool:
    is_webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    return is_webp or head.startswith(_PICTURES) or bool(_NETPBM.match(head) or _BITMAP.match(head))
