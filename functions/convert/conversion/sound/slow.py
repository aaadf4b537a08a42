"""A clock that is too slow for its sound: each packet comes later than the one before it ends, all by the same time."""

from __future__ import annotations

from itertools import islice

from functions.convert.conversion.marks import Stamps

__all__ = ["is_slow"]

# So many packets are looked at, or as many as there are.
_LOOK = 32
# In seconds: time stamps may be rounded to milliseconds.
_ROUNDED = 0.002
# How many times as long as the sound it may be. A codec that sends little in pauses sends every eighth frame, or less.
_RATIOS = (1.4, 4.5)


def is_slow(stamps: Stamps | None, tick: float, time: float, gap: float, length: float) -> bool:
    """Whether a hole comes of the clock: in units of time that are twice as long as stated, or sound at half its rate.

    The hole of `gap` seconds is before a frame at `time` that lasts `length`; `stamps` are those of the packets after
    it.
    """
    times = [pts * tick for pts, _ in islice(stamps(), _LOOK) if pts is not None] if stamps else []
    steps = [after - before for before, after in zip([time, *times], times, strict=False)]
    if not steps or max(steps) - min(steps) > 2 * max(_ROUNDED, tick):
        return False
    # What of a step is sound: a packet may have several frames.
    sound = steps[0] - gap
    return gap > 0 and sound >= 0.9 * length and _RATIOS[0] <= steps[0] / sound <= _RATIOS[1]
