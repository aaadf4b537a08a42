"""Keeps the lease of a job alive while somebody works on it, and waits for the end of one that nobody renews."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa

from functions.shared import database, settings
from functions.shared.jobs.changes import lease_end, move
from functions.shared.jobs.claims import Claim, ClaimLost
from functions.shared.jobs.states import LEASED
from functions.shared.problems import Unavailable
from functions.shared.tables import clock
from functions.shared.tables import jobs as rows

__all__ = ["LeaseHeartbeat", "claim_when_free", "extend", "heartbeat", "holds", "keeping", "record_tracks", "renew"]

log = logging.getLogger(__name__)

LOOK_SECONDS, WRITE_SECONDS = 1.0, 2.0
# How much of a lease may go by, and how far a conversion may get, before it is written.
RENEWED_SHARE, PROGRESS_STEP = 0.25, 0.005


def claim_when_free(take: Callable[[], Claim | None], job_of: Callable[[], str]) -> Claim | None:
    """`take()`, if need be once the lease of another has run out; `job_of()` says which job it is about now.

    A job under a live lease is being worked on, or its worker has just died and this is the delivery after it. Which of
    the two shows within one lease: a worker that lives renews it. So the job of a dead one need not wait for sweep.
    Returns: None when there is nothing to do.
    """
    first, claimed = None, take()
    while claimed is None and (lease := _lease(job_of())) and lease.lease_until == (first or lease.lease_until):
        first, left = lease.lease_until, (lease.lease_until - lease.now).total_seconds()
        time.sleep(min(LOOK_SECONDS, max(0.0, left)))
        claimed = take()
        if left <= 0:
            break
    return claimed


class LeaseHeartbeat:
    """What to call with the progress (0 to 1) of a claim, as often as one likes.

    Once in `pause()` seconds at the most it looks whether the claim still holds, and every other second at the most it
    writes, if there is something to write: progress, or a quarter of the lease gone by.
    Raises: ClaimLost when it holds no more.
    """

    def __init__(self, claim: Claim, pause: Callable[[], float] = lambda: LOOK_SECONDS) -> None:
        self._claim, self._pause = claim, pause
        # The claim is new: so is its lease.
        self._look_at = time.monotonic() + pause()
        self._wrote_at = 0.0
        self._told = -1.0
        # Other values of the job, which are written with the next renewal.
        self.untold: dict[str, Any] = {}

    def __call__(self, progress: float) -> None:
        moment = time.monotonic()
        if moment < self._look_at:
            return
        self._look_at = moment + self._pause()
        # A database that is away for a while costs no work: should another get the job, the token tells at the end.
        with suppress(Unavailable):
            if self._has_news(progress, moment - self._wrote_at):
                renew(self._claim, progress, **self.untold)
                self.untold = {}
                self.written(progress)
            elif not holds(self._claim):
                raise ClaimLost(self._claim.job_id)

    def written(self, progress: float) -> None:
        """Somebody has written lease and progress just now."""
        self._wrote_at, self._told = time.monotonic(), progress

    def _has_news(self, progress: float, seconds: float) -> bool:
        moved = progress >= self._told + PROGRESS_STEP and seconds >= WRITE_SECONDS
        return moved or bool(self.untold) or seconds >= settings.number("LEASE_SECONDS") * RENEWED_SHARE


def holds(held: Claim) -> bool:
    """Whether a claim still holds; nothing is written."""
    with database.reading() as connection:
        return connection.execute(sa.select(rows.c.id).where(held.held())).one_or_none() is not None


@database.transactional
def renew(connection: sa.Connection, /, held: Claim, progress: float, **values: Any) -> None:
    """Extend the lease, record progress (0 to 1) when it moved, and set more values of the job. Raises: ClaimLost."""
    extend(connection, held, progress, **values)


@database.transactional
def record_tracks(connection: sa.Connection, held: Claim, tracks: list[dict[str, Any]]) -> None:
    """Extend the lease, and say what audio tracks the video has. Raises: ClaimLost."""
    extend(connection, held, 0.0, audio_tracks=tracks)


def extend(connection: sa.Connection, held: Claim, progress: float, **values: Any) -> None:
    """As `renew`, in the caller's transaction, and set more values of the job. Raises: ClaimLost."""
    values |= {"lease_until": lease_end()}
    # None is less than nothing.
    if progress and move(connection, held.job_id, held.held(), rows.c.progress < progress, progress=progress, **values):
        return
    if connection.execute(rows.update().where(held.held()).values(**values)).rowcount != 1:
        raise ClaimLost(held.job_id)


@contextmanager
def heartbeat(claim: Claim, progress: Callable[[], float] = lambda: 0.0) -> Iterator[Callable[[], None]]:
    """Keep a claim's lease from a thread of its own, whatever the caller waits for meanwhile.

    `progress` says how far it has got, from 0 to 1.

    Gives: what raises ClaimLost once the claim holds no more.
    """
    keep, stop, lost = LeaseHeartbeat(claim), threading.Event(), threading.Event()

    def beat() -> None:
        while not stop.wait(LOOK_SECONDS):
            try:
                keep(progress())
            except ClaimLost:
                return lost.set()
            except Exception:
                log.exception("the lease of job %s was not kept; it is tried again", claim.job_id)
        return None

    def check() -> None:
        if lost.is_set():
            raise ClaimLost(claim.job_id)

    thread = threading.Thread(target=beat, name=f"lease of {claim.job_id}", daemon=True)
    thread.start()
    try:
        yield check
    finally:
        stop.set()
        thread.join()


def keeping(
    claim: Claim, write: Callable[[bytes], None], pause: Callable[[], float] = lambda: LOOK_SECONDS
) -> Callable[[bytes], None]:
    """`write`, which keeps the claim's lease too, as LeaseHeartbeat does."""
    keep = LeaseHeartbeat(claim, pause)

    def write_and_keep(piece: bytes) -> None:
        write(piece)
        keep(0.0)

    return write_and_keep


def _lease(job_id: str) -> Any:
    """When the newest lease of a job that is being worked on ends, or has ended, and `now`; None without a lease."""
    leased = (rows.c.id == job_id, rows.c.state.in_(LEASED), rows.c.lease_until.is_not(None))
    with database.reading() as connection:
        return connection.execute(sa.select(rows.c.lease_until, clock().label("now")).where(*leased)).one_or_none()
