"""What a process makes once, whichever of its threads asks first."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["once"]

Made = TypeVar("Made")


class once(Generic[Made]):
    """Decorate a function without arguments: it runs once, and the threads that ask meanwhile wait for what it makes.

    functools.cache alone runs it for each thread that comes before the first is done. What it raises is raised to the
    one who asked; the next one tries again. `cache_clear` is for tests.
    """

    def __init__(self, make: Callable[[], Made]) -> None:
        functools.update_wrapper(self, make)
        self._made = functools.cache(make)
        self._lock = threading.Lock()
        self.cache_clear = self._made.cache_clear

    def __call__(self) -> Made:
        with self._lock:
            return self._made()
