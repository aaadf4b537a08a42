"""Keeps the lease of a job alive while somebody works on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from functions.shared import jobs
from functions.shared.jobs import Claim
from functions.shared.problems import Unavailable

__all__ = ["keeper", "keeping"]

RENEW_SECONDS = 1.0


def keeper(claim: Claim) -> Callable[[float], None]:
    """What to call with the progress (0 to 1), as often as one likes: it renews the lease once a second at the most.

    It raises Lost when the claim holds no more.
    """
    due = 0.0

    def keep(progress: float) -> None:
        nonlocal due
        if time.monotonic() < due:
            return
        due = time.monotonic() + RENEW_SECONDS
        # A database that is away for a while costs no work: should another get the job, the token tells at the end.
        with suppress(Unavailable):
            jobs.renew(claim, progress)

    return keep


def keeping(claim: Claim, write: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """`write`, which keeps the claim's lease too."""
    keep = keeper(claim)

    def write_and_keep(piece: bytes) -> None:
        write(piece)
        keep(0.0)

    return write_and_keep
