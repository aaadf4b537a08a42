"""The two ways that manifests write durations. All results are in seconds."""

from __future__ import annotations

import re

__all__ = ["go_duration", "iso_duration"]

_ISO = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_GO = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_GO_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def iso_duration(text: str) -> float:
    """ISO 8601, as in a Trigger's delivery: PT10S is 10. Raises: ValueError."""
    match = _ISO.fullmatch(text)
    if not match or not any(match.groups()):
        raise ValueError(f"{text!r} is not an ISO 8601 duration such as PT10S")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def go_duration(text: str) -> float:
    """Go's notation, as in autoscaling annotations: 1m30s is 90. Raises: ValueError."""
    parts = _GO.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration such as 60s or 15m")
    return sum(float(number) * _GO_UNITS[unit] for number, unit in parts)
