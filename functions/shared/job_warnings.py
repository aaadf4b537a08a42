"""What an owner has to know about an MP3 that is not quite what its video promised: one table code → text."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["WARNINGS", "JobWarning"]

# In braces: the values that go with a warning.
WARNINGS: dict[str, str] = {
    "undecodable": "{broken:,} of {frames:,} frames could not be decoded; there is silence instead.",
    "by-ffmpeg": "The usual way to convert this video failed, so a simpler one was taken: the cover is missing, "
    "silence at the ends was not trimmed, and chapters were not made separate files.",
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
