"""A bound for the log: whoever is refused, or finds a store away, ten thousand times a minute, must not fill a disk."""

from __future__ import annotations

import logging
import time

__all__ = ["Seldom"]

PERIOD_SECONDS, MAX_LINES = 10.0, 100


class Seldom(logging.Filter):
    """Lets so many lines of one place in the code through in a period; the next one says how many it did not."""

    def __init__(self) -> None:
        super().__init__()
        # By file and line: when the period of a place began, and how many lines came in it.
        self._seen: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        place, now = (record.pathname, record.lineno), time.monotonic()
        began, lines = self._seen.get(place, (now, 0))
        if now - began >= PERIOD_SECONDS:
            if lines > MAX_LINES:
                record.msg, record.args = f"{record.getMessage()} (and {lines - MAX_LINES} more like it before)", None
            began, lines = now, 0
        self._seen[place] = began, lines + 1
        return lines < MAX_LINES
