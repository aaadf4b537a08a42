"""What is in a video, as both converters tell it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Chapter", "Media", "Track"]

# Here a length is a number of samples, or the sum of those in an index. Elsewhere it is the last time stamp, and the
# clock may have jumped.
_COUNTED = {"mov,mp4,m4a,3gp,3g2,mj2", "wav", "w64", "aiff", "caf", "au", "flac", "tta", "ape", "wv"}


@dataclass(frozen=True)
class Track:
    """An audio track: `position` counts audio tracks from 0, `codec`, `layout` and `roles` are FFmpeg's names.

    `codec` is "" where no decoder for it is accepted. `roles` are its dispositions. `empty` means that it is known to
    hold nothing.
    """

    position: int
    stream_index: int
    codec: str
    sample_rate: int
    channels: int
    layout: str
    language: str = ""
    title: str = ""
    default: bool = False
    seconds: float | None = None
    roles: frozenset[str] = frozenset()
    empty: bool = False
    encrypted: bool = False


@dataclass(frozen=True)
class Chapter:
    """A chapter, in seconds from the start of the file."""

    start: float
    end: float
    title: str

    @classmethod
    def of_ticks(cls, start: int, end: int, tick: Fraction, title: str) -> Chapter:
        """A chapter whose times are whole numbers of ticks, each so many seconds long."""
        return cls(float(start * tick), float(end * tick), title)


@dataclass(frozen=True)
class Media:
    """A file with sound. `seconds` is the length that it states, if any; the names of `tags` are in lower case.

    `cut_off` says that the file is shorter than it states.
    """

    format: str
    seconds: float | None
    tracks: tuple[Track, ...]
    tags: dict[str, str]
    chapters: tuple[Chapter, ...]
    cover_stream: int | None
    cut_off: bool = False

    @property
    def is_counted(self) -> bool:
        """Whether its length is that of what is in it, as far as the file can be believed."""
        return self.format in _COUNTED
