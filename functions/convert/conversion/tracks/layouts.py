"""Names of channel layouts, and the one thing about them that must not be left to av."""

from __future__ import annotations

import ctypes
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext

__all__ = ["LIKELY", "as_pan", "side_of", "tame"]

# What a number of channels without names most likely is, as FFmpeg guesses it.
LIKELY = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
# FFmpeg's own order of channels, in which alone it mixes them.
_ORDER = (
    *("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR"),
    *("TC", "TFL", "TFC", "TFR", "TBL", "TBC", "TBR"),
)
_SIDES = {
    **dict.fromkeys(("FL", "BL", "FLC", "SL", "TFL", "TBL"), "left"),
    **dict.fromkeys(("FR", "BR", "FRC", "SR", "TFR", "TBR"), "right"),
}
_OTHER_ORDER = re.compile(r"(\d+) channels \((.*)\)")


def tame(context: AudioCodecContext) -> str:
    """The name of a decoder's layout, as the file has it; the decoder itself, not open yet, gets one in usual order.

    av 18 shares the list of channels of any other order with what it gives out, and frees it once for each: the
    process would abort at the first decoded frame, or later. So that list must never be freed by av.
    """
    layout = context.layout
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
    name, count = layout.name, layout.nb_channels
    if name == f"{count} channels":
        name = LIKELY.get(count, name)
    if _OTHER_ORDER.fullmatch(name):
        context.layout = LIKELY.get(count, f"{count} channels")
    elif "channels" not in name:
        context.layout = name
    return name


def as_pan(layout: str, count: int) -> str | None:
    """Arguments of the filter `pan` that bring channels in the usual order, or None when they are in it."""
    if "channels" not in layout and "ambisonic" not in layout:
        return None
    other = _OTHER_ORDER.fullmatch(layout)
    names = other[2].split("+") if other else []
    if names and set(names) <= set(_ORDER) and len(set(names)) == len(names):
        moved = [f"{name}=c{at}" for at, name in enumerate(names)]
        return "|".join(["+".join(sorted(names, key=_ORDER.index)), *moved])
    if count in LIKELY and "ambisonic" not in layout:
        return "|".join([LIKELY[count], *(f"c{at}=c{at}" for at in range(count))])
    # What they are is not known: a player would play the first two.
    return "stereo|c0=c0|c1=c1"


def side_of(layout: str) -> str | None:
    """ "left" or "right" for a track of one channel that belongs there, as editors write them; else None."""
    other = _OTHER_ORDER.fullmatch(layout)
    return _SIDES.get(other[2]) if other else None
