"""The timeline of a track, by what its container says of the clock."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import islice, pairwise

from av.audio.stream import AudioStream
from av.container import InputContainer

from functions.convert.conversion.containers.edits import empty_edits
from functions.convert.conversion.containers.start import start_of
from functions.convert.conversion.plan import Plan
from functions.convert.conversion.sound.timeline import Timeline
from functions.convert.conversion.source import RangeFile

__all__ = ["only_counts", "timeline_of"]

# In an AVI, units of time that are shorter are bytes or samples that are counted; others are chunks of sound, of which
# some may be empty. So many chunks are looked at.
_CHUNK, _LOOK = Fraction(1, 1000), 64
# Bare frames, whose time stamps FFmpeg makes up.
_WITHOUT_CLOCK = {"mp3", "aac", "ac3", "eac3", "dts", "truehd", "mlp"}


def timeline_of(container: InputContainer, stream: AudioStream, plan: Plan) -> Timeline:
    """The timeline of a track, from where a player shows 0 on: where the first of all streams begins."""
    tick = stream.time_base or Fraction(1)
    # Typed as what av keeps: it wraps the file that it was given.
    file: RangeFile = container.file.file
    unknown = 0.0 if file.silence else math.nan
    start = start_of(container, unknown) - file.silence
    empty = empty_edits(file, stream) if "mov" in container.format.name else ()
    name = container.format.name
    timeline = Timeline(tick, start, empty, counts=only_counts(container, stream), is_chain=name == "ogg")
    if plan.strung or name in _WITHOUT_CLOCK:
        timeline.string()
    return timeline


def only_counts(container: InputContainer, stream: AudioStream) -> bool:
    """Whether the time stamps of a track are a count of what came before, in bytes or samples: that of an AVI may be.

    FFmpeg counts bytes where the head states how many a chunk has, be it right or not. Else, most chunks are one unit
    later than the one before.
    """
    if container.format.name != "avi":
        return False
    times = [entry.timestamp for entry in islice(stream.index_entries, _LOOK)]
    steps = sorted(after - before for before, after in pairwise(times))
    return (stream.time_base or 0) < _CHUNK or (bool(steps) and steps[len(steps) // 2] > 1)
