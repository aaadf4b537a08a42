"""Who waits for something to be sent, and is told how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["UNWATCHED", "Watch"]


def _ignore(_seconds: int) -> None:
    """Nobody waits."""


@dataclass(frozen=True)
class Watch:
    """Told before each step of a sending how many seconds it may take.

    `at_the_end` is told before the step after which it is not known, until the receiver answers, whether it has all of
    it. What they raise ends the sending, before that step.
    """

    before_step: Callable[[int], None] = _ignore
    at_the_end: Callable[[int], None] = _ignore


UNWATCHED = Watch()
