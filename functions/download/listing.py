"""Jobs as lists, and one by one."""

from __future__ import annotations

from typing import Any

from functions.download.shapes import JobPage, PageQuery
from functions.shared import tokens
from functions.shared.audit import Actor
from functions.shared.cursors import newest_first
from functions.shared.jobs import deletion, names
from functions.shared.owners import job_of, no_such_job
from functions.shared.tables import jobs
from functions.shared.views import Job, job_view

__all__ = ["delete", "page", "view"]


def view(job: Any) -> Job:
    """A job; once it is over, with a signed link to its MP3 that needs no token and is good until the file expires."""
    shown = job_view(job)
    if names.audio_of(job) and job.expires_at:
        shown.links.download = f"/v1/files/{tokens.link(job.id, job.expires_at.timestamp())}"
    return shown


def page(user_id: str, query: PageQuery) -> JobPage:
    """One page of a user's jobs, newest first. Raises: Problem (400)."""
    wanted = jobs.select().where(jobs.c.user_id == user_id, *([jobs.c.state == query.state] if query.state else []))
    rows, following = newest_first(wanted, jobs.c.created_at, jobs.c.id, query.cursor, query.limit)
    return JobPage([view(row) for row in rows], following)


def delete(job_id: str, by: Actor) -> None:
    """Delete the job of a user with all that belongs to it. Raises: Problem (404)."""
    if not deletion.delete(job_of(by.name, job_id), by):
        # Another request was faster.
        raise no_such_job()
