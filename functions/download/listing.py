"""Jobs as lists, and one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import UNSET

from functions.download import figures
from functions.download.shapes import JobPage, NewName, PageQuery
from functions.shared import database, tokens
from functions.shared.audit import Actor
from functions.shared.cursors import newest_first
from functions.shared.file_names import given_name
from functions.shared.jobs import changes, deletion, names
from functions.shared.jobs.states import State
from functions.shared.owners import job_of, no_such_job, wrong_state
from functions.shared.tables import jobs
from functions.shared.views import Job, job_view
from functions.shared.visible import visible

__all__ = ["delete", "delete_all", "page", "rename", "view", "whole"]


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
    mine = jobs.select().where(jobs.c.user_id == user_id, *_filters(query))
    rows, following = newest_first(mine, jobs.c.created_at, jobs.c.id, query.cursor, query.limit)
    views = [view(row) for row in rows]
    figures.add(views, rows)
    return JobPage(views, following)


def rename(user_id: str, job_id: str, new: NewName) -> Job:
    """Call a user's job something else, if that is asked for. Raises: Problem (404, 409)."""
    job_of(user_id, job_id)
    if new.filename is not UNSET and not _rename(job_id, given_name(new.filename)):
        raise wrong_state(user_id, job_id, "renamed")
    return whole(job_of(user_id, job_id))


def delete_all(ids: Sequence[str], by: Actor) -> list[str]:
    """Delete these of the jobs of a user, but not their files, which are unwanted then. Returns: which there were."""
    mine = sa.select(jobs.c.id).where(jobs.c.id.in_(ids), jobs.c.user_id == by.name)
    with database.reading() as connection:
        found = connection.execute(mine).scalars().all()
    return deletion.delete_all(found, by)


def delete(job_id: str, by: Actor) -> None:
    """Delete the job of a user with all that belongs to it. Raises: Problem (404)."""
    if not deletion.delete(job_of(by.name, job_id), by):
        # Another request was faster.
        raise no_such_job()


def _filters(query: PageQuery) -> Iterator[sa.ColumnElement[bool]]:
    if query.state is not None:
        yield jobs.c.state.in_(query.state.split(","))
    if query.batch is not None:
        yield jobs.c.batch_id == query.batch
    if query.q is not None:
        # Not LIKE: what is looked for may have its wildcards in it. Names are in NFC, and so must this be.
        yield sa.func.instr(sa.func.lower(jobs.c.filename), sa.func.lower(visible(query.q))) > 0


@database.transactional
def _rename(connection: sa.Connection, job_id: str, name: str) -> bool:
    """With a row of job_events, by which other tabs hear of it."""
    fixed = (State.RECEIVING, State.EXPIRED)
    return changes.move(connection, job_id, jobs.c.state.not_in(fixed), filename=name)
