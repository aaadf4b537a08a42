"""Deletes what nobody may fetch any more: expired files, unfinished uploads, files of no job."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import sqlalchemy as sa

from functions.shared import blobs, database, settings
from functions.shared.jobs import move
from functions.shared.tables import checkpoints, jobs, now

__all__ = ["delete_orphans", "expire", "forget_unfinished"]

log = logging.getLogger(__name__)

BATCH = 500
ENDED = ("done", "failed", "cancelled")
# A file is younger than the row that needs it only for a moment.
ORPHAN_SECONDS = 3600


def expire() -> None:
    """done, failed or cancelled, past its time → expired, without files."""
    with database.reading() as connection:
        over = connection.execute(
            jobs.select().where(jobs.c.state.in_(ENDED), jobs.c.expires_at < now()).limit(BATCH)
        ).all()
    for job in over:
        if _mark_expired(job):
            _delete(f"video/{job.id}", job.audio)


def forget_unfinished() -> None:
    """Uploads that broke off: the row, and what was written of the file."""
    before = now() - timedelta(seconds=settings.number("UPLOAD_GRACE_SECONDS"))
    _forget_receiving(before)
    blobs.store().delete_unfinished(before)


def delete_orphans() -> None:
    """Files that no job needs: left by processes that died between two steps."""
    before = now() - timedelta(seconds=ORPHAN_SECONDS)
    old = (blob.name for blob in blobs.store().all() if blob.written_at < before)
    for names in _batches(old):
        _delete(*sorted(set(names) - _needed(names)))


@database.transactional
def _mark_expired(connection: sa.Connection, job: Any) -> bool:
    return move(connection, job.id, jobs.c.state == job.state, jobs.c.expires_at < now(), state="expired")


@database.transactional
def _forget_receiving(connection: sa.Connection, before: datetime) -> None:
    connection.execute(jobs.delete().where(jobs.c.state == "receiving", jobs.c.updated_at < before))


def _needed(names: list[str]) -> set[str]:
    ids = {name.partition("/")[2].partition(".")[0] for name in names}
    saved = jobs.outerjoin(checkpoints, checkpoints.c.job_id == jobs.c.id)
    with database.reading() as connection:
        found = connection.execute(sa.select(jobs, checkpoints.c.parts).select_from(saved).where(jobs.c.id.in_(ids)))
        return {name for job in found for name in _names(job)}


def _names(job: Any) -> tuple[str, ...]:
    if job.state == "done":
        return (job.audio,)
    if job.state == "expired":
        return ()
    parts = job.parts or [] if job.state in ("queued", "converting") else []
    return (f"video/{job.id}", f"audio/{job.id}.{job.fencing_token}", *parts)


def _batches(names: Iterable[str]) -> Iterator[list[str]]:
    left = iter(names)
    while batch := list(islice(left, BATCH)):
        yield batch


def _delete(*names: str | None) -> None:
    for name in names:
        if name:
            log.info("deleting %s", name)
            blobs.store().delete(name)
