"""What FFmpeg's filters are asked for: the same by both converters, so that the same options make the same sound."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from functions.convert.conversion.plan import TOLERANCE, Shape

__all__ = [
    "CLOCK",
    "INTEGRATED",
    "LOUDNESS",
    "TRUE_PEAK",
    "Filter",
    "arguments",
    "fade_in",
    "fade_out",
    "gain",
    "mixing",
    "shaping",
]

# A name and its options.
Filter = tuple[str, dict[str, Any]]

# It measures the integrated loudness and the true peak (EBU R128, ITU-R BS.1770), in a tenth of the time that loudnorm
# takes for the same, and reports them as metadata of these names: in LUFS, and as a share of full scale.
LOUDNESS: Filter = ("ebur128", {"metadata": 1, "peak": "true", "framelog": "verbose"})
# It puts samples on the clock, as timeline.py does. What is a jump, ffmpeg decides before: in a TS, 10 seconds are one.
CLOCK: Filter = ("aresample", {"async": 1, "min_comp": TOLERANCE, "min_hard_comp": TOLERANCE, "first_pts": 0})
INTEGRATED, TRUE_PEAK = "lavfi.r128.I", "lavfi.r128.true_peak"
# The peak that R128 allows, in dB; and the loudness up to which there is nothing to measure (BS.1770's absolute gate).
_MAX_PEAK, _NOTHING = -1.0, -70.0
# FFmpeg rounds the peak to three decimals: it may be this much higher.
_PEAK_ERROR = 0.0005


def shaping(shape: Shape, gain: float | None) -> list[Filter]:
    """Sample rate and channels of the MP3, and the gain in dB.

    Several channels become fewer as ITU-R BS.775 has it (centre and surround at -3 dB, no LFE), and quieter by so much
    that nothing can clip.
    """
    filters: list[Filter] = [
        ("aresample", {"rematrix_maxval": 1}),
        ("aformat", {"f": "fltp", "r": shape.sample_rate, "cl": shape.layout}),
    ]
    return [*filters, ("volume", {"volume": f"{gain}dB", "precision": "float"})] if gain else filters


def mixing(sides: Sequence[str | None]) -> list[Filter]:
    """Adds up tracks that are in the middle (None), "left" or "right", quieter by so much that nothing can clip."""
    most = sides.count(None) + max(sides.count("left"), sides.count("right"))
    return [("amix", {"inputs": len(sides), "normalize": 0}), ("volume", {"volume": 1 / most, "precision": "float"})]


def fade_in(samples: int) -> Filter:
    """From silence, over so many samples from the first one on."""
    return "afade", {"t": "in", "ss": 0, "ns": samples}


def fade_out(samples: int, total: int) -> Filter:
    """To silence, over so many samples up to the last of `total`."""
    return "afade", {"t": "out", "ss": max(total - samples, 0), "ns": min(samples, total)}


def gain(target: float, measured: Mapping[str, str]) -> float:
    """What makes it as loud as wanted (`target`, in LUFS), or as loud as its peak allows, in dB.

    `measured` is the last metadata of LOUDNESS. Where there is nothing to measure, all stays as it is.
    """
    loudness, peak = float(measured.get(INTEGRATED, "-inf")), float(measured.get(TRUE_PEAK, "0"))
    # A broken file may hold what is no number at all.
    if not (math.isfinite(loudness) and math.isfinite(peak)) or loudness <= _NOTHING:
        return 0.0
    return min(target - loudness, _MAX_PEAK - 20 * math.log10(peak + _PEAK_ERROR))


def arguments(options: Mapping[str, Any]) -> str:
    """Options of a filter as FFmpeg's filter graphs write them."""
    return ":".join(f"{name}={value}" for name, value in options.items())
