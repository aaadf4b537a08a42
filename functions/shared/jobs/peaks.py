"""The waveform of a job's MP3, in the caller's transaction: it comes, and goes, in that of the MP3.

A job's row says which MP3 its peaks are of. So those of an MP3 that a release without peaks has replaced are not shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from functions.shared import database
from functions.shared.jobs import names
from functions.shared.tables import jobs
from functions.shared.tables import peaks as table

__all__ = ["Peaks", "copy", "drop", "of", "replace"]


@dataclass(frozen=True)
class Peaks:
    """The greatest sample of each so many `seconds` of an MP3, of any channel: 0 to 255, which is full scale."""

    seconds: float
    heights: bytes


def replace(connection: sa.Connection, job_id: str, found: Peaks | None) -> None:
    """The MP3 of a job has these peaks, or none; the caller sets the job's `peaks_of` to the MP3's name, or to None."""
    drop(connection, job_id)
    if found is not None:
        values = {"job_id": job_id, "seconds": found.seconds, "heights": found.heights}
        connection.execute(table.insert().values(values))


def copy(connection: sa.Connection, twin: Any, job_id: str, audio: str) -> None:
    """The MP3 of a job is a copy of that of another one, whose row `twin` is."""
    found = _read(connection, twin)
    replace(connection, job_id, found)
    connection.execute(jobs.update().where(jobs.c.id == job_id).values(peaks_of=audio if found else None))


def drop(connection: sa.Connection, job_id: str) -> None:
    """The MP3 of a job is gone."""
    connection.execute(table.delete().where(table.c.job_id == job_id))


def of(job: Any) -> Peaks | None:
    """The peaks of the MP3 that a row of jobs has; None when there are none."""
    with database.reading() as connection:
        return _read(connection, job)


def _read(connection: sa.Connection, job: Any) -> Peaks | None:
    if not names.peaks_are_of(job):
        return None
    row = connection.execute(table.select().where(table.c.job_id == job.id)).one_or_none()
    return None if row is None else Peaks(row.seconds, row.heights)
