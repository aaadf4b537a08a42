"""Jobs as lists, and one by one."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from functions.download.shapes import JobPage, PageQuery
from functions.shared import database, tokens
from functions.shared.jobs import deletion
from functions.shared.jobs.states import State
from functions.shared.owners import job_of
from functions.shared.problems import Problem
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
    wanted = (
        jobs.select()
        .where(jobs.c.user_id == user_id, *_filter(query))
        .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
    )
    with database.reading() as connection:
        rows = connection.execute(wanted.limit(query.limit + 1)).all()
    items = [view(row) for row in rows[: query.limit]]
    return JobPage(items, _cursor(rows[query.limit - 1]) if len(rows) > query.limit else None)


def delete(user_id: str, job_id: str) -> None:
    """Delete a user's job with all that belongs to it. Raises: Problem (404)."""
    deletion.delete(job_of(user_id, job_id))


def _filter(query: PageQuery) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if query.state:
        conditions.append(jobs.c.state == query.state)
    if query.cursor:
        created_at, job_id = _position(query.cursor)
        older = sa.and_(jobs.c.created_at == created_at, jobs.c.id < job_id)
        conditions.append(sa.or_(jobs.c.created_at < created_at, older))
    return conditions


def _cursor(row: Any) -> str:
    return base64.urlsafe_b64encode(f"{row.created_at.isoformat()} {row.id}".encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        created_at, _, job_id = text.partition(" ")
        instant = datetime.fromisoformat(created_at)
        if instant.utcoffset() != timedelta(0):
            raise ValueError(created_at)
    except (ValueError, binascii.Error):
        raise Problem("bad-request", "`cursor` must be the next_cursor of an earlier page.") from None
    return instant, job_id
