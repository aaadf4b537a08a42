"""Which MP3s were fetched: of those, nobody need be reminded before they are deleted."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from functions.shared import database
from functions.shared.problems import Unavailable
from functions.shared.tables import jobs, now

__all__ = ["noted"]

log = logging.getLogger(__name__)


def noted(job: Any, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces, up to the end of the MP3 of a row of jobs; and once they are taken, a note that it was fetched."""
    yield from pieces
    if job.downloaded_at is None:
        try:
            _note(job)
        except Unavailable as error:
            log.warning("it is not noted that the MP3 of job %s was fetched: %s", job.id, error)


@database.transactional
def _note(connection: sa.Connection, job: Any) -> None:
    # By its name: a job that is converted again has another one.
    this = (jobs.c.id == job.id, jobs.c.audio == job.audio, jobs.c.downloaded_at.is_(None))
    connection.execute(jobs.update().where(*this).values(downloaded_at=now()))
