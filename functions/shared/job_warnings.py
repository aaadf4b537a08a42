"""What an owner has to know about an MP3 that is not quite what its video promised: one table code → text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from string import Formatter
from typing import Any

from functions.shared.visible import one_line

__all__ = ["MAX_VALUE_LENGTH", "MAX_WARNINGS", "WARNINGS", "JobWarning", "count", "loaded", "names", "short", "stored"]

# Of one job, and how long a text among the values is at most.
MAX_WARNINGS, MAX_VALUE_LENGTH = 20, 100

# In braces: the values that go with a warning. Tracks count from 0, as for the option `track`.
WARNINGS: dict[str, str] = {
    "undecodable": "{broken:,} of {frames:,} frames could not be decoded; there is silence instead.",
    "damaged-pages": "Parts of the file are damaged (pages of the Ogg: {pages:,}). What of them can be decoded is in "
    "the MP3; the rest is silent, or missing at the end.",
    "by-ffmpeg": "The usual way to convert this video failed, so a simpler one was taken: the cover is missing, "
    "silence at the ends was not trimmed, and chapters were not made separate files.",
    "wild-samples": "Some samples are no sound: they are infinite, not a number, or far beyond full scale. They are "
    "silent in the MP3: {count:,}.",
    "track-unreadable": "Track {track}, which the video puts first, is in a format that cannot be read: "
    "track {chosen} was taken.",
    "track-empty": "Track {track}, which the video puts first, is empty: track {chosen} was taken.",
    "track-aside": "Track {track}, which the video puts first, is an audio description, a commentary or another "
    "version beside the main one: track {chosen} was taken.",
    "track-silent": "Track {track}, which the video puts first, holds no sound wherever it was looked at: "
    "track {chosen} was taken.",
    "track-maybe-silent": "Track {chosen} was taken, and held no sound where it was looked at. Track {track} does: "
    "choose it with the option `track` if it is the one you want.",
    "ends-early": "The file ends too early: the end of the sound is missing.",
    "end-unknown": "The file does not end as files of its kind do, and does not state how long it is: if it was cut "
    "off, the end of the sound is missing.",
    "states-less": "The file states {stated} s of sound, but holds {held} s: all of it was taken.",
    "states-more": "The file states {stated} s of sound, but holds {held} s: all of it was taken. If it was cut off, "
    "the end of the sound is missing.",
    "recordings": "The file holds {count} recordings, one after the other: all of them were taken.",
    "rest-unread": "What follows in the file cannot be read, and was left out.",
    "several-microphones": "The video has {count} mono tracks, as of microphones, and track {chosen} was taken: "
    "the option `tracks=mix` mixes all of them.",
}


@dataclass(frozen=True)
class JobWarning:
    """A remark on a job that is done: a code of WARNINGS, and the values in its text."""

    code: str
    values: dict[str, int | float | str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What the owner reads. One of a newer release, which is not known here, stands for itself."""
        try:
            return WARNINGS[self.code].format_map(self.values)
        except (KeyError, ValueError):
            return self.code


def names(code: str) -> frozenset[str]:
    """The values that a warning of WARNINGS needs."""
    return frozenset(name for _, name, _, _ in Formatter().parse(WARNINGS[code]) if name)


def count(warnings: list[JobWarning], code: str, **more: int) -> None:
    """Warn of something that is counted: to a warning of that code which is there already, the numbers are added.

    So a list stays short, however much there is to tell.
    """
    for at, warning in enumerate(warnings):
        if warning.code == code:
            sums = {name: int(warning.values.get(name, 0)) + number for name, number in more.items()}
            warnings[at] = JobWarning(code, {**warning.values, **sums})
            return
    warnings.append(JobWarning(code, {**more}))


def short(text: str) -> str:
    """A stranger's text as a value of a warning."""
    return one_line(text, MAX_VALUE_LENGTH)


def stored(warnings: Iterable[JobWarning]) -> list[dict[str, Any]] | None:
    """Warnings as JSON, for a row or a checkpoint; None for none."""
    return [{"code": warning.code, "values": warning.values} for warning in warnings] or None


def loaded(saved: Sequence[dict[str, Any]] | None) -> tuple[JobWarning, ...]:
    """What `stored` made of warnings, maybe those of another release."""
    return tuple(JobWarning(each["code"], each["values"]) for each in saved or ())
