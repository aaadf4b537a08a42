"""What there is to tell of MP3s that are about to be deleted, and that nobody has fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from events.catalogue import ExpiryAnnounced
from functions.notify.channels import Notice
from functions.shared import database
from functions.shared.jobs import reminders
from functions.shared.tables import jobs, users

__all__ = ["Reminder", "notice_of", "reopen", "settle"]


@dataclass(frozen=True)
class Reminder:
    """MP3s of one owner, as their notice needs them: where a notice of a job has a row of jobs.

    `id` is that of the job which carries the event, `fencing_token` counts its runs.
    """

    id: str
    user_id: str
    email: str
    fencing_token: int
    updated_at: datetime
    jobs: Sequence[Any]
    batch_id: None = None

    @property
    def filename(self) -> str:
        """What stands for them where a job has the name of its file."""
        return f"{len(self.jobs)} MP3s"


@database.transactional
def notice_of(connection: sa.Connection, carrier: str) -> Notice | None:
    """What there is to tell. Returns: None when all of them were fetched meanwhile, or are gone."""
    owned = sa.and_(users.c.id == jobs.c.user_id, users.c.deleted_at.is_(None))
    row = connection.execute(
        sa.select(jobs, users.c.email).join(users, owned).where(jobs.c.id == carrier)
    ).one_or_none()
    found = reminders.carried(connection, carrier)
    if row is None or not found:
        reminders.mark_told(connection, carrier)
        return None
    about = Reminder(row.id, row.user_id, row.email, row.fencing_token, row.updated_at, found)
    return Notice(about, ExpiryAnnounced.TYPE)


def settle(connection: sa.Connection, carrier: str) -> None:
    """Settle the event, in the caller's transaction: all endpoints are done with it."""
    reminders.mark_told(connection, carrier)


def reopen(connection: sa.Connection, carrier: str) -> bool:
    """Have the event come again, in the caller's transaction. Returns: whether there is something to tell."""
    return reminders.reopen(connection, carrier)
