"""Signed links to an MP3: made with an end, listed, revoked one by one or all at once, and opened.

What opens the file is signed, so that nobody can make or change one; that it has not been revoked is in the database.
A link that its owner made is good while its row in `links` is there. All others of a job (in mails, and in the job's
own view) are of a generation, which the job counts up when all of its links are revoked.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from functions.download import files
from functions.download.link_shapes import MAX_LINKS, FileLink, FileLinkList, NewLink
from functions.shared import database, settings, suspension, tokens
from functions.shared.owners import job_of
from functions.shared.problems import Problem
from functions.shared.tables import archives, jobs, now
from functions.shared.tables import links as table
from functions.shared.views import rfc3339

__all__ = ["create", "every", "job_behind", "revoke", "revoke_all"]


def create(user_id: str, job_id: str, new: NewLink) -> FileLink:
    """Make a link to the MP3 of a user's job; it ends with the file at the latest. Raises: Problem (404, 409, 410)."""
    job = job_of(user_id, job_id)
    files.check_there(job)
    if job.expires_at is None:
        raise Problem("wrong-state", "The job is converted again: wait for its end.", state=job.state)
    return _shown(_insert(job_id, min(new.expires_at or job.expires_at, job.expires_at)))


def every(user_id: str, job_id: str) -> FileLinkList:
    """The links of a user's job that were made and are good, newest first. Raises: Problem (404)."""
    job = job_of(user_id, job_id)
    good = table.select().where(table.c.job_id == job.id, table.c.expires_at > now())
    with database.reading() as connection:
        rows = connection.execute(good.order_by(table.c.created_at.desc(), table.c.id)).mappings().all()
    return FileLinkList([_shown(row) for row in rows])


@database.transactional
def revoke(connection: sa.Connection, job_id: str, link_id: str) -> None:
    """End one link of a job. Raises: Problem (404)."""
    if connection.execute(table.delete().where(table.c.id == link_id, table.c.job_id == job_id)).rowcount != 1:
        raise Problem("not-found", "The job has no such link.")


@database.transactional
def revoke_all(connection: sa.Connection, job_id: str) -> None:
    """End every link of a job that there is, those in mails, in what was read of the job, and to zips, too."""
    connection.execute(table.delete().where(table.c.job_id == job_id))
    owner = sa.select(jobs.c.user_id).where(jobs.c.id == job_id).scalar_subquery()
    zips = connection.execute(archives.select().where(archives.c.user_id == owner)).all()
    # Few, and no database looks into a list in the same way.
    connection.execute(archives.delete().where(archives.c.id.in_([row.id for row in zips if job_id in row.job_ids])))
    generation = sa.func.coalesce(jobs.c.links_generation, 0) + 1
    connection.execute(jobs.update().where(jobs.c.id == job_id).values(links_generation=generation))


def job_behind(signed: str) -> Any:
    """The row of the job whose MP3 a signed link opens. Raises: Problem (404, 410)."""
    said = tokens.linked(signed)
    theirs = sa.and_(jobs.c.id == said.job_id, ~suspension.closed(jobs.c.user_id))
    query = sa.select(jobs, table.c.id.label("link_id")).where(theirs)
    made = sa.and_(table.c.job_id == jobs.c.id, table.c.id == (said.id or ""))
    with database.reading() as connection:
        row = connection.execute(query.select_from(jobs.outerjoin(table, made))).one_or_none()
    if row is None:
        raise Problem("not-found", "The job of this link was deleted, or its owner's account is closed.")
    if row.link_id is None if said.id else said.generation != (row.links_generation or 0):
        raise Problem("link-over", "Whoever it belongs to has revoked it.")
    return row


@database.transactional
def _insert(connection: sa.Connection, job_id: str, expires_at: datetime) -> dict[str, Any]:
    # The lock on the job has those who make links at once take turns, or each would still see room for one.
    if connection.execute(sa.select(jobs.c.id).where(jobs.c.id == job_id).with_for_update()).one_or_none() is None:
        raise Problem("not-found", "You have no such job.")
    connection.execute(table.delete().where(table.c.job_id == job_id, table.c.expires_at <= now()))
    counted = sa.select(sa.func.count()).select_from(table).where(table.c.job_id == job_id)
    if connection.execute(counted).scalar_one() >= MAX_LINKS:
        raise Problem("too-many-links", f"A job has at most {MAX_LINKS} links; revoke one that is not used.")
    values = {"id": uuid.uuid4().hex, "job_id": job_id, "created_at": now(), "expires_at": expires_at}
    connection.execute(table.insert().values(values))
    return values


def _shown(row: Any) -> FileLink:
    signed = tokens.link(tokens.Link(row["job_id"], row["id"]), row["expires_at"].timestamp())
    url = f"{settings.text('PUBLIC_URL')}/v1/files/{signed}"
    return FileLink(row["id"], url, rfc3339(row["created_at"]), rfc3339(row["expires_at"]))
