"""Jobs as lists, and one by one."""

from __future__ import annotations

from typing import Any

from functions.download.shapes import JobPage, PageQuery
from functions.shared import tokens
from functions.shared.cursors import newest_first
from functions.shared.jobs import deletion
from functions.shared.jobs.states import State
from functions.shared.owners import job_of
from functions.shared.tables import jobs
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
    wanted = {"state": query.state, "batch_id": query.batch}
    filters = (jobs.c[name] == value for name, value in wanted.items() if value is not None)
    mine = jobs.select().where(jobs.c.user_id == user_id, *filters)
    rows, following = newest_first(mine, jobs.c.created_at, jobs.c.id, query.cursor, query.limit)
    return JobPage([view(row) for row in rows], following)


def delete(user_id: str, job_id: str) -> None:
    """Delete a user's job with all that belongs to it. Raises: Problem (404)."""
    deletion.delete(job_of(user_id, job_id))
