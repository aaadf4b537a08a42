"""Another recording behind the one that was read: files that were joined end to end.

FFmpeg reads on by itself in MPEG, NUT, MP3, AAC, and Ogg of one kind. In an MP4, a Matroska or an AVI it would take the
tracks of the first one for those of all, in a FLAC its sample rate: there, the file ends before the next one (`opened`
sees to that).
"""

from __future__ import annotations

import re

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from functions.convert.conversion.containers.behind import MEASURED
from functions.convert.conversion.containers.probe import opened
from functions.convert.conversion.containers.restarts import rest_from
from functions.convert.conversion.containers.tails import ASF, W64
from functions.convert.conversion.containers.voc import VOC
from functions.convert.conversion.source import RangeFile
from functions.shared.reasons import Failure

__all__ = ["opened_further"]

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
    # A block of WavPack: its length, a version of its format, how many samples there are, and that it is the first.
    "wv": re.compile(rb"wvpk.{4}[\x02-\x10]\x04.{6}\x00{4}", re.DOTALL),
    "voc": re.compile(VOC),
    "ogg": re.compile(rb"OggS\x00[\x02\x03\x06\x07]"),
}
# FFmpeg has read so much further than the packet that it gave, at most.
_READ_AHEAD = 128 * 1024


def opened_further(container: InputContainer, newest: Packet[AudioStream] | None, track: int) -> InputContainer | None:
    """The recording behind that of a container, whose last packet is `newest`; None where there is none.

    Raises: Failure when something begins there that cannot be read, or that has fewer tracks.
    """
    # Typed as what av keeps: it wraps the file that it was given.
    file: RangeFile = container.file.file
    if newest is None:
        return None
    at = newest.pos
    position = file.tell() - _READ_AHEAD if at is None or at < 0 else at + newest.size
    start = _start(file, container.format.name, max(position, 1))
    if start is None:
        return None
    further = opened(rest_from(file, start))
    if track >= len(further.streams.audio):
        raise Failure("no-track")
    return further


def _start(file: RangeFile, form: str, position: int) -> int | None:
    """Where the next recording may begin in a file of a container; `position` is where the sound so far ends."""
    if form in (*MEASURED, "flac"):
        return file.size if file.goes_on else None
    found = _BEGINS[form].search(file.peek(position, _LOOK)) if form in _BEGINS else None
    return position + found.start() if found else None
