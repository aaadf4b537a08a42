"""Cuts a stream of samples at chapters, so that each becomes a file of its own."""

from __future__ import annotations

from collections.abc import Iterator

from functions.convert.conversion.mpeg.tag import MAX_CHAPTERS
from functions.convert.conversion.plan import Plan
from functions.convert.conversion.sound.decode import Block
from functions.convert.conversion.sound.shaping import sliced

__all__ = ["Cutter", "cuts"]


def cuts(plan: Plan) -> list[tuple[str, int | None]]:
    """Title and end (the number of a sample, None for that of the track) of each file, in order.

    A file lasts until the next chapter starts, so that nothing is lost. A chapter without a length makes no file, nor
    does one that begins after the end; of those that start together, the shortest does, which is within the others.
    Chapters after the first 1000 belong to the last file. Without chapters there is one file.
    """
    end = float("inf") if plan.seconds is None else plan.seconds
    inside = sorted(plan.chapters, key=lambda chapter: chapter.start - chapter.end)
    found = {
        round(each.start * plan.shape.sample_rate): each.title for each in inside if each.start < min(each.end, end)
    }
    starts = sorted(found.items())[:MAX_CHAPTERS] or [(0, plan.tags.get("title", ""))]
    ends = [*(start for start, _ in starts[1:]), None]
    return [(title, end) for (_, title), end in zip(starts, ends, strict=True)]


class Cutter:
    """Gives the blocks up to one cut after the other."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self._blocks = blocks
        self._left: Block | None = None
        self._sample = 0

    def until(self, end: int | None) -> Iterator[Block]:
        """The blocks before sample number `end`, or all that are left."""
        while (block := self._next()) is not None:
            room = block.samples if end is None else end - self._sample
            if block.samples > room:
                self._left = _part(block, room, block.samples)
                block = _part(block, 0, room)
            self._sample += block.samples
            if block.samples:
                yield block
            if self._left:
                return

    def _next(self) -> Block | None:
        left, self._left = self._left, None
        return left or next(self._blocks, None)


def _part(block: Block, start: int, stop: int) -> Block:
    return Block(sliced(block.planes, start, stop), stop - start, None)
