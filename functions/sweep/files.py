"""Deletes what nobody may fetch any more: expired files, unfinished uploads, files of no job."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

import sqlalchemy as sa

from functions.shared import audit, blobs, database, settings, unwanted
from functions.shared.audit import SWEEP
from functions.shared.jobs import names, transitions
from functions.shared.jobs.states import ENDED, State
from functions.shared.tables import checkpoints, jobs, now, upload_pieces
from functions.sweep import chores

__all__ = ["clear_orphans", "delete_orphans", "delete_unwanted", "expire", "forget_unfinished"]

log = logging.getLogger(__name__)

BATCH = 500
# In one transaction, so that nobody waits long for it; and how many of these in one tick.
FEW, MAX_BATCHES = 100, 10
# A file is younger than the row that needs it only for a moment.
ORPHAN_SECONDS = 3600
# Orphans are rare, and finding them reads the whole list of files.
ORPHANS_EVERY_SECONDS = 3600


def expire() -> None:
    """done, failed or cancelled, past its time → expired, without files."""
    _repeat(FEW, transitions.expire)
    delete_unwanted()


def forget_unfinished() -> None:
    """Uploads that broke off: the row, and what was written of the file."""
    before = now() - timedelta(seconds=settings.number("UPLOAD_GRACE_SECONDS"))
    _repeat(FEW, lambda most: transitions.forget_unreceived(before, most))
    blobs.store().delete_unfinished(before)


def delete_unwanted() -> None:
    """What was noted as unwanted, and not deleted at once: its process died, or the store was away."""
    _repeat(unwanted.BATCH, lambda _: unwanted.delete_some())


def clear_orphans() -> None:
    """`delete_orphans`, once an hour, at any schedule of the ticks."""
    chores.run("orphans", ORPHANS_EVERY_SECONDS, delete_orphans)


def delete_orphans() -> None:
    """Files that no job needs: left by processes that died between two steps."""
    before = now() - timedelta(seconds=ORPHAN_SECONDS)
    old = (blob.name for blob in blobs.store().all() if blob.written_at < before)
    for batch in _batches(old):
        if orphans := sorted(set(batch) - _needed(batch)):
            _note(orphans)
            unwanted.delete_some()


def _repeat(most: int, step: Any) -> None:
    """`step(most)`, which says how many it has done, until it finds fewer than that; but not for ever."""
    for _ in range(MAX_BATCHES):
        if step(most) < most:
            return


@database.transactional
def _note(connection: sa.Connection, orphans: list[str]) -> None:
    unwanted.note(connection, orphans)
    audit.write(connection, SWEEP, "orphans.deleted", {"count": len(orphans)})


def _needed(found_names: list[str]) -> set[str]:
    owned = [(name, names.owner_of(name), names.token_of(name)) for name in found_names]
    ids = {owner for _, owner, _ in owned}
    saved = jobs.outerjoin(checkpoints, checkpoints.c.job_id == jobs.c.id)
    with database.reading() as connection:
        query = sa.select(jobs, checkpoints.c.parts).select_from(saved).where(jobs.c.id.in_(ids))
        found = connection.execute(query).all()
        needed = {name for job in found for name in _names(job) if name}
        # Who has the newest claim may have stood still for hours, or may have another clock, and write down now what
        # it has stored. With that of an earlier one nobody can.
        claims = {(job.id, job.fencing_token) for job in found if job.state not in ENDED}
        needed |= {name for name, owner, token in owned if (owner, token) in claims}
        return needed.union(_pieces(connection, found_names))


def _pieces(connection: sa.Connection, found_names: list[str]) -> list[str]:
    """Those of the names that are pieces of the videos of jobs, as long as these need their videos."""
    listed = jobs.join(upload_pieces, upload_pieces.c.job_id == jobs.c.id)
    query = sa.select(jobs, upload_pieces.c.name.label("piece"), sa.null().label("parts")).select_from(listed)
    found = connection.execute(query.where(upload_pieces.c.name.in_(found_names)))
    return [row.piece for row in found if names.video_of(row) in _names(row)]


def _names(job: Any) -> tuple[str | None, ...]:
    if job.state == State.EXPIRED:
        return ()
    if job.state == State.DONE:
        return (job.audio, names.video_of(job) if job.kept_video_bytes is not None else None)
    if job.state in ENDED:
        # Without its size, a video has never come, and none will by the claim that was.
        return (job.audio, names.video_of(job) if job.video_bytes is not None else None)
    # A state that only a newer release knows may lead to another conversion.
    return (*_videos(job), job.audio, *(job.parts or []))


def _videos(job: Any) -> tuple[str, ...]:
    """The video of a job, or what there is of it, and the name without a token under which one may come."""
    return (job.video,) if job.video else (names.old_video(job.id), *names.fetched_of(job))


def _batches(found: Iterable[str]) -> Iterator[list[str]]:
    left = iter(found)
    while batch := list(islice(left, BATCH)):
        yield batch
