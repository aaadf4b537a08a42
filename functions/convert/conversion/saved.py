"""A resume point as a checkpoint has it: JSON that this release, the one before and the one after can read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from functions.convert.conversion.marks import Mark
from functions.convert.conversion.sound.decode import ResumePoint
from functions.convert.conversion.sound.timeline import Clock
from functions.shared import job_warnings
from functions.shared.job_warnings import MAX_WARNINGS

__all__ = ["checkpoint", "resume_point"]


def checkpoint(state: dict[str, Any], point: ResumePoint | None) -> tuple[dict[str, Any], bytes]:
    """What a release without a clock does not know stands apart from what it reads."""
    more: dict[str, Any] = {"place": None}
    if point is not None:
        more = {
            "place": (point.mark.number, point.mark.pts, point.sample),
            "byte": point.mark.byte,
            "clock": point.clock and point.clock[:4],
            "left": point.clock and point.clock.left,
            "broken": point.broken,
            "origin": point.origin,
            "warnings": job_warnings.stored(point.warnings[:MAX_WARNINGS]),
        }
    return {"kind": "checkpoint"}, json.dumps(state | more).encode()


def resume_point(state: Mapping[str, Any]) -> ResumePoint | None:
    """What a checkpoint has of it. One of an older release has the place alone, and resumes without a clock."""
    if not state.get("place"):
        return None
    number, pts, sample = state["place"]
    return ResumePoint(
        Mark(number, pts, state.get("byte")),
        sample,
        _clock(state) if state.get("clock") else None,
        state.get("broken", 0),
        job_warnings.loaded(state.get("warnings")),
        Mark(*state["origin"]) if state.get("origin") else None,
    )


def _clock(state: Mapping[str, Any]) -> Clock:
    left = state.get("left")
    return Clock(*state["clock"])._replace(left=(left[0], left[1]) if left else None)
