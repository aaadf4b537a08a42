"""How long tests wait: as long as a machine ten times slower takes. What does not come by then is wrong, not late."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

__all__ = ["PATIENCE", "eventually"]

PATIENCE = 240
_PAUSE = 0.05


def eventually(condition: Callable[[], Any], what: str) -> Any:
    """The first true value that `condition` gives; fails when there is none in time."""
    ends = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < ends, f"not seen within {PATIENCE} s: {what}"
        time.sleep(_PAUSE)
    return value
