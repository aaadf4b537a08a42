"""The end of a job before its time: the row, with all that hangs on it, and then its files."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from functions.shared import blobs, database
from functions.shared.jobs import fetches, names
from functions.shared.tables import checkpoints, jobs

__all__ = ["delete"]


def delete(job: Any) -> None:
    """Delete the job of this row. Who works on it notices when it renews its lease."""
    parts = _delete_row(job.id)
    # After the rows: should this process die in between, sweep finds files of no job, and not a job without files.
    for name in (names.video_of(job), job.audio, *parts, *fetches.pieces_of(job)):
        if name:
            blobs.store().delete(name)


@database.transactional
def _delete_row(connection: sa.Connection, job_id: str) -> list[str]:
    """Returns: the parts of the MP3 that its conversion had saved."""
    saved = sa.select(checkpoints.c.parts).where(checkpoints.c.job_id == job_id)
    parts = connection.execute(saved).scalar_one_or_none()
    connection.execute(jobs.delete().where(jobs.c.id == job_id))
    return parts or []
