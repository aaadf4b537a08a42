"""A packet of a track: how to find it again, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

from av.audio.frame import AudioFrame

__all__ = ["Decoded", "Mark", "with_next"]

T = TypeVar("T")


class Mark(NamedTuple):
    """A packet, to find it again. What comes at the end has the number -1.

    `pts` is its time stamp, None where that does not tell it from those before it; `byte` is where in the file the
    newest packet up to it begins that says so: where a clock restarts, others have the same time stamp.
    """

    number: int
    pts: int | None
    byte: int | None = None


class Decoded(NamedTuple):
    """What came of a packet: its frames, or how long its sound would be, in seconds.

    That is `lost` where the decoder failed, and `awaited` where it gave nothing: it may, or it still will. `following`
    is the time stamp of the packet after it.
    """

    mark: Mark
    frames: list[AudioFrame]
    following: int | None = None
    lost: float = 0.0
    awaited: float = 0.0


def with_next(items: Iterable[T]) -> Iterator[tuple[T, T | None]]:
    """Each of them, and the one after it."""
    before: T | None = None
    for each in items:
        if before is not None:
            yield before, each
        before = each
    if before is not None:
        yield before, None
