"""A video that is fetched by URL over several deliveries: what there is of it, and when it is tried again.

It is in the row of the job, so that any delivery resumes it, and one that was killed loses the piece that it was at.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from functions.shared import database, outbox, owners, quotas
from functions.shared.jobs.changes import asking_for, move
from functions.shared.jobs.claims import Claim, ClaimLost
from functions.shared.jobs.leases import extend
from functions.shared.jobs.states import State
from functions.shared.tables import jobs, now

__all__ = ["Fetched", "FetchedPiece", "of", "put_off", "save"]


class FetchedPiece(msgspec.Struct, frozen=True):
    """A blob with some of the video: its name, its size in bytes, the hex SHA-256 of it."""

    blob: str
    size_bytes: int
    sha256: str


class Fetched(msgspec.Struct):
    """What is there. `pieces` are in order; `whole` says that there are no more to come.

    `since` is when it was first tried, `failing_since` when nothing more began to come. For the others see `Remote` in
    functions/upload/fetch.py.
    """

    since: datetime
    failing_since: datetime | None = None
    pieces: list[FetchedPiece] = []
    length: int | None = None
    validator: str = ""
    restarts: int = 0
    whole: bool = False

    @property
    def size_bytes(self) -> int:
        """How much is there."""
        return sum(piece.size_bytes for piece in self.pieces)


def of(claim: Claim) -> Fetched:
    """What the row said when the job was claimed; at the first try, nothing yet."""
    return msgspec.convert(claim.fetched, Fetched) if claim.fetched else Fetched(since=now())


@database.transactional
def save(connection: sa.Connection, held: Claim, fetched: Fetched, progress: float) -> None:
    """Write down what is there, and extend the lease. Raises: ClaimLost, or OverQuota."""
    owner = _locked(connection, held)
    extend(connection, held, progress, fetched=_json(fetched), reserved_bytes=fetched.size_bytes)
    quotas.check_bytes(connection, owner)


@database.transactional
def put_off(connection: sa.Connection, held: Claim, fetched: Fetched, seconds: float) -> str:
    """Give the claim up, with what is there written down, for a delivery after so many seconds; 0 for at once.

    It is no failed attempt: those are of processes that died. Returns: the event's id. Raises: ClaimLost, or OverQuota.
    """
    owner = _locked(connection, held)
    kept = {"fetched": _json(fetched), "reserved_bytes": fetched.size_bytes}
    if not move(connection, held.job_id, held.held(), state=State.RECEIVING, lease_until=None, attempts=0, **kept):
        raise ClaimLost(held.job_id)
    quotas.check_bytes(connection, owner)
    row = connection.execute(jobs.select().where(jobs.c.id == held.job_id)).one()
    not_before = now() + timedelta(seconds=seconds) if seconds else None
    return outbox.add(connection, held.job_id, held.token, asking_for(row), not_before)


def _locked(connection: sa.Connection, held: Claim) -> str:
    """Whose job it is, with the lock that comes before that of the job."""
    owner = connection.execute(sa.select(jobs.c.user_id).where(jobs.c.id == held.job_id)).scalar()
    if owner is None:
        raise ClaimLost(held.job_id)
    owners.hold(connection, owner)
    return str(owner)


def _json(fetched: Fetched) -> Any:
    return msgspec.to_builtins(fetched)
