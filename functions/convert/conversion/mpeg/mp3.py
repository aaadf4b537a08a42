"""One MP3 in the making: its frames in order, and in the end what stands before and after them."""

from __future__ import annotations

from typing import Any

from functions.convert.conversion.mpeg import tag
from functions.convert.conversion.mpeg.encode import Encoded
from functions.convert.conversion.mpeg.join import Joiner
from functions.convert.conversion.mpeg.xing import Tally
from functions.convert.conversion.plan import Plan

__all__ = ["Mp3", "around"]


class Mp3:
    """Takes segments that were encoded. `samples` counts what they were made of, once the last one is there."""

    def __init__(self, plan: Plan, state: dict[str, Any] | None = None) -> None:
        """`state` is what `state()` gave, to resume from."""
        self._plan = plan
        self._joiner = Joiner(state and state["joiner"])
        self._tally = Tally(plan.shape, state and state["tally"])
        self.samples = 0

    @property
    def seconds(self) -> float:
        """How long it is, once the last segment is there."""
        return self.samples / self._plan.shape.sample_rate

    def state(self) -> dict[str, Any]:
        """What is needed to resume after the segments so far, fit for JSON."""
        return {"joiner": self._joiner.state(), "tally": self._tally.state()}

    def add(self, part: Encoded) -> bytes:
        """The frames that are final once `part` is there; after the last one, all."""
        frames = self._joiner.add(part)
        if part.last:
            frames += self._joiner.finish()
            self.samples = part.end
        self._tally.count(frames)
        return frames

    def ends(self, cover: bytes | None) -> tuple[bytes, bytes]:
        """What stands before the frames, and what after them."""
        return around(self._plan, self._tally.header(self.samples), cover)


def around(plan: Plan, header: bytes, cover: bytes | None) -> tuple[bytes, bytes]:
    """What stands before an MP3's frames, with their `header`, and what after them."""
    head = tag.id3v2(plan.tags, plan.chapters, cover) + header
    return head, tag.id3v1(plan.tags) if plan.id3v1 else b""
