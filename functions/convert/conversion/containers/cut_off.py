"""How a file ends, and how it says that it does: what FFmpeg does not check, or not for every container."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from functions.convert.conversion.containers import ebml, fragments, tails
from functions.convert.conversion.containers.boxes import FIRST, FRAGMENTS, Box, boxes
from functions.convert.conversion.containers.mp3_file import stated_by_header
from functions.convert.conversion.containers.voc import VOC, voc_end
from functions.convert.conversion.source import RangeFile

__all__ = ["MISSING_SECONDS", "Ending", "breaks_off", "ending", "is_cut_off", "lacks_much"]

# Where a file is cut off, so many seconds of sound may be missing before that counts: a few packets.
MISSING_SECONDS = 0.1

_HEAD = 1024
# A file that lacks more than this share of what it states is not read: it is cut off, whatever is in the rest.
_MUCH = 0.1
# Of a WAV and other plain files, so many bytes are no sound that anybody misses: where they are all that is known.
_FEW_BYTES = 4096
_WTV, _WTV_SECTOR = bytes.fromhex("b7d800203749da11a64e0007e95ead8d"), 4096


@dataclass(frozen=True)
class Ending:
    """How a file ends.

    `missing`: how many bytes it states that are not there. `seconds`: when its clock ends, if the file states it.
    `broken_off`: it ends in the middle of a piece. `unmarked`: what its format puts at the end is not there.
    `lacks_index`: without it nothing can be read. `fragmented`: it is an MP4 in fragments. `tick`: the unit of a
    Matroska's clock, in seconds.
    """

    missing: int = 0
    seconds: float | None = None
    broken_off: bool = False
    unmarked: bool = False
    lacks_index: bool = False
    fragmented: bool = False
    tick: float = 0.0


def ending(file: RangeFile, reached: int = 0) -> Ending:
    """How the file ends. `reached` is a position at which a piece of it is known to end, for fragments."""
    head = file.peek(0, _HEAD)
    for magic, look in _LOOKS.items():
        if head.startswith(magic):
            return look(file, head)
    if head[4:8] in FIRST | FRAGMENTS:
        return _mp4(file, reached)
    if (broken_off := tails.ends_in_a_packet(file)) is not None:
        return Ending(broken_off=broken_off)
    stated = stated_by_header(file)
    return Ending(max(stated.stop - file.size, 0), stated.seconds) if stated else Ending()


def is_cut_off(file: RangeFile) -> bool:
    """Whether a file certainly lacks a part, by its bytes: its index, or more than a little of its end."""
    found = ending(file)
    few = _FEW_BYTES if file.peek(0, 4) == b"RIFF" else 0
    return found.lacks_index or found.missing > few


def breaks_off(file: RangeFile) -> bool:
    """Whether it is an Ogg from its first page on (RFC 3533, 6), of which the last one is not whole."""
    return file.peek(0, 6) == b"OggS\0\x02" and ending(file).broken_off


def lacks_much(found: Ending, size: int) -> bool:
    """Whether so much of a file of `size` bytes is missing that it need not be read to know."""
    return found.missing > _MUCH * (size + found.missing)


def _riff(file: RangeFile, head: bytes) -> Ending:
    """An AVI or WAV: FFmpeg does not hold the length that it states against the file's own size."""
    if head[8:12] not in (b"AVI ", b"WAVE"):
        return Ending()
    # Some writers count the eight bytes before the length in, some do not.
    stated = int.from_bytes(head[4:8], "little")
    is_avi = head[8:12] == b"AVI "
    if tails.has_avi_index(file) if is_avi else tails.has_wav_sound(file):
        return Ending()
    if not 0 < stated < tails.RIFF_UNKNOWN_FROM:
        return Ending(unmarked=is_avi)
    return Ending(max(tails.riff_stop(file, stated) - file.size, 0))


def _form(file: RangeFile, head: bytes) -> Ending:
    """Sound of an Amiga: FFmpeg states no length. (Of an AIFF, it states that of the sound.)"""
    stated = 8 + int.from_bytes(head[4:8], "big") if head[8:12] == b"8SVX" else 0
    return Ending(max(stated - file.size, 0))


def _matroska(file: RangeFile, head: bytes) -> Ending:
    found = ebml.segment(file)
    if found is None:
        return Ending()
    missing = max((found.stop or 0) - file.size, 0)
    # A segment that is all there is not cut off, whatever it states of its length.
    return Ending(missing, None if found.stop and not missing else found.seconds, tick=found.tick)


def _ogg(file: RangeFile, head: bytes) -> Ending:
    whole, marked = tails.ogg_end(file)
    return Ending(broken_off=not whole, unmarked=not marked)


def _flv(file: RangeFile, head: bytes) -> Ending:
    return Ending(broken_off=not tails.ends_with_a_tag(file))


def _asf(file: RangeFile, head: bytes) -> Ending:
    return Ending(max(tails.asf_stop(file) - file.size, 0))


def _mp4(file: RangeFile, reached: int) -> Ending:
    """An MP4 or MOV: its end, or its index, may be missing."""
    top: list[Box] = []
    for box in boxes(file, 0, file.size):
        if not top and box.kind not in FIRST | FRAGMENTS:
            return Ending()
        if box.kind == b"moof":
            return _fragments(file, top, reached)
        top.append(box)
    fragmented = any(box.kind in FRAGMENTS for box in top) or any(_is_extended(file, box) for box in top)
    if fragmented:
        return _fragments(file, top, top[-1].stop)
    needed = [box for box in top if box.kind in (b"moov", b"mdat")]
    # What follows the last box that matters may be garbage that only looks like a longer one.
    missing = max(needed[-1].stop - file.size, 0) if needed else 0
    broken_off = missing > 0 and needed[-1].kind == b"moov"
    return Ending(missing, None, broken_off, lacks_index=bool(needed) and all(box.kind == b"mdat" for box in needed))


def _is_extended(file: RangeFile, box: Box) -> bool:
    return box.kind == b"moov" and any(inner.kind == b"mvex" for inner in boxes(file, box.content, box.stop))


def _fragments(file: RangeFile, top: list[Box], reached: int) -> Ending:
    stated = fragments.stated(file, top)
    last = [box for box in boxes(file, reached, file.size) if box.kind in FRAGMENTS | FIRST] if reached else []
    missing = max(stated.stop, reached) - file.size
    unmarked = not stated.stop and not stated.seconds and not fragments.has_end_mark(file)
    # The index of access points is the last of all: of it, nothing is missed.
    broken_off = reached > file.size or (bool(last) and last[-1].kind != b"mfra" and last[-1].stop > file.size)
    unmarked &= not any(box.kind == b"mfra" for box in last)
    lacks_index = not any(box.kind == b"moov" for box in top)
    return Ending(max(missing, 0), stated.seconds or None, broken_off, unmarked, lacks_index, fragmented=True)


def _w64(file: RangeFile, head: bytes) -> Ending:
    return Ending(max(int.from_bytes(head[16:24], "little") - file.size, 0))


def _caf(file: RangeFile, head: bytes) -> Ending:
    return Ending(max(tails.caf_stop(file) - file.size, 0))


def _mxf(file: RangeFile, head: bytes) -> Ending:
    return Ending(max(tails.mxf_stop(head) + 1 - file.size, 0))


def _nut(file: RangeFile, head: bytes) -> Ending:
    return Ending(unmarked=not tails.has_nut_index(file))


def _sox(file: RangeFile, head: bytes) -> Ending:
    return Ending(max(tails.sox_stop(head) - file.size, 0))


def _swf(file: RangeFile, head: bytes) -> Ending:
    """A Flash film that is not compressed states its length in bytes after its name and version."""
    stated = int.from_bytes(head[4:8], "little")
    if stated == tails.SWF_UNKNOWN:
        return Ending(unmarked=not tails.ends_as_swf(file))
    return Ending(max(stated - file.size, 0))


def _gxf(file: RangeFile, head: bytes) -> Ending:
    return Ending(broken_off=not tails.has_gxf_end(file))


def _voc(file: RangeFile, head: bytes) -> Ending:
    missing, marked = voc_end(file, int.from_bytes(head[20:22], "little"))
    return Ending(missing, unmarked=not marked)


def _mmf(file: RangeFile, head: bytes) -> Ending:
    """A ringtone of Yamaha's: one chunk with all others in it, whose length comes after its name."""
    return Ending(max(8 + int.from_bytes(head[4:8], "big") - file.size, 0))


def _rm(file: RangeFile, head: bytes) -> Ending:
    return Ending(max(tails.rm_stop(file) - file.size, 0))


def _adx(file: RangeFile, head: bytes) -> Ending:
    return Ending(max(tails.adx_stop(head) - file.size, 0))


def _wtv(file: RangeFile, head: bytes) -> Ending:
    """A recording of Windows' television: its index lies behind it, in sectors that its head counts."""
    size, sector = (int.from_bytes(head[at : at + 4], "little") for at in (0x30, 0x38))
    return Ending(lacks_index=sector * _WTV_SECTOR + max(size, 1) > file.size)


_LOOKS: dict[bytes, Callable[[RangeFile, bytes], Ending]] = {
    b"RIFF": _riff,
    b"FORM": _form,
    ebml.MAGIC: _matroska,
    b"OggS": _ogg,
    b"FLV\1": _flv,
    tails.ASF: _asf,
    tails.W64: _w64,
    b"caff": _caf,
    tails.MXF: _mxf,
    tails.NUT: _nut,
    b".SoX": _sox,
    b"FWS": _swf,
    tails.GXF: _gxf,
    VOC: _voc,
    b"MMMD": _mmf,
    b".RMF": _rm,
    b"\x80\0": _adx,
    _WTV: _wtv,
}
