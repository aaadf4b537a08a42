"""functions/download/figures.py: what is said of a job's speed, of the time it takes yet, of its place in the queue."""

from __future__ import annotations

from typing import Any

import pytest

from functions.download import figures, listing
from functions.download.shapes import PageQuery
from functions.shared import database
from functions.shared.jobs.states import State
from functions.shared.tables import job_events
from functions.shared.tables import jobs as table
from functions.shared.tables import turns as levels
from functions.shared.views import Job
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables", "secrets")
# How long the sound is.
_BLANK = {"codec": "aac", "language": "", "title": "", "channels": 2, "sample_rate": 48000, "default": False}
TRACKS = [
    {**_BLANK, "position": 0, "seconds": 7.0, "chosen": False},
    {**_BLANK, "position": 1, "seconds": 600.0, "chosen": True},
]
UNKNOWN = (None, None)


@pytest.fixture(autouse=True)
def _counted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_places", figures._Places())


def converting(*reports: tuple[float, str, float], **values: Any) -> Any:
    """The row of a job with a conversion that has reported so: seconds ago, state, progress."""
    job = rows.job(State.CONVERTING, **{"lease_until": rows.ago(-60), **values})
    rows.change(table, table.c.id == job, audio_tracks=TRACKS, progress=reports[-1][2])
    for ago, state, progress in reports:
        with database.transaction() as connection:
            said = {"job_id": job, "state": state, "progress": progress, "at": rows.ago(ago)}
            connection.execute(job_events.insert().values(**said))
    return rows.read(job)


def of(row: Any) -> tuple[float | None, float | None]:
    """The speed, and the seconds that are left."""
    (view,) = shown(row)
    return view.speed, view.seconds_left


def shown(*jobs: Any) -> list[Job]:
    views = [listing.view(row) for row in jobs]
    figures.add(views, jobs)
    return views


def near(said: float | None, wanted: float) -> bool:
    # Some time passes from one line to the next.
    return said is not None and abs(said - wanted) <= 0.15 * wanted


def test_speed_and_time_left_are_those_of_the_last_reports() -> None:
    # A tenth in ten seconds: of 600 s of sound, 60, so 6 in a second.
    speed, left = of(converting((20, "converting", 0.3), (10, "converting", 0.4), (0, "converting", 0.5)))
    assert near(speed, 6)
    assert near(left, 50)


def test_the_time_since_the_last_report_has_passed() -> None:
    _, left = of(converting((30, "converting", 0.3), (20, "converting", 0.4), (10, "converting", 0.5)))
    assert near(left, 40)


def test_what_is_slower_now_is_told_as_slower() -> None:
    """The fast half is more than a minute ago."""
    speed, _ = of(
        converting((300, "converting", 0.1), (200, "converting", 0.6), (50, "converting", 0.7), (0, "converting", 0.8))
    )
    assert near(speed, 0.1 * 600 / 50)


def test_the_start_before_the_first_report_is_not_counted() -> None:
    speed, _ = of(converting((40, "converting", 0.0), (10, "converting", 0.1), (0, "converting", 0.2)))
    assert near(speed, 6)


@pytest.mark.parametrize(
    "reports",
    [
        [(0, "converting", 0.0)],
        [(1, "converting", 0.1), (0, "converting", 0.2)],
        [(30, "converting", 0.4), (0, "converting", 0.4)],
        [(30, "converting", 0.1), (20, "queued", 0.4), (0, "converting", 0.4)],
        # It began again, from the last place that was kept.
        [(30, "converting", 0.9), (0, "converting", 0.4)],
    ],
)
def test_what_is_not_known_is_not_told(reports: list[tuple[float, str, float]]) -> None:
    assert of(converting(*reports)) == UNKNOWN


def test_of_a_conversion_that_has_died_nothing_is_told() -> None:
    reports = ((20, "converting", 0.3), (0, "converting", 0.5))
    assert of(converting(*reports, lease_until=rows.ago(1))) == UNKNOWN
    assert of(converting(*reports, lease_until=None)) == UNKNOWN


def test_of_a_part_of_the_sound_only_the_time_is_told() -> None:
    """Progress is of the part, whose length is not at hand."""
    speed, left = of(converting((20, "converting", 0.3), (0, "converting", 0.5), options={"start": 60}))
    assert speed is None
    assert near(left, 50)


def test_a_list_has_the_figures_of_each() -> None:
    slow = converting((20, "converting", 0.3), (0, "converting", 0.4))
    fast = converting((20, "converting", 0.3), (0, "converting", 0.5))
    rows.change(table, table.c.id == fast.id, user_id=slow.user_id)
    waiting = rows.job(owner=slow.user_id)
    found = {job.id: job for job in listing.page(slow.user_id, PageQuery()).items}
    assert near(found[slow.id].speed, 3)
    assert near(found[fast.id].speed, 6)
    assert (found[waiting].queue_position, found[waiting].speed) == (1, None)


def test_a_users_second_job_comes_after_anothers_first() -> None:
    first, second = rows.user(), rows.user()
    mine = [rows.job(owner=first, created_at=rows.ago(100 - n)) for n in range(3)]
    theirs = rows.job(owner=second, created_at=rows.ago(10))
    assert places(*mine, theirs) == [1, 3, 4, 2]


def test_who_has_had_much_or_has_one_running_comes_later() -> None:
    busy, greedy, fresh = rows.user(), rows.user(), rows.user()
    rows.job(State.CONVERTING, owner=busy, lease_until=rows.ago(-60))
    with database.transaction() as connection:
        connection.execute(levels.insert().values(user_id=greedy, level=10.0**6))
    of_each = [
        rows.job(owner=owner, created_at=rows.ago(ago)) for owner, ago in ((busy, 30), (greedy, 20), (fresh, 10))
    ]
    assert places(*of_each) == [3, 2, 1]


def test_only_what_waits_has_a_place() -> None:
    over = [rows.job(state) for state in (State.DONE, State.CONVERTING, State.CANCELLED, State.RECEIVING)]
    assert places(rows.job(), *over) == [1, None, None, None, None]


def test_of_too_many_none_has_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.shared.jobs.turns.MAX_PLACES", 2)
    two = [rows.job(), rows.job()]
    assert sorted(place or 0 for place in places(*two)) == [1, 2]
    monkeypatch.setattr(figures, "_places", figures._Places())
    assert places(*two, rows.job()) == [None] * 3


def test_one_that_begins_to_wait_has_a_place_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "PLACES_SECONDS", 3600.0)
    monkeypatch.setattr(figures, "WITHOUT_SECONDS", 0.0)
    first = rows.job(created_at=rows.ago(10))
    assert places(first) == [1]
    assert places(first, rows.job()) == [1, 2]


def places(*jobs: str) -> list[int | None]:
    return [view.queue_position for view in shown(*(rows.read(job) for job in jobs))]
