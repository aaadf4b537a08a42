"""What a job's row cannot say: how fast its conversion is, how long it will take yet, and its place in the queue."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import Any, NamedTuple

import sqlalchemy as sa

from functions.shared import database
from functions.shared.jobs import turns
from functions.shared.jobs.states import State
from functions.shared.tables import job_events, now
from functions.shared.views import Job

__all__ = ["MAX_POINTS", "Point", "add", "places", "points_of"]

# How many of a conversion's last reports are looked at, how long ago they may be, and how long a time tells a speed.
MAX_POINTS, WINDOW_SECONDS, MIN_SECONDS = 20, 60.0, 1.5
# Of how many jobs in a list it is measured: so many conversions of one user hardly run at once.
MAX_MEASURED = 20
# For how long places are told to whoever asks, before they are counted anew; and if one that is asked for is not there.
PLACES_SECONDS, WITHOUT_SECONDS = 5.0, 1.0


class Point(NamedTuple):
    """How far a conversion was (0 to 1), and when."""

    state: str
    progress: float
    at: datetime


def add(views: Sequence[Job], rows: Sequence[Any], known: Mapping[str, Sequence[Point]] | None = None) -> None:
    """Set the figures of jobs, whose rows these are. `known` has the last points of conversions, oldest first.

    Without it, they are read: one query for all, as is one for the places, if any is needed.
    """
    if waiting := [row.id for row in rows if row.state == State.QUEUED]:
        place = places(waiting)
        for view, row in zip(views, rows, strict=True):
            view.queue_position = place.get(row.id) if row.state == State.QUEUED else None
    working = [row.id for row in rows if row.state == State.CONVERTING]
    points = known if known is not None else points_of(working) if working else {}
    for view, row in zip(views, rows, strict=True):
        if row.state == State.CONVERTING:
            _measure(view, row, points.get(row.id, ()))


def points_of(job_ids: Iterable[str]) -> dict[str, list[Point]]:
    """The last points of the first MAX_MEASURED of these jobs, oldest first."""
    measured = list(job_ids)[:MAX_MEASURED]
    if not measured:
        return {}
    with database.reading() as connection:
        rows = connection.execute(sa.union_all(*map(_last_points, measured))).all()
    found: dict[str, list[Point]] = {job_id: [] for job_id in measured}
    for row in sorted(rows, key=lambda each: each.id):
        found[row.job_id].append(Point(row.state, row.progress, row.at))
    return found


def places(wanted: Iterable[str]) -> Mapping[str, int]:
    """The places of waiting jobs, those that are wanted among others; all who ask share them, for PLACES_SECONDS.

    One that has begun to wait within the last WITHOUT_SECONDS may not be there.
    """
    with _places_lock:
        good_for = PLACES_SECONDS if _places.found.keys() >= set(wanted) else WITHOUT_SECONDS
        if time.monotonic() > _places.counted_at + good_for:
            with database.reading() as connection:
                _places.found = turns.places(connection)
            _places.counted_at = time.monotonic()
        return _places.found


class _Places:
    found: Mapping[str, int] = {}
    counted_at = -PLACES_SECONDS


_places, _places_lock = _Places(), Lock()


def _last_points(job_id: str) -> sa.Select[Any]:
    last = sa.select(job_events).where(job_events.c.job_id == job_id).order_by(job_events.c.id.desc())
    return sa.select(last.limit(MAX_POINTS).subquery())


def _measure(view: Job, row: Any, points: Sequence[Point]) -> None:
    """Nothing is told of a conversion that has died, and of one that has only begun."""
    run = _run(points)
    if not run or row.lease_until is None or row.lease_until < now():
        return
    first, last = run[0], run[-1]
    seconds = (last.at - first.at).total_seconds()
    if seconds < MIN_SECONDS or last.progress <= first.progress:
        return
    rate = (last.progress - first.progress) / seconds
    since = (now() - last.at).total_seconds()
    view.seconds_left = round(max(0.0, (1 - last.progress) / rate - since), 1)
    if length := _length(row):
        view.speed = round(rate * length, 1)


def _run(points: Sequence[Point]) -> list[Point]:
    """The reports of the conversion that is under way, of the last WINDOW_SECONDS; without its claim, if it can be."""
    run: list[Point] = []
    for point in reversed(points):
        if point.state != State.CONVERTING or (run and point.progress > run[0].progress):
            break
        if run and (run[-1].at - point.at).total_seconds() > WINDOW_SECONDS:
            break
        run.insert(0, point)
    # Between the claim and the first report lies the start, which is not what the rest takes.
    return run[1:] if len(run) > 2 else run


def _length(row: Any) -> float | None:
    """How long the sound is that progress counts, in seconds; None when that is not known."""
    if row.options.get("start") or row.options.get("end"):
        return None
    chosen = (track for track in row.audio_tracks or () if track["chosen"])
    return next((track["seconds"] for track in chosen), None)
