"""How much there was to do, hour by hour: by the rows of jobs that there are, so without those that were deleted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from functions.shared import database
from functions.shared.jobs.states import State
from functions.shared.tables import jobs, now
from functions.shared.views import rfc3339
from functions.sweep.shapes import Activity, ActivityHour

__all__ = ["of_hours"]

_HOUR = timedelta(hours=1)
_ENDS = (State.DONE, State.FAILED, State.CANCELLED)


def of_hours(count: int) -> Activity:
    """The last `count` hours by the clock (UTC), of which the last one is not over; the oldest first."""
    newest = now().replace(minute=0, second=0, microsecond=0)
    hours = [newest - _HOUR * ago for ago in reversed(range(count))]
    with database.reading() as connection:
        begun = _counts(connection, jobs.c.created_at, hours[0], sa.literal("begun"))
        ended = _counts(connection, jobs.c.updated_at, hours[0], jobs.c.state, jobs.c.state.in_(_ENDS))
    return Activity([_hour(hour, begun | ended) for hour in hours])


def _counts(
    connection: sa.Connection,
    moment: sa.ColumnElement[datetime],
    since: datetime,
    kind: sa.ColumnElement[str],
    *which: sa.ColumnElement[bool],
) -> dict[tuple[int, int, str], int]:
    """How many by day of the month, hour and kind: no more than a month lies between them."""
    by = (sa.extract("day", moment), sa.extract("hour", moment), kind)
    query = sa.select(*by, sa.func.count()).where(moment >= since, *which).group_by(*by)
    return {(int(row[0]), int(row[1]), row[2]): int(row[3]) for row in connection.execute(query)}


def _hour(hour: datetime, counts: dict[tuple[int, int, str], int]) -> ActivityHour:
    def count(kind: Any) -> int:
        return counts.get((hour.day, hour.hour, kind), 0)

    return ActivityHour(rfc3339(hour), count("begun"), *(count(state.value) for state in _ENDS))
