"""The pieces of resumable uploads: which of them are needed, and uploads that nobody went on with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa

from functions.shared import blobs, database
from functions.shared.jobs.states import State
from functions.shared.tables import jobs, now, upload_pieces, uploads

__all__ = ["forget_abandoned", "forget_listed", "needed"]

BATCH = 500


def needed(connection: sa.Connection, found_names: Iterable[str], needs_video: Callable[[Any], bool]) -> Iterable[str]:
    """Those of the names that are pieces of the videos of jobs, as long as these need their videos."""
    listed = jobs.join(upload_pieces, upload_pieces.c.job_id == jobs.c.id)
    parts = sa.null().label("parts")
    query = sa.select(jobs, upload_pieces.c.name.label("piece"), parts).select_from(listed)
    found = connection.execute(query.where(upload_pieces.c.name.in_(list(found_names))))
    return [row.piece for row in found if needs_video(row)]


def forget_abandoned() -> None:
    """Uploads that were not gone on with in time: the job, and what has arrived."""
    with database.reading() as connection:
        query = sa.select(uploads.c.job_id).join(jobs, jobs.c.id == uploads.c.job_id).where(_abandoned())
        over = connection.execute(query.limit(BATCH)).scalars().all()
    for job_id in over:
        for name in _forget(job_id):
            blobs.store().delete(name)


@database.transactional
def forget_listed(connection: sa.Connection) -> None:
    """What videos were joined of, once these are deleted; some of it at a time."""
    expired = sa.select(jobs.c.id).where(jobs.c.state == State.EXPIRED)
    listed = sa.select(upload_pieces.c.name).where(upload_pieces.c.job_id.in_(expired)).limit(BATCH)
    gone = connection.execute(listed).scalars().all()
    connection.execute(upload_pieces.delete().where(upload_pieces.c.name.in_(gone)))


@database.transactional
def _forget(connection: sa.Connection, job_id: str) -> list[str]:
    """Returns: the pieces of an upload that is abandoned, and forgotten now."""
    mine = sa.select(jobs.c.id).join(uploads, uploads.c.job_id == jobs.c.id).where(jobs.c.id == job_id, _abandoned())
    if connection.execute(mine.with_for_update()).first() is None:
        return []
    pieces = connection.execute(sa.select(upload_pieces.c.name).where(upload_pieces.c.job_id == job_id)).scalars().all()
    connection.execute(jobs.delete().where(jobs.c.id == job_id))
    return list(pieces)


def _abandoned() -> sa.ColumnElement[bool]:
    return sa.and_(jobs.c.state == State.RECEIVING, uploads.c.expires_at < now())
