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
    timeline = Timeline(tick, start, empty, counts=name == "avi" and tick < _CHUNK, is_chain=name == "ogg")
    if plan.strung or name in _WITHOUT_CLOCK:
        timeline.string()
    return timeline
