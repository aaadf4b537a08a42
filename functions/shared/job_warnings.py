"""What an owner has to know about an MP3 that is not quite what its video promised: one table code → text."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["WARNINGS", "JobWarning"]

# In braces: the values that go with a warning. Tracks count from 0, as for the option `track`.
WARNINGS: dict[str, str] = {
    "by-ffmpeg": "The usual way to convert this video failed, so a simpler one was taken: the cover is missing, "
    "silence at the ends was not trimmed, and chapters were not made separate files.",
    "track-unreadable": "Track {track}, which the video puts first, is in a format that cannot be read: "
    "track {chosen} was taken.",
    "track-empty": "Track {track}, which the video puts first, is empty: track {chosen} was taken.",
    "track-aside": "Track {track}, which the video puts first, is an audio description, a commentary or another "
    "version beside the main one: track {chosen} was taken.",
    "track-silent": "Track {track}, which the video puts first, holds no sound wherever it was looked at: "
    "track {chosen} was taken.",
    "track-maybe-silent": "Track {chosen} was taken, and held no sound where it was looked at. Track {track} does: "
    "choose it with the option `track` if it is the one you want.",
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
        """What the owner reads. A code of a newer release, which is not known here, stands for itself."""
        return WARNINGS[self.code].format_map(self.values) if self.code in WARNINGS else self.code
