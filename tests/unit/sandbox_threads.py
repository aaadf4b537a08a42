"""An entry of the sandbox that must not be forked: a thread goes on behind it."""

from __future__ import annotations

import threading
import time

__all__ = ["run"]

threading.Thread(target=time.sleep, args=(600,), daemon=True).start()


def run() -> None:
    """Never called."""
