"""What an owner may ask of a conversion: an allow-list; nothing else reaches ffmpeg."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.shared.problems import Problem

__all__ = ["DEFAULT_QUALITY", "OPTIONS", "parse"]

DEFAULT_QUALITY = 2

# Name → (the values it may have, what it does). Bitrates and sample rates are those of MPEG audio layer III.
OPTIONS: dict[str, tuple[tuple[int, ...], str]] = {
    "quality": (tuple(range(10)), "VBR quality, 0 (best) to 9 (smallest); 2 unless said."),
    "bitrate": (
        (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
        "Constant bitrate in kbit/s, instead of quality.",
    ),
    "sample_rate": (
        (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
        "Samples per second; as in the video unless said.",
    ),
    "channels": ((1, 2), "1 for mono, 2 for stereo; as in the video unless said."),
    "track": (tuple(range(64)), "Which audio track, counted from 0; the first unless said."),
}


def parse(given: Mapping[str, Any]) -> dict[str, int]:
    """The options among `given`, as whole numbers; other names are not options and are passed over.

    Raises: Problem (400) for a value that an option cannot have.
    """
    options = {name: _value(name, given[name]) for name in OPTIONS if given.get(name) not in (None, "")}
    if "quality" in options and "bitrate" in options:
        raise Problem("bad-option", "Give either quality or bitrate, not both.")
    return options


def _value(name: str, value: Any) -> int:
    allowed, meaning = OPTIONS[name]
    text = str(value)
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 8 else -1
    if number not in allowed:
        choices = (
            f"{allowed[0]} to {allowed[-1]}"
            if len(allowed) == allowed[-1] - allowed[0] + 1
            else ", ".join(map(str, allowed))
        )
        raise Problem("bad-option", f"`{name}` must be one of {choices}. {meaning}")
    return number
