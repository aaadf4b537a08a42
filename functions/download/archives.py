"""Zips of the MP3s of many jobs: asked for, and made while they are sent.

What was asked for is a row, for a link with a thousand jobs in it is too long. What is in the zip is found when it is
fetched, and its length is known by then, so that it can be seen how far a download is, and whether it is whole.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from functions.download import downloads, files
from functions.download.archive_shapes import Archive
from functions.shared import database, settings, suspension, tokens
from functions.shared.file_names import ending_of, renamed, safe_name
from functions.shared.problems import Problem
from functions.shared.tables import archives as table
from functions.shared.tables import jobs, now
from functions.shared.threads import each_in_thread
from functions.shared.views import rfc3339
from functions.shared.zips import ZipStream, length

__all__ = ["create", "respond"]

LINK_SECONDS = 3600
# Of one account, so many links are good at a time: the newest.
MAX_ARCHIVES = 20
MAX_NAME_LENGTH = 200


def create(user_id: str, ids: Sequence[str]) -> Archive:
    """A link to the zip of the MP3s of these jobs, of those that are the user's and have one. Raises: Problem (404)."""
    found = _named(_rows(user_id, ids))
    if not found:
        raise Problem("not-found", "None of these jobs has an MP3.")
    ident, ends = uuid.uuid4().hex, now() + timedelta(seconds=LINK_SECONDS)
    wanted = {"job_ids": [job.id for _, job in found], "created_at": now(), "expires_at": ends}
    _insert({"id": ident, "user_id": user_id, **wanted})
    url = f"{settings.text('PUBLIC_URL')}/v1/archives/{tokens.archive(ident, ends.timestamp())}"
    return Archive(url, rfc3339(ends), len(found), _length(found))


def respond(request: Request, signed: str) -> Response:
    """The zip that a signed link is about. Raises: Problem (404, 410)."""
    asked = _asked(tokens.archived(signed))
    found = _named(_rows(asked.user_id, asked.job_ids))
    if not found:
        raise Problem("not-found", "The MP3s of this zip are gone.")
    name = f"audiolift-{asked.created_at:%Y-%m-%d}.zip"
    headers = {**files.PUBLIC, "Content-Disposition": files.attached(name), "Content-Length": str(_length(found))}
    if request.method == "HEAD":
        return Response(headers=headers, media_type="application/zip")
    return StreamingResponse(each_in_thread(_pieces(found)), headers=headers, media_type="application/zip")


def _pieces(found: Sequence[tuple[str, Any]]) -> Iterator[bytes]:
    """The zip. What is deleted in the meantime breaks it off: its length was stated."""
    zipped = ZipStream()
    for name, job in found:
        yield from zipped.add(name, job.updated_at, downloads.noted(job, files.read(job, 0, job.audio_bytes)))
    yield from zipped.end()


def _length(found: Sequence[tuple[str, Any]]) -> int:
    return length((name, job.audio_bytes) for name, job in found)


def _rows(user_id: str, ids: Sequence[str]) -> list[Any]:
    """The user's jobs among these that have an MP3, in the order of `ids`."""
    mine = (jobs.c.id.in_(ids), jobs.c.user_id == user_id, jobs.c.audio.is_not(None))
    with database.reading() as connection:
        rows = {row.id: row for row in connection.execute(jobs.select().where(*mine)) if files.is_there(row)}
    return [rows[each] for each in dict.fromkeys(ids) if each in rows]


def _named(found: Sequence[Any]) -> list[tuple[str, Any]]:
    """Each job with the name of its file in the zip; no two are the same, in capitals or not, as some systems want."""
    taken: Counter[str] = Counter()
    named = []
    for job in found:
        stem, ending = renamed(job.filename, ending_of(job)).rsplit(".", 1)
        name = first = safe_name(stem, ending, MAX_NAME_LENGTH)
        while name.casefold() in taken:
            taken[first.casefold()] += 1
            name = safe_name(f"{stem[: MAX_NAME_LENGTH // 4]} ({taken[first.casefold()]})", ending, MAX_NAME_LENGTH)
        taken[name.casefold()] += 1
        named.append((name, job))
    return named


def _asked(archive_id: str) -> Any:
    theirs = sa.and_(table.c.id == archive_id, ~suspension.closed(table.c.user_id))
    with database.reading() as connection:
        row = connection.execute(table.select().where(theirs)).one_or_none()
    if row is None:
        raise Problem("link-over", "Whoever it belongs to has made others since, has revoked it, or has no account.")
    return row


@database.transactional
def _insert(connection: sa.Connection, values: dict[str, Any]) -> None:
    mine = sa.select(table.c.id).where(table.c.user_id == values["user_id"])
    newest = connection.execute(mine.order_by(table.c.created_at.desc(), table.c.id).limit(MAX_ARCHIVES - 1)).scalars()
    connection.execute(table.delete().where(table.c.user_id == values["user_id"], table.c.id.not_in(newest.all())))
    connection.execute(table.insert().values(values))
