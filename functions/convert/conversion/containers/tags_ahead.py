"""An ID3v2 tag before a file: one that FFmpeg does not know there, or that states more bytes than it has.

A tag was made smaller, or cut, and its size stayed what it was: FFmpeg passes over the sound that lies in it.
"""

from __future__ import annotations

import re

from functions.convert.conversion.containers import ebml
from functions.convert.conversion.containers.mp3_file import after_id3, begins_row, cuts_a_frame, sound_start
from functions.convert.conversion.containers.mp3_tags import ID3_HEAD, id3_size
from functions.convert.conversion.containers.tails import ASF
from functions.convert.conversion.mpeg.tag import synchsafe, synchsafe_number
from functions.convert.conversion.source import RangeFile

__all__ = ["leave_tag"]

# How files begin before which FFmpeg knows no ID3 tag: WAV, AIFF, CAF, AU, WavPack, Matroska, FLV, WMA, RealAudio.
_UNTAGGED = (b"RIFF", b"RF64", b"FORM", b"caff", b".snd", b"wvpk", ebml.MAGIC, b"FLV\1", ASF, b".RMF")
# Where the size of a tag stands, and the largest (four times seven bits).
_SIZE, _MAX_SIZE = 6, 2**28 - 1

# Versions 2 to 4 → how a frame in a tag begins: a name, its size, and in the newer ones two bytes of flags.
_FRAMES = {2: (re.compile(rb"[A-Z0-9]{3}"), 3, 6), 3: (re.compile(rb"[A-Z0-9]{4}"), 4, 10)}
_FRAMES[4] = _FRAMES[3]
_MAX_FRAMES, _MAX_PADDING, _STEP = 1000, 1024 * 1024, 64 * 1024


def leave_tag(file: RangeFile) -> bytes:
    """Correct the size of an ID3 tag, and leave out one where FFmpeg knows none. Returns: how the file begins then."""
    if size := _right_size(file):
        file.patch(_SIZE, size)
    start = after_id3(file)
    head = file.peek(start, 16)
    if start and (head[4:8] == b"ftyp" or head.startswith(_UNTAGGED)):
        file.become([(start, file.size)])
    return file.peek(0, 16)


def _right_size(file: RangeFile) -> bytes | None:
    """The four bytes that a tag at the beginning should have for its size; None where it is right, or there is none."""
    # One that states no size may go on to the end.
    stop = after_id3(file) or (file.size if file.peek(0, 3) == b"ID3" else 0)
    start = _sound_in_tag(file, stop) if stop else None
    if start is None:
        return None
    # The head, and in some the same again behind the tag, do not count.
    size = start - id3_size(file.peek(0, 6) + bytes(4))
    return synchsafe(size) if 0 <= size <= _MAX_SIZE else None


def _sound_in_tag(file: RangeFile, stop: int) -> int | None:
    """Where the frames of sound begin that lie in a tag which states to end at `stop`; None where none do."""
    end = _after_padding(file, _frames_end(file, stop), stop)
    if end < stop and begins_row(file, end):
        return end
    if stop < file.size and not cuts_a_frame(file, stop):
        return None
    # Its own frames are wrong about their sizes, too.
    found = sound_start(file)
    return found if found is not None and found < stop else None


def _frames_end(file: RangeFile, stop: int) -> int:
    """Where the frames of a tag end, by the sizes that they state (ID3v2.2, 3.2; ID3v2.3, 3.3; ID3v2.4, 4)."""
    version, at = file.peek(3, 1)[0], ID3_HEAD
    name, width, size = _FRAMES.get(version, _FRAMES[4])
    for _ in range(_MAX_FRAMES):
        head = file.peek(at, size)
        if at >= stop or not name.match(head):
            break
        at += size + _frame_size(head[width : 2 * width], version)
    return at


def _frame_size(data: bytes, version: int) -> int:
    """What a frame states. Some use all eight bits of a byte in version 2.4 too: it shows where the top one is set."""
    size = synchsafe_number(data) if version == 4 else None
    return int.from_bytes(data, "big") if size is None else size


def _after_padding(file: RangeFile, at: int, stop: int) -> int:
    """Where the first byte is that is not zero."""
    for start in range(at, min(stop, at + _MAX_PADDING), _STEP):
        data = file.peek(start, _STEP)
        if rest := data.lstrip(b"\0"):
            return start + len(data) - len(rest)
    return stop
