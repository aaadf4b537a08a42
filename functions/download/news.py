"""What is new in job_events, asked for by one query for all who follow jobs in this process."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Container, Iterable, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from functions.download import figures, history
from functions.download.figures import Point
from functions.download.history import PAGE, Change
from functions.download.horizon import GIVEN_UP_SECONDS, MAX_MISSING, Horizon
from functions.download.pulse import Pulse
from functions.shared import database
from functions.shared.jobs.states import State
from functions.shared.tables import audit, job_events, jobs, now

__all__ = ["News"]

# Of so many conversions the last reports are kept, to tell their speed.
MAX_MEASURED = 2000
# Deletions are looked for so far back: longer than from one look to the next, and than clocks differ.
LOOKED_BACK_SECONDS = 60.0


class News:
    """For one thread. Every method raises Unavailable, and goes on where it was when it is called again."""

    def __init__(self) -> None:
        self._horizon = _tail()
        self._pulse = Pulse()
        self._points: dict[str, deque[Point]] = {}
        self._deleted: dict[str, str] = {}
        self._has_ended = False

    @property
    def newest(self) -> int:
        """The last row of job_events that was seen."""
        return self._horizon.newest

    @property
    def settled(self) -> int:
        """No row of job_events up to this id is still to come."""
        return self._horizon.settled

    def read(self, watched: Container[str]) -> list[Change]:
        """What happened since the last call to jobs that are watched, by their own id or their owner's.

        Waits for it, for WAIT_SECONDS at most.
        """
        is_news = self._pulse.wait(self._horizon.newest, self._horizon.missing)
        if not is_news:
            self._horizon.saw((), time.monotonic())
        if not is_news or self._has_ended:
            return []
        changes: list[Change] = []
        while len(rows := self._rows()) == PAGE:
            changes += self._changes(rows, watched)
        return changes + self._changes(rows, watched)

    def existing(self, table: sa.Table, ids: Collection[str]) -> set[str]:
        """Which of these rows there still are."""
        found: set[str] = set()
        wanted = list(ids)
        for start in range(0, len(wanted), PAGE):
            with database.reading() as connection:
                some = sa.select(table.c.id).where(table.c.id.in_(wanted[start : start + PAGE]))
                found.update(connection.execute(some).scalars())
        return found

    def deleted(self, user_ids: Collection[str]) -> dict[str, str]:
        """The jobs that these users have deleted since the last call, or in the minute before: whose they were."""
        found: dict[str, str] = {}
        recent = (audit.c.at > now() - timedelta(seconds=LOOKED_BACK_SECONDS), audit.c.action == "job.deleted")
        wanted = list(user_ids)
        for start in range(0, len(wanted), PAGE):
            some = sa.select(audit.c.target, audit.c.actor).where(
                *recent, audit.c.actor.in_(wanted[start : start + PAGE])
            )
            with database.reading() as connection:
                found |= {row.target["job_id"]: row.actor for row in connection.execute(some)}
        new = {job_id: user_id for job_id, user_id in found.items() if job_id not in self._deleted}
        self._deleted = found
        return new

    def end(self) -> None:
        """Nobody follows any more: a call that waits asks nothing after it. From any thread; `close` comes after it."""
        self._has_ended = True

    def close(self) -> None:
        """Give back what is kept."""
        self._pulse.close()

    def _rows(self) -> Sequence[Any]:
        new = job_events.c.id > self._horizon.newest
        wanted = sa.or_(new, job_events.c.id.in_(missing)) if (missing := self._horizon.missing) else new
        query = sa.select(job_events, jobs.c.user_id).join(jobs, jobs.c.id == job_events.c.job_id).where(wanted)
        with database.reading() as connection:
            rows = connection.execute(query.order_by(job_events.c.id).limit(PAGE)).all()
        self._horizon.saw((row.id for row in rows), time.monotonic())
        return rows

    def _changes(self, rows: Iterable[Any], watched: Container[str]) -> list[Change]:
        wanted = [row for row in rows if row.job_id in watched or row.user_id in watched]
        if not wanted:
            return []
        newest = history.newest_rows({row.job_id for row in wanted})
        return history.changes(wanted, newest, {job_id: self._measured(job_id, wanted) for job_id in newest})

    def _measured(self, job_id: str, rows: Sequence[Any]) -> list[Point]:
        mine = [Point(row.state, row.progress, row.at) for row in rows if row.job_id == job_id]
        if mine[-1].state != State.CONVERTING:
            self._points.pop(job_id, None)
            return []
        if job_id in self._points:
            self._points[job_id].extend(mine)
        else:
            # With those of before anybody followed it.
            self._points[job_id] = deque(figures.points_of([job_id])[job_id], figures.MAX_POINTS)
        while len(self._points) > MAX_MEASURED:
            del self._points[next(iter(self._points))]
        return list(self._points[job_id])


def _tail() -> Horizon:
    """From the newest row on, and with those whose transactions may still be under way."""
    last = sa.select(job_events.c.id, job_events.c.at).order_by(job_events.c.id.desc()).limit(MAX_MISSING)
    with database.reading() as connection:
        rows = connection.execute(last).all()
    # Twice the time: clocks differ.
    recent = now() - timedelta(seconds=2 * GIVEN_UP_SECONDS)
    return Horizon([row.id for place, row in enumerate(rows) if place == 0 or row.at > recent], time.monotonic())
