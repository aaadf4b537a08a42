"""Jobs as lists, and one by one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from functions.shared import blobs, database, tokens
from functions.shared.jobs import names
from functions.shared.jobs.states import State
from functions.shared.owners import job_of
from functions.shared.problems import Problem
from functions.shared.tables import checkpoints, jobs
from functions.shared.views import job_view

__all__ = ["delete", "page", "view"]

DEFAULT_LIMIT, MAX_LIMIT = 20, 100


def view(job: Any) -> dict[str, Any]:
    """The JSON of a job; when it is done, with a signed link that needs no token and is good until the file expires."""
    shown = job_view(job)
    if job.state == State.DONE:
        shown["links"]["download"] = f"/v1/files/{tokens.link(job.id, job.expires_at.timestamp())}"
    return shown


def page(user_id: str, query: Mapping[str, str]) -> dict[str, Any]:
    """One page of a user's jobs, newest first, and the cursor of the next one, or None. Raises: Problem (400)."""
    limit = _limit(query.get("limit"))
    wanted = (
        jobs.select()
        .where(jobs.c.user_id == user_id, *_filter(query))
        .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
    )
    with database.reading() as connection:
        rows = connection.execute(wanted.limit(limit + 1)).all()
    items = [view(row) for row in rows[:limit]]
    return {"items": items, "next_cursor": _cursor(rows[limit - 1]) if len(rows) > limit else None}


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


def _filter(query: Mapping[str, str]) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if state := query.get("state"):
        if state not in set(State):
            raise Problem("bad-request", f"`state` must be one of {', '.join(State)}.")
        conditions.append(jobs.c.state == state)
    if cursor := query.get("cursor"):
        created_at, job_id = _position(cursor)
        older = sa.and_(jobs.c.created_at == created_at, jobs.c.id < job_id)
        conditions.append(sa.or_(jobs.c.created_at < created_at, older))
    return conditions


def _limit(value: str | None) -> int:
    if value is None:
        return DEFAULT_LIMIT
    if not value.isascii() or not value.isdigit() or not 1 <= int(value[:9]) <= MAX_LIMIT:
        raise Problem("bad-request", f"`limit` must be a number from 1 to {MAX_LIMIT}.")
    return int(value)


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
