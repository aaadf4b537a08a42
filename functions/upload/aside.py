"""A SHA-256 that a thread computes while another writes the same bytes: each takes about as long."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor

from functions.shared.once import once

__all__ = ["Aside"]

# Waking a thread takes as long as the digest of some tens of kilobytes.
WORTH_BYTES = 128 * 1024
THREADS = 2


class Aside:
    """As hashlib's, for one thread."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._computing: Future[None] | None = None

    def update(self, data: bytes) -> None:
        """Go on with these bytes, which nobody changes any more; a thread may be at it yet when this returns."""
        self._settle()
        if len(data) < WORTH_BYTES:
            self._digest.update(data)
        else:
            self._computing = _pool().submit(self._digest.update, data)

    def hexdigest(self) -> str:
        """The digest of all of them so far."""
        self._settle()
        return self._digest.hexdigest()

    def _settle(self) -> None:
        computing, self._computing = self._computing, None
        if computing:
            computing.result()


@once
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, "digest")
