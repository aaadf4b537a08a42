"""The pieces of resumable uploads: which of them are needed, and the rows of those that are not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa

from functions.shared import database
from functions.shared.jobs.states import State
from functions.shared.tables import jobs, upload_pieces

__all__ = ["forget_listed", "needed"]

BATCH = 500


def needed(connection: sa.Connection, found_names: Iterable[str], needs_video: Callable[[Any], bool]) -> Iterable[str]:
    """Those of the names that are pieces of the videos of jobs, as long as these need their videos."""
    listed = jobs.join(upload_pieces, upload_pieces.c.job_id == jobs.c.id)
    parts = sa.null().label("parts")
    query = sa.select(jobs, upload_pieces.c.name.label("piece"), parts).select_from(listed)
    found = connection.execute(query.where(upload_pieces.c.name.in_(list(found_names))))
    return [row.piece for row in found if needs_video(row)]


@database.transactional
def forget_listed(connection: sa.Connection) -> None:
    """What videos were joined of, once these are deleted; some of it at a time."""
    expired = sa.select(jobs.c.id).where(jobs.c.state == State.EXPIRED)
    listed = sa.select(upload_pieces.c.name).where(upload_pieces.c.job_id.in_(expired)).limit(BATCH)
    gone = connection.execute(listed).scalars().all()
    connection.execute(upload_pieces.delete().where(upload_pieces.c.name.in_(gone)))
