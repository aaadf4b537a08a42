"""The end of jobs before their time: the rows, with all that hangs on them, and then their files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from functions.shared import audit, database, unwanted
from functions.shared.audit import Actor
from functions.shared.jobs import names
from functions.shared.tables import checkpoints, job_events, jobs, notifications, outbox, peaks

__all__ = ["delete", "delete_all", "delete_rows"]

# What hangs on a job. The database would delete most of it with the job, but not what an older release wrote about it
# a moment ago, and not row by row when there are hundreds.
_HANGING = (job_events, outbox, notifications, peaks)


def delete(job: Any, by: Actor) -> bool:
    """Delete the job of this row. Who works on it notices when it renews its lease.

    Files that cannot be deleted now, sweep deletes. Returns: whether it was there.
    """
    deleted = delete_all([job.id], by)
    unwanted.delete_of(job.id)
    return bool(deleted)


@database.transactional
def delete_all(connection: sa.Connection, ids: Sequence[str], by: Actor) -> list[str]:
    """As `delete`, several jobs, without their files (unwanted.delete_of_all). Returns: those that there were."""
    found = delete_rows(connection, ids)
    for row in found:
        audit.write(connection, by, "job.deleted", {"job_id": row.id, "state": row.state})
    return [row.id for row in found]


def delete_rows(connection: sa.Connection, ids: Sequence[str]) -> Sequence[Any]:
    """Delete jobs in the caller's transaction, and note that their files are unwanted (unwanted.py).

    Returns: the rows that there were, in no order.
    """
    # Whoever comes second finds no rows; no claim, checkpoint or end comes between what is read and what is deleted.
    mine = jobs.c.id.in_(ids)
    connection.execute(sa.select(jobs.c.id).where(mine).with_for_update())
    saved = jobs.outerjoin(checkpoints, checkpoints.c.job_id == jobs.c.id)
    found = connection.execute(sa.select(jobs, checkpoints.c.parts).select_from(saved).where(mine)).all()
    for row in found:
        unwanted.note(connection, _files(row))
    unwanted.note_pieces(connection, ids)
    for table in _HANGING:
        connection.execute(table.delete().where(table.c.job_id.in_(ids)))
    connection.execute(jobs.delete().where(mine))
    return found


def _files(job: Any) -> list[str | None]:
    """Also what may not be there: a claim that was alive may have just stored its MP3, or its video."""
    mine = (job.id, job.fencing_token)
    videos = (names.video_of(job), names.video(*mine), *names.fetched_of(job))
    return [*videos, job.audio, names.audio(*mine), *(job.parts or ())]
