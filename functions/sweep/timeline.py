"""The course of a job, from what the rows have of it: its states, its events, who was told, what the broker gave up on.

It needs no collector of traces, and says neither what the owner is called nor what the file is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from functions.shared import database, trace
from functions.shared.jobs.states import ENDED, State
from functions.shared.problems import Problem
from functions.shared.tables import dead_letters, job_events, jobs, notice_attempts, notifications, outbox
from functions.shared.views import rfc3339
from functions.sweep import administration
from functions.sweep.timeline_shapes import Step, Timeline

__all__ = ["of"]


def of(job_id: str) -> Timeline:
    """The course of a job. Raises: Problem (404)."""
    with database.reading() as connection:
        job = connection.execute(jobs.select().where(jobs.c.id == job_id)).one_or_none()
        if job is None:
            raise Problem("not-found", "There is no such job.")
        sent = _of(connection, outbox, outbox.c.created_at, outbox.c.job_id == job_id)
        steps = [*_states(connection, job), *map(_event, sent), *_notices(connection, job), *_letters(connection, job)]
    followed = (trace.parse(row.traceparent, None) for row in sent)
    trace_ids = dict.fromkeys(each.trace_id for each in followed if each)
    return Timeline(administration.managed(job), sorted(steps, key=lambda step: step.began_at), list(trace_ids))


def _states(connection: sa.Connection, job: Any) -> Iterator[Step]:
    """Each state that it was in, one after the other. Most rows say that it has got further in the same one."""
    rows = _of(connection, job_events, job_events.c.id, job_events.c.job_id == job.id)
    moved = [(State.RECEIVING.value, job.created_at), *((row.state, row.at) for row in rows)]
    changes = [moved[0], *(after for before, after in pairwise(moved) if after[0] != before[0])]
    ends = [*(at for _, at in changes[1:]), None]
    for (state, began), ended in zip(changes, ends, strict=True):
        # An end is a moment, however long its files are kept.
        over = began if state in ENDED else ended
        yield Step(kind="state", name=state, began_at=rfc3339(began), ended_at=_shown(over))


def _event(row: Any) -> Step:
    followed = trace.parse(row.traceparent, None)
    return Step(
        kind="event",
        name=row.type,
        began_at=rfc3339(row.created_at),
        sent_at=_shown(row.sent_at),
        ended_at=_shown(row.settled_at),
        attempts=row.attempts,
        detail=row.refusal,
        trace_id=followed.trace_id if followed else None,
    )


def _notices(connection: sa.Connection, job: Any) -> Iterator[Step]:
    """Each try to tell the owner of the job, or of the batch that it came in."""
    about = notifications.c.job_id.in_([each for each in (job.id, job.batch_id) if each])
    columns = (notifications.c.channel, notice_attempts)
    joined = sa.select(*columns).join(notifications, notifications.c.delivery_id == notice_attempts.c.delivery_id)
    for row in connection.execute(joined.where(about).order_by(notice_attempts.c.id)):
        times = {"began_at": rfc3339(row.at), "ended_at": _shown(row.ended_at)}
        yield Step(kind="notice", name=row.channel, outcome=row.outcome, detail=row.detail, **times)


def _letters(connection: sa.Connection, job: Any) -> Iterator[Step]:
    for row in _of(connection, dead_letters, dead_letters.c.recorded_at, dead_letters.c.job_id == job.id):
        times = {"began_at": rfc3339(row.recorded_at), "sent_at": _shown(row.tried_at)}
        about = {"name": row.type or "", "outcome": row.state, "detail": row.reason}
        yield Step(kind="dead-letter", ended_at=_shown(row.healed_at), **times, **about)


def _of(
    connection: sa.Connection, table: sa.Table[Any], order: sa.ColumnElement[Any], *which: sa.ColumnElement[bool]
) -> Sequence[Any]:
    return connection.execute(table.select().where(*which).order_by(order)).all()


def _shown(instant: datetime | None) -> Any:
    return rfc3339(instant) if instant else None
