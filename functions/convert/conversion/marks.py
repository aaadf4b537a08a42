"""A packet of a track: how to find it again, and what came of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NamedTuple, TypeAlias, TypeVar, cast

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet

__all__ = ["LOST", "Ahead", "Decoded", "Mark", "Place", "Stamps", "is_lost", "like", "with_next"]

T = TypeVar("T")
# The content of a packet in place of one that is missing. A packet of a file that has just these bytes is silent, too.
LOST = b"\xff\xfb\xffmissing packet"


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
# What came of a packet: its place (None for what comes at the end); its frames; and how long its sound would be, in
# seconds, where the decoder failed, and where it gave nothing: that may be right, or it will still come.
Decoded: TypeAlias = "tuple[Place | None, list[AudioFrame], float, float]"
# Gives time stamp and length, in ticks, of the packets that come next.
Stamps: TypeAlias = "Callable[[], Iterator[tuple[int | None, int]]]"


class Ahead(Generic[T]):
    """Gives items in order, and shows those that come next."""

    def __init__(self, items: Iterable[T]) -> None:
        self._items, self._shown = iter(items), deque[T]()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        return self._shown.popleft() if self._shown else next(self._items)

    def next_ones(self, most: int) -> Iterator[T]:
        """Those that come next, at most so many; to be read before the next one is taken."""
        for number in range(most):
            if number == len(self._shown):
                try:
                    self._shown.append(next(self._items))
                except StopIteration:
                    return
            yield self._shown[number]


def with_next(items: Iterable[T]) -> Iterator[tuple[T, T | None]]:
    """Each of them, and the one after it."""
    before: T | None = None
    for each in items:
        if before is not None:
            yield before, each
        before = each
    if before is not None:
        yield before, None


def like(packet: Packet[AudioStream], data: bytes, pts: int | None, duration: int) -> Packet[AudioStream]:
    """A packet of the same stream with other data, at another time, for so many ticks."""
    made = cast("Packet[AudioStream]", Packet(data))
    made.stream, made.time_base = packet.stream, packet.time_base
    made.pts = made.dts = pts
    made.duration = duration
    return made


def is_lost(packet: Packet[AudioStream]) -> bool:
    """Whether it stands for a packet that is missing: there is nothing to decode, and what it lasts is silent."""
    return packet.size == len(LOST) and bytes(packet) == LOST
