"""Jobs as lists, and one by one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from functions.download.shapes import JobPage, PageQuery
from functions.shared import blobs, database, tokens
from functions.shared.cursors import newest_first
from functions.shared.jobs import names
from functions.shared.jobs.states import State
from functions.shared.owners import job_of
from functions.shared.tables import checkpoints, jobs
from functions.shared.views import Job, job_view

__all__ = ["delete", "page", "view"]


def view(job: Any) -> Job:
    """A job; when it is done, with a signed link that needs no token and is good until the file expires."""
    shown = job_view(job)
    if job.state == State.DONE:
        shown.links.download = f"/v1/files/{tokens.link(job.id, job.expires_at.timestamp())}"
    return shown


def page(user_id: str, query: PageQuery) -> JobPage:
    """One page of a user's jobs, newest first. Raises: Problem (400)."""
    wanted = jobs.select().where(jobs.c.user_id == user_id, *([jobs.c.state == query.state] if query.state else []))
    rows, following = newest_first(wanted, jobs.c.created_at, jobs.c.id, query.cursor, query.limit)
    return JobPage([view(row) for row in rows], following)


def delete(user_id: str, job_id: str) -> None:
    """Delete a user's job with all that belongs to it. Raises: Problem (404)."""
    job = job_of(user_id, job_id)
    parts = _delete_row(job_id)
    # After the rows: should this process die in between, sweep finds files of no job, and not a job without files.
    for name in (names.video_of(job), job.audio, *parts):
        if name:
            blobs.store().delete(name)


@database.transactional
def _delete_row(connection: sa.Connection, job_id: str) -> list[str]:
    """Returns: the parts of the MP3 that its conversion had saved."""
    saved = sa.select(checkpoints.c.parts).where(checkpoints.c.job_id == job_id)
    parts = connection.execute(saved).scalar_one_or_none()
    connection.execute(jobs.delete().where(jobs.c.id == job_id))
    return parts or []
