"""Counters in this process, without a thread, and bounded.

The memory storage of the library `limits` starts a thread up to a hundred times a second that looks at every key, and
keeps as many keys as there are addresses: a flood from many of them is work for all of a processor.
"""

from __future__ import annotations

import time
from collections import OrderedDict

__all__ = ["MAX_KEYS", "Memory"]

# In each window; some 20 MB. Beyond it, who was not seen for longest is forgotten: whoever asks often is not.
MAX_KEYS = 50_000


class Memory:
    """What was counted in the windows that are now. Used by one thread, that of the event loop."""

    def __init__(self) -> None:
        # By the end of the window (Unix time).
        self._windows: dict[float, OrderedDict[str, int]] = {}

    def incr(self, key: str, seconds: int, amount: int) -> int:
        """Count, in the window of so many seconds that is now. Returns: how much it is now."""
        counts = self._window(seconds)
        counts[key] = used = counts.get(key, 0) + amount
        counts.move_to_end(key)
        if len(counts) > MAX_KEYS:
            counts.popitem(last=False)
        return used

    def __len__(self) -> int:
        """How many keys are kept."""
        return sum(map(len, self._windows.values()))

    def _window(self, seconds: int) -> OrderedDict[str, int]:
        now = time.time()
        ends = (now // seconds + 1) * seconds
        if ends not in self._windows:
            self._windows = {end: counts for end, counts in self._windows.items() if end > now}
            self._windows[ends] = OrderedDict()
        return self._windows[ends]
