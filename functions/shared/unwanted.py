"""Files that nobody needs any more: a row first, in the transaction that makes them so, and then they are deleted.

As with the outbox, neither a store that is away nor a process that dies in between can leave one behind: what is not
deleted at once, sweep deletes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from functions.shared import blobs, database
from functions.shared.jobs.names import owner_of
from functions.shared.problems import Unavailable
from functions.shared.tables import chores, now, unwanted_blobs, upload_pieces

__all__ = ["delete_of", "delete_of_all", "delete_some", "forget", "kept", "note", "note_pieces"]

log = logging.getLogger(__name__)

# In one go: a job that was saved for hours has thousands of parts.
BATCH = 500
# The row of chores that says that files are kept, for so long after it was written: whoever keeps them may die.
_KEPT, KEPT_SECONDS = "keep-files", 600


def note(connection: sa.Connection, names: Iterable[str | None]) -> None:
    """Note, in the caller's transaction, that the blobs of these names are to be deleted, there or not."""
    _insert(connection, [(owner_of(name), name) for name in names if name])


def note_pieces(connection: sa.Connection, job_ids: Sequence[str]) -> None:
    """The same of what the videos of jobs were joined of: blobs that may have come as those of others."""
    mine = sa.select(upload_pieces.c.job_id, upload_pieces.c.name).where(upload_pieces.c.job_id.in_(job_ids))
    _insert(connection, [(row.job_id, row.name) for row in connection.execute(mine)])


def forget(connection: sa.Connection, job_id: str) -> None:
    """Leave the blobs of a job alone: its id is that of a new one, which may take their names."""
    connection.execute(unwanted_blobs.delete().where(unwanted_blobs.c.job_id == job_id))


def delete_of(job_id: str) -> None:
    """Delete what is unwanted of a job, after the transaction that noted it. Never raises: sweep deletes the rest."""
    try:
        _delete(_noted(unwanted_blobs.c.job_id == job_id))
    except Unavailable as error:
        log.warning("files of job %s are deleted later: %s", job_id, error)


def delete_of_all(job_ids: Iterable[str]) -> None:
    """As `delete_of`, of several jobs."""
    for job_id in job_ids:
        delete_of(job_id)


def delete_some() -> int:
    """Delete the unwanted blobs that have been so for longest. Returns: how many. Raises: Unavailable."""
    rows = _noted(sa.true())
    _delete(rows)
    return len(rows)


@contextmanager
def kept() -> Iterator[Callable[[], None]]:
    """During the block, no file is deleted that a row has named, however unwanted: for a backup.

    Gives: what has to be called every few minutes. Raises: Unavailable.
    """
    _keep()
    written = time.monotonic()

    def keep() -> None:
        nonlocal written
        if time.monotonic() > written + KEPT_SECONDS / 10:
            _keep()
            written = time.monotonic()

    try:
        yield keep
    finally:
        _let_go()


@database.transactional
def _keep(connection: sa.Connection) -> None:
    mine = chores.c.name == _KEPT
    if connection.execute(chores.update().where(mine).values(begun_at=now())).rowcount == 0:
        database.insert_missing(connection, chores, name=_KEPT, begun_at=now())


@database.transactional
def _let_go(connection: sa.Connection) -> None:
    connection.execute(chores.delete().where(chores.c.name == _KEPT))


def _are_kept(connection: sa.Connection) -> bool:
    since = now() - timedelta(seconds=KEPT_SECONDS)
    query = sa.select(chores.c.name).where(chores.c.name == _KEPT, chores.c.begun_at > since)
    return connection.execute(query).first() is not None


def _insert(connection: sa.Connection, noted: Iterable[tuple[str, str]]) -> None:
    """Note blobs, each with the job that needed it last."""
    rows = [{"job_id": job_id, "name": name, "since": now()} for job_id, name in noted]
    if rows:
        connection.execute(unwanted_blobs.insert(), rows)


def _noted(which: sa.ColumnElement[bool]) -> Sequence[Any]:
    with database.reading() as connection:
        query = unwanted_blobs.select().where(which).order_by(unwanted_blobs.c.id)
        found = connection.execute(query.limit(BATCH)).all()
        # In this order: what is deleted was unwanted before anybody had files kept, and so in no row that is backed up.
        return () if _are_kept(connection) else found


def _delete(rows: Sequence[Any]) -> None:
    gone: list[int] = []
    try:
        for row in rows:
            if _is_gone(row.name):
                gone.append(row.id)
    finally:
        if gone:
            _settle(gone)


def _is_gone(name: str) -> bool:
    """Delete a file. One that cannot be deleted holds no others up, but a store that is away does."""
    log.info("deleting %s", name)
    try:
        # What it was joined of has names of its own here, or is needed still.
        blobs.store().delete(name, with_pieces=False)
    except Unavailable:
        raise
    except Exception:
        log.exception("%s cannot be deleted", name)
        return False
    return True


@database.transactional
def _settle(connection: sa.Connection, ids: list[int]) -> None:
    connection.execute(unwanted_blobs.delete().where(unwanted_blobs.c.id.in_(ids)))
