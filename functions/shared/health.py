"""Whether a function is ready: one check at a time, on a thread of its own, whose result all probes share.

Probes come many times a second while Serving waits for a pod, from kubelet, queue-proxy and activator alike. None of
them may cost a thread or a connection more, or wait for a store that does not answer.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from functions.shared.problems import Unavailable

__all__ = ["FRESH_SECONDS", "PATIENCE_SECONDS", "Health"]

log = logging.getLogger(__name__)

# For how long a result is told to whoever asks.
FRESH_SECONDS = 2.0
# How long after its beginning a check is waited for; well below the timeoutSeconds of the probes in knative/base.
PATIENCE_SECONDS = 1.0


class _Check:
    """One run of all checks. `reason` says why the function is not ready, "" that it is."""

    def __init__(self) -> None:
        self.reason: Future[str] = Future()
        # A probe that gives up waiting must not cancel it for the others.
        self.reason.set_running_or_notify_cancel()
        self._began = self._ended = time.monotonic()

    def run(self, checks: tuple[Callable[[], None], ...]) -> None:
        if reason := _reason(checks):
            # Once for all who are told of it.
            log.warning("not ready: %s", reason)
        self._ended = time.monotonic()
        self.reason.set_result(reason)

    @property
    def counts(self) -> bool:
        """Whether it is under way, or its result is fresh."""
        return not self.reason.done() or time.monotonic() - self._ended < FRESH_SECONDS

    @property
    def seconds_left(self) -> float:
        return max(0.0, self._began + PATIENCE_SECONDS - time.monotonic())

    def raise_unless_ready(self) -> None:
        reason = self.reason.result() if self.reason.done() else "a store has not answered yet"
        if reason:
            raise Unavailable(reason)


class Health:
    """The readiness of one function; each check raises Unavailable when what it asks does not answer."""

    def __init__(self, *checks: Callable[[], None]) -> None:
        self._checks = checks
        self._lock = threading.Lock()
        self._last: _Check | None = None

    async def ready(self) -> None:
        """Return when the function is ready. Waits for a check of the last second, never longer.

        Raises: Unavailable.
        """
        if self._checks:
            check = self._current()
            if not check.reason.done():
                await asyncio.wait([asyncio.wrap_future(check.reason)], timeout=check.seconds_left)
            check.raise_unless_ready()

    def _current(self) -> _Check:
        with self._lock:
            if self._last is None or not self._last.counts:
                check = _Check()
                # A daemon: a store that hangs must not keep the process from ending.
                threading.Thread(target=check.run, args=(self._checks,), name="readiness", daemon=True).start()
                self._last = check
            return self._last


def _reason(checks: tuple[Callable[[], None], ...]) -> str:
    try:
        for check in checks:
            check()
    except Unavailable as error:
        return str(error) or "a store does not answer"
    except Exception:
        log.exception("the readiness check failed")
        return "the check itself failed"
    return ""
