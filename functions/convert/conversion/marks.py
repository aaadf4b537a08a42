"""A packet of a track: how to find it again, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias, TypeVar

from av.audio.frame import AudioFrame

__all__ = ["Decoded", "Mark", "Place", "with_next"]

T = TypeVar("T")


class Mark(NamedTuple):
    """A packet, to find it again.

    `pts` is its time stamp, None where that does not tell it from those before it; `byte` is where in the file the
    newest packet up to it begins that says so: where a clock restarts, others have the same time stamp.
    """

    number: int
    pts: int | None
    byte: int | None = None


# A Mark that is not one yet: to make one of each packet takes long.
Place: TypeAlias = "tuple[int, int | None, int | None]"
# What came of a packet: its place (None for what comes at the end); its frames; the time stamp of the packet after it;
# and how long its sound would be, in seconds, where the decoder failed, and where it gave nothing: that may be right,
# or it will still come.
Decoded: TypeAlias = "tuple[Place | None, list[AudioFrame], int | None, float, float]"


def with_next(items: Iterable[T]) -> Iterator[tuple[T, T | None]]:
    """Each of them, and the one after it."""
    before: T | None = None
    for each in items:
        if before is not None:
            yield before, each
        before = each
    if before is not None:
        yield before, None
