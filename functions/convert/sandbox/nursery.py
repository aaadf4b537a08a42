"""Keeps the warm processes that conversions are forked from: one for each that runs at the same time."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from functions.convert.errors import NoWorker
from functions.convert.sandbox.worker import Worker

__all__ = ["ENTRY", "Nursery", "close", "warm", "worker"]

ENTRY = "functions.convert.conversion.pipeline:run"


class Nursery:
    """Workers for one entry ("module:function"; see zygote.main). Any thread may take one."""

    def __init__(self, entry: str = ENTRY) -> None:
        self._entry = entry
        self._idle: list[Worker] = []

    def warm(self) -> None:
        """Start a worker if there is none, so that the next job finds it ready. Does not wait for it."""
        if not self._idle:
            with suppress(NoWorker):
                self._idle.append(Worker(self._entry))

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        """A worker that nobody else has, warm where there is one; kept for the next unless it was killed."""
        taken = self._taken()
        try:
            yield taken
        finally:
            if taken.alive:
                self._idle.append(taken)
            else:
                taken.kill()

    def close(self) -> None:
        """End the workers that are idle."""
        while self._idle:
            self._idle.pop().kill()

    def forget(self) -> None:
        """In a copy of the process: leave the workers to the original."""
        while self._idle:
            self._idle.pop().forget()

    def _taken(self) -> Worker:
        with suppress(IndexError):
            while True:
                # The last one used is the one whose memory is warm.
                found = self._idle.pop()
                if found.alive:
                    return found
                found.kill()
        return Worker(self._entry)


_nursery = Nursery()
warm, worker, close = _nursery.warm, _nursery.worker, _nursery.close
atexit.register(close)
os.register_at_fork(after_in_child=_nursery.forget)
