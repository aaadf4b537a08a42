"""Jobs as lists, and one by one."""

from __future__ import annotations

from typing import Any

from functions.download import figures
from functions.download.shapes import JobPage, PageQuery
from functions.shared import tokens
from functions.shared.audit import Actor
from functions.shared.cursors import newest_first
from functions.shared.jobs import deletion, names
from functions.shared.owners import job_of, no_such_job
from functions.shared.tables import jobs
from functions.shared.views import Job, job_view

__all__ = ["delete", "page", "view", "whole"]


def view(job: Any) -> Job:
    """A job; once it is over, with a signed link to its MP3 that needs no token and is good until the file expires."""
    shown = job_view(job)
    if names.audio_of(job) and job.expires_at:
        said = tokens.Link(job.id, generation=job.links_generation or 0)
        shown.links.download = f"/v1/files/{tokens.link(said, job.expires_at.timestamp())}"
    return shown


def whole(job: Any) -> Job:
    """As `view`, with its figures."""
    shown = view(job)
    figures.add([shown], [job])
    return shown


def page(user_id: str, query: PageQuery) -> JobPage:
    """One page of a user's jobs, newest first. Raises: Problem (400)."""
    wanted = {"state": query.state, "batch_id": query.batch}
    filters = (jobs.c[name] == value for name, value in wanted.items() if value is not None)
    mine = jobs.select().where(jobs.c.user_id == user_id, *filters)
    rows, following = newest_first(mine, jobs.c.created_at, jobs.c.id, query.cursor, query.limit)
    views = [view(row) for row in rows]
    figures.add(views, rows)
    return JobPage(views, following)


def delete(job_id: str, by: Actor) -> None:
    """Delete the job of a user with all that belongs to it. Raises: Problem (404)."""
    if not deletion.delete(job_of(by.name, job_id), by):
        # Another request was faster.
        raise no_such_job()
