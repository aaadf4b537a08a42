"""What an interrupted conversion has done: finished parts of the MP3, and the state to resume from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from functions.shared import blobs, database
from functions.shared.blobs import NoSuchBlob
from functions.shared.jobs import leases
from functions.shared.jobs.claims import Claim
from functions.shared.tables import checkpoints, now

__all__ = ["Checkpoint", "load", "save"]

# Of the state. During a rollout, a release may meet checkpoints of the next one.
VERSION = 1


@dataclass(frozen=True)
class Checkpoint:
    """The names of the blobs that hold the MP3's frames so far, in order, and the engine's state after them."""

    parts: tuple[str, ...]
    state: dict[str, Any]


def load(job_id: str) -> Checkpoint | None:
    """The newest checkpoint of a job; None when there is none that is whole, and of a version that is known."""
    with database.reading() as connection:
        row = connection.execute(checkpoints.select().where(checkpoints.c.job_id == job_id)).one_or_none()
    if row is None or _version(row.state) != VERSION or not all(_is_there(part) for part in row.parts):
        return None
    return Checkpoint(tuple(row.parts), {name: value for name, value in row.state.items() if name != "version"})


@database.transactional
def save(connection: sa.Connection, claim: Claim, checkpoint: Checkpoint, progress: float) -> None:
    """Replace the checkpoint of the claim's job, extend its lease, and record progress (0 to 1). Raises: ClaimLost.

    A job that has got further has all its tries again.
    """
    leases.extend(connection, claim, progress, attempts=0)
    connection.execute(checkpoints.delete().where(checkpoints.c.job_id == claim.job_id))
    values = {"parts": list(checkpoint.parts), "state": checkpoint.state | {"version": VERSION}, "saved_at": now()}
    connection.execute(checkpoints.insert().values(job_id=claim.job_id, **values))


def _version(state: Any) -> Any:
    return state.get("version", 1) if isinstance(state, dict) else None


def _is_there(part: str) -> bool:
    try:
        blobs.store().size(part)
    except NoSuchBlob:
        return False
    return True
