"""Owners who want to be told that their video has arrived: an event says so, for those alone.

It is sent by sweep, with the next tick: who has the MP3 by then is told of that, and not of the video.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from events.catalogue import SubmissionConfirmed
from functions.shared import outbox
from functions.shared.tables import jobs
from functions.shared.tables import notice_preferences as preferences

__all__ = ["add_if_wanted"]

_KIND = SubmissionConfirmed.TYPE


def add_if_wanted(connection: sa.Connection, job_id: str) -> None:
    """Put the event into the outbox, in the caller's transaction, which has just queued the job.

    The jobs of a batch are told of together, once they are over.
    """
    chosen = preferences.c.user_id == jobs.c.user_id
    wishes = sa.select(jobs.c.filename, preferences.c.wanted, preferences.c.services, preferences.c.sms)
    query = wishes.join(preferences, chosen).where(jobs.c.id == job_id, jobs.c.batch_id.is_(None))
    row = connection.execute(query).one_or_none()
    if row is not None and _is_wanted(row):
        outbox.add_beside(connection, job_id, SubmissionConfirmed(job_id, row.filename))


def _is_wanted(row: Any) -> bool:
    return _KIND in (row.wanted or ()) or _KIND in (row.sms or ()) or bool((row.services or {}).get(_KIND))
