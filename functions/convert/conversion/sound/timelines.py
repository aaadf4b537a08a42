"""The timeline of a track, by what its container says of the clock."""

from __future__ import annotations

import math
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from functions.convert.conversion.containers.edits import empty_edits
from functions.convert.conversion.plan import Plan
from functions.convert.conversion.sound.timeline import Timeline
from functions.convert.conversion.source import RangeFile

__all__ = ["timeline_of"]

# In an AVI, units of time that are shorter are bytes or samples that are counted; others are chunks of sound, of which
# some may be empty.
_CHUNK = Fraction(1, 1000)
# Bare frames, whose time stamps FFmpeg makes up.
_WITHOUT_CLOCK = {"mp3", "aac", "ac3", "eac3", "dts", "truehd", "mlp"}


def timeline_of(container: InputContainer, stream: AudioStream, plan: Plan) -> Timeline:
    """The timeline of a track, from where a player shows 0 on: where the first of all streams begins."""
    tick = stream.time_base or Fraction(1)
    # Typed as what av keeps: it wraps the file that it was given.
    file: RangeFile = container.file.file
    unknown = 0.0 if file.silence else math.nan
    start = (unknown if container.start_time is None else container.start_time / av.time_base) - file.silence
    empty = empty_edits(file, stream) if "mov" in container.format.name else ()
    name = container.format.name
    counts = name == "avi" and (tick < _CHUNK or _counts_bytes(stream))
    timeline = Timeline(tick, start, empty, counts=counts, is_chain=name == "ogg")
    if plan.strung or name in _WITHOUT_CLOCK:
        timeline.string()
    return timeline


def _counts_bytes(stream: AudioStream) -> bool:
    """Whether time stamps of an AVI count bytes, or take far more time than its header states.

    FFmpeg counts one for each block in a chunk, and what the header says of their size may be wrong (nBlockAlign).
    """
    entries, stated = stream.index_entries, stream.duration
    if len(entries) < 2:
        return False
    is_in_bytes = entries[1].timestamp - entries[0].timestamp == entries[0].size
    return is_in_bytes or (bool(stated) and entries[-1].timestamp - entries[0].timestamp > 2 * (stated or 0))
