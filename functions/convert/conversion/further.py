"""Where a second recording begins in a file, behind the first one: files that were joined end to end.

FFmpeg reads on by itself in Matroska, AVI, MPEG, NUT, FLAC, MP3, AAC, Ogg of one kind, and MP4 in fragments.
"""

from __future__ import annotations

import re

from functions.convert.conversion.boxes import boxes
from functions.convert.conversion.source import RangeFile
from functions.convert.conversion.tails import ASF, W64

__all__ = ["further_recording"]

# How far behind the sound of the first one it is looked for: tags and pictures may lie between.
_LOOK = 1024 * 1024
# FFmpeg's name of a container → how it begins. Of an Ogg, what begins is a stream: a page with that flag (RFC 3533, 6).
_BEGINS = {
    "wav": re.compile(rb"(RIFF|RF64).{4}WAVE", re.DOTALL),
    "aiff": re.compile(rb"FORM.{4}AIF[FC]", re.DOTALL),
    "caf": re.compile(rb"caff\x00\x01"),
    "w64": re.compile(re.escape(W64)),
    "flv": re.compile(rb"FLV\x01[\x01\x04\x05]\x00\x00\x00\x09"),
    "asf": re.compile(re.escape(ASF)),
    "tta": re.compile(rb"TTA[12][\x01-\x03]\x00"),
    "ogg": re.compile(rb"OggS\x00[\x02\x03\x06\x07]"),
}
_MP4 = "mov,mp4,m4a,3gp,3g2,mj2"


def further_recording(file: RangeFile, form: str, position: int) -> int | None:
    """Where the next recording may begin in a file of a container; `position` is where the sound so far ends."""
    if form == _MP4:
        starts = (box.start for box in boxes(file, 0, file.size) if box.kind == b"ftyp" and box.start)
        return next(starts, None)
    if form not in _BEGINS:
        return None
    found = _BEGINS[form].search(file.peek(max(position, 1), _LOOK))
    return max(position, 1) + found.start() if found else None
