"""Deletes what nobody may fetch any more: expired files, unfinished uploads, files of no job."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

import sqlalchemy as sa

from functions.shared import blobs, database, settings
from functions.shared.jobs import fetches, names, transitions
from functions.shared.jobs.states import ENDED, KEPT, State
from functions.shared.tables import checkpoints, jobs, now

__all__ = ["delete_orphans", "expire", "forget_unfinished"]

log = logging.getLogger(__name__)

BATCH = 500
# A file is younger than the row that needs it only for a moment.
ORPHAN_SECONDS = 3600


def expire() -> None:
    """done, failed or cancelled, past its time → expired, without files."""
    with database.reading() as connection:
        over = connection.execute(
            jobs.select().where(jobs.c.state.in_(KEPT), jobs.c.expires_at < now()).limit(BATCH)
        ).all()
    for job in over:
        if transitions.expire(job.id):
            _delete(names.video_of(job), job.audio)


def forget_unfinished() -> None:
    """Uploads in requests that broke off: the row, and what was written of the file."""
    before = now() - timedelta(seconds=settings.number("UPLOAD_GRACE_SECONDS"))
    transitions.forget_unreceived(before)
    blobs.store().delete_unfinished(before)


def delete_orphans() -> None:
    """Files that no job needs: left by processes that died between two steps."""
    before = now() - timedelta(seconds=ORPHAN_SECONDS)
    old = (blob.name for blob in blobs.store().all() if blob.written_at < before)
    for batch in _batches(old):
        _delete(*sorted(set(batch) - _needed(batch)))


def _needed(found_names: list[str]) -> set[str]:
    ids = {name.partition("/")[2].partition(".")[0] for name in found_names}
    saved = jobs.outerjoin(checkpoints, checkpoints.c.job_id == jobs.c.id)
    with database.reading() as connection:
        found = connection.execute(sa.select(jobs, checkpoints.c.parts).select_from(saved).where(jobs.c.id.in_(ids)))
        return {name for job in found for name in _names(job)}


def _names(job: Any) -> tuple[str, ...]:
    if job.state == State.DONE:
        return (job.audio,)
    if job.state == State.EXPIRED:
        return ()
    # A state that only a newer release knows may lead to another conversion.
    parts = [] if job.state in ENDED else job.parts or []
    return (*_videos(job), names.audio(job.id, job.fencing_token), *parts)


def _videos(job: Any) -> tuple[str, ...]:
    """The video of a job, or the names under which one may come."""
    if job.video:
        return (job.video,)
    if job.state in ENDED:
        # What was fetched of it is fetched anew should it be retried.
        return () if job.video_bytes is None else (names.old_video(job.id),)
    return (names.old_video(job.id), names.video(job.id, job.fencing_token), *fetches.pieces_of(job))


def _batches(names: Iterable[str]) -> Iterator[list[str]]:
    left = iter(names)
    while batch := list(islice(left, BATCH)):
        yield batch


def _delete(*names: str | None) -> None:
    for name in names:
        if name:
            log.info("deleting %s", name)
            blobs.store().delete(name)
