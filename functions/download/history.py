"""Changes of jobs, as job_events has them, and as their owners are shown them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import msgspec
import sqlalchemy as sa

from functions.download import figures, listing
from functions.shared import database
from functions.shared.jobs.states import ENDED, LIVE
from functions.shared.tables import job_events, jobs, now
from functions.shared.views import Job

__all__ = ["PAGE", "Change", "changes", "current", "gone", "live_of", "newest_rows", "of_job", "of_user"]

# How many changes, or jobs, are read at a time.
PAGE = 500
# What a job gets with its end, and loses when it is tried again.
_OF_THE_END = ("expires_at", "duration_seconds", "audio_bytes", "error_code", "error_detail", "warnings")


@dataclass(frozen=True)
class Change:
    """A job as it was after the row `id` of job_events, at `at`; `view` is None when the job is gone.

    `id` is 0 when there is no such row.
    """

    id: int
    job_id: str
    user_id: str
    at: datetime
    view: Job | None

    @cached_property
    def data(self) -> str:
        """The job as JSON, which has no line break in it, whatever a name has; made once for all who are told."""
        return msgspec.json.encode(self.view or {"id": self.job_id}).decode()

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to the job by itself."""
        return self.view is None or self.view.state in ENDED


def gone(job_id: str, user_id: str) -> Change:
    """A job was deleted."""
    return Change(0, job_id, user_id, now(), None)


def of_job(row: Any, after: int | None) -> list[Change]:
    """What happened to a job after that row of job_events; how it is now, when `after` is None or none of its rows.

    `row` is as newest_rows has it. Of changes that follow one another within one state, only the last one.
    """
    newest = row.newest or 0
    if after is None or after > newest:
        return current([row])
    if after == newest:
        return []
    wanted = (job_events.c.job_id == row.id, job_events.c.id > after, job_events.c.id <= newest)
    with database.reading() as connection:
        events = connection.execute(job_events.select().where(*wanted).order_by(job_events.c.id)).all()
    return changes(_joined(events), {row.id: row})


def of_user(user_id: str, after: int) -> tuple[list[Change], int | None]:
    """What happened to the jobs of a user after that row; where to go on from, if that is not all (PAGE rows are)."""
    wanted = sa.select(job_events).join(jobs, jobs.c.id == job_events.c.job_id)
    wanted = wanted.where(jobs.c.user_id == user_id, job_events.c.id > after)
    with database.reading() as connection:
        events = connection.execute(wanted.order_by(job_events.c.id).limit(PAGE)).all()
    found = changes(_joined(events), newest_rows({event.job_id for event in events}))
    return found, events[-1].id if len(events) == PAGE else None


def live_of(user_id: str) -> list[Change]:
    """The jobs of a user that are not over, the newest PAGE of them, oldest first."""
    mine = _with_newest(jobs.c.user_id == user_id, jobs.c.state.in_(LIVE))
    with database.reading() as connection:
        rows = connection.execute(mine.order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(PAGE)).all()
    return current(rows[::-1])


def newest_rows(job_ids: Iterable[str]) -> dict[str, Any]:
    """The rows of jobs, by id, each with the id of its newest row of job_events."""
    wanted, found = list(job_ids), {}
    for start in range(0, len(wanted), PAGE):
        with database.reading() as connection:
            for row in connection.execute(_with_newest(jobs.c.id.in_(wanted[start : start + PAGE]))):
                found[row.id] = row
    return found


def current(rows: Sequence[Any]) -> list[Change]:
    """How jobs are now."""
    views = [listing.view(row) for row in rows]
    figures.add(views, rows)
    pairs = zip(rows, views, strict=True)
    return [Change(row.newest or 0, row.id, row.user_id, row.updated_at, view) for row, view in pairs]


def changes(
    events: Sequence[Any], rows: dict[str, Any], known: dict[str, list[figures.Point]] | None = None
) -> list[Change]:
    """What rows of job_events, in order of their ids, say of jobs; those of jobs that are gone are left out.

    The newest of a job shows it as it is; one before that, which state it was in and how far it was. `known` is as
    figures.add takes it.
    """
    shown = [(event, rows[event.job_id]) for event in events if event.job_id in rows]
    made = [(event, row if event.id == row.newest else _past(row, event)) for event, row in shown]
    views = [listing.view(row) for _, row in made]
    newest = [place for place, (event, row) in enumerate(made) if event.id == getattr(row, "newest", None)]
    figures.add([views[place] for place in newest], [made[place][1] for place in newest], known)
    pairs = zip(made, views, strict=True)
    return [Change(event.id, row.id, row.user_id, event.at, view) for (event, row), view in pairs]


def _joined(events: Sequence[Any]) -> list[Any]:
    """Without those that the next one of the same job replaces: it is in the same state."""
    following: dict[str, str] = {}
    kept = []
    for event in reversed(events):
        if following.get(event.job_id) != event.state:
            kept.append(event)
        following[event.job_id] = event.state
    return kept[::-1]


def _past(row: Any, event: Any) -> Any:
    """The job's row as it may have been, as far as that is known."""
    then = {"state": event.state, "progress": event.progress, "updated_at": event.at, "newest": None}
    return SimpleNamespace(**{**row._mapping, **then, **dict.fromkeys(_OF_THE_END)})


def _with_newest(*which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    newest = sa.select(sa.func.max(job_events.c.id)).where(job_events.c.job_id == jobs.c.id).scalar_subquery()
    return sa.select(jobs, newest.label("newest")).where(*which)
