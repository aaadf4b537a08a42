"""Where a file begins behind rubbish that somebody put before it: a head of HTTP, zeros, a part of another file."""

from __future__ import annotations

import re

from functions.convert.conversion.containers import ebml
from functions.convert.conversion.containers.tails import ASF, W64
from functions.convert.conversion.source import RangeFile

__all__ = ["begins_as_media", "begins_at", "is_document", "lost_its_beginning"]

# How far it is looked for.
_LOOK, _STEP, _MARK = 4 * 1024 * 1024, 256 * 1024, 64
# An MP4 (its brand is four letters, the box below 256 bytes); Matroska and WebM (the head says which, RFC 8794, 11.2);
# AVI and WAV; the first page of an Ogg (RFC 3533, 6); FLV; FLAC (RFC 9639, 8: the first block has 34 bytes); AIFF;
# Core Audio; two frames of DTS (ETSI TS 102 114, 5.3); ASF; Wave64.
_BEGINS = re.compile(
    rb"\0\0\0[\x10-\xff]ftyp[ -~]{4}"
    rb"|" + re.escape(ebml.MAGIC) + rb"(?=.{0,48}(?:matroska|webm))"
    rb"|RIFF.{4}(?:AVI |WAVE)"
    rb"|OggS\0\x02"
    rb"|FLV\x01[\x01\x04\x05]\0\0\0\x09"
    rb"|fLaC[\x00\x80]\0\0\x22"
    rb"|FORM.{4}AIF[FC]"
    rb"|caff\0\x01"
    rb"|\x7f\xfe\x80\x01[\xfc-\xff](?=.{86,16384}\x7f\xfe\x80\x01)"
    rb"|" + re.escape(ASF) + rb"|" + re.escape(W64),
    re.DOTALL,
)
# So many pages of an Ogg are looked for, within the longest length of so many.
_PAGE, _PAGES, _LONGEST = b"OggS\0", 2, 2 * 65_307
# Documents, archives and programs may have recordings in them, but are none: ZIP, PDF, Windows, Linux, gzip, RAR,
# 7-Zip, Microsoft's compound files.
_NOT_MEDIA = (b"PK\3\4", b"%PDF", b"MZ", b"\x7fELF", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf", b"\xd0\xcf\x11\xe0")


def begins_at(file: RangeFile) -> int | None:
    """Where the first file of a known container begins in a file, beyond its start; None where there is none."""
    if is_document(file):
        return None
    for start in range(0, min(file.size, _LOOK), _STEP):
        found = _BEGINS.search(file.peek(start, _STEP + _MARK), 1 if start == 0 else 0)
        if found:
            return start + found.start()
    return None


def is_document(file: RangeFile) -> bool:
    """Whether it is a document, an archive or a program."""
    return file.peek(0, 8).startswith(_NOT_MEDIA)


def begins_as_media(file: RangeFile) -> bool:
    """Whether a file begins like one of a known container."""
    return bool(_BEGINS.match(file.peek(0, _MARK)))


def lost_its_beginning(file: RangeFile) -> bool:
    """Whether it is an Ogg without its first pages, which say what codec it has."""
    return file.peek(0, _LONGEST).count(_PAGE) >= _PAGES
