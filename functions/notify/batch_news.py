"""What there is to tell of a batch that is over, by what the rows say of its jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from events.catalogue import BatchEnded
from functions.notify.channels import Notice
from functions.shared import database
from functions.shared.jobs import batches as _batches
from functions.shared.jobs.states import ENDED, State
from functions.shared.tables import batches, users

__all__ = ["EndedBatch", "notice_of", "reopen", "settle"]


@dataclass(frozen=True)
class EndedBatch:
    """A batch, as its notice needs it: where a notice of a job has a row of jobs."""

    id: str
    user_id: str
    email: str
    created_at: datetime
    updated_at: datetime
    jobs: Sequence[Any]
    # The runs of a batch: there is one.
    fencing_token: int = 0
    batch_id: None = None

    @property
    def filename(self) -> str:
        """What stands for it where a job has the name of its file."""
        return f"batch {self.id}"

    def having(self, state: State) -> list[Any]:
        """The rows of its jobs in this state."""
        return [row for row in self.jobs if row.state == state]

    @property
    def open_count(self) -> int:
        """How many of its jobs are not over."""
        return sum(row.state not in ENDED for row in self.jobs)


@database.transactional
def notice_of(connection: sa.Connection, batch_id: str) -> Notice | None:
    """What there is to tell. Returns: None for a batch that is gone, is not over, or has nothing that is to be told."""
    owned = sa.and_(users.c.id == batches.c.user_id, users.c.deleted_at.is_(None))
    query = sa.select(batches, users.c.email).join(users, owned).where(batches.c.id == batch_id)
    row = connection.execute(query).one_or_none()
    if row is None or row.ended_at is None:
        return None
    found = _batches.jobs_of(connection, batch_id)
    batch = EndedBatch(row.id, row.user_id, row.email, row.created_at, row.ended_at, found)
    if not batch.having(State.DONE) and not batch.having(State.FAILED):
        _batches.mark_told(connection, batch_id)
        return None
    return Notice(batch, BatchEnded.TYPE)


def settle(connection: sa.Connection, batch_id: str) -> None:
    """Settle the event, in the caller's transaction: all endpoints are done with it."""
    _batches.mark_told(connection, batch_id)


def reopen(connection: sa.Connection, batch_id: str) -> bool:
    """Have the event come again, in the caller's transaction. Returns: whether there is something to tell."""
    return _batches.emit(connection, batch_id) is not None
