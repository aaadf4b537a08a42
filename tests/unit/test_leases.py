"""functions/shared/leases.py: a lease is kept alive with as few writes as will do."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from functions.shared import database, jobs, leases
from functions.shared.jobs import Lost
from functions.shared.tables import jobs as table
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the keeper sees; let it pass by changing the one item."""
    now = [1000.0]
    monkeypatch.setattr("functions.shared.leases.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def writes() -> Any:
    """The statements so far that change rows of jobs."""
    seen: list[str] = []
    database.engine()

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("UPDATE jobs"):
            seen.append(statement)

    sa.event.listen(database.engine(), "before_cursor_execute", note)
    yield seen
    sa.event.remove(database.engine(), "before_cursor_execute", note)


def test_a_claim_that_is_new_needs_no_writing(clock: list[float], writes: list[str]) -> None:
    leases.Keeper(rows.claim_of(rows.job("converting", lease_until=rows.ago(-30))))(0.5)
    assert writes == []


def test_nothing_is_written_every_second_or_when_nothing_changed(clock: list[float], writes: list[str]) -> None:
    job = rows.job("converting", lease_until=rows.ago(-30))
    keep = leases.Keeper(rows.claim_of(job))
    clock[0] += 1
    keep(0.1)
    first = len(writes)
    assert rows.read(job).progress == 0.1
    for progress in (0.2, 0.3):
        clock[0] += 1
        keep(progress)
        keep(0.9)
    assert (len(writes), rows.read(job).progress) == (first + 1, 0.3)
    for _ in range(5):
        clock[0] += 1
        keep(0.3)
    assert len(writes) == first + 1


def test_a_quarter_of_the_lease_is_not_let_go_by(clock: list[float], writes: list[str]) -> None:
    job = rows.job("converting", lease_until=rows.ago(-30))
    keep = leases.Keeper(rows.claim_of(job))
    clock[0] += 1
    keep(0.1)
    rows.change(table, table.c.id == job, lease_until=rows.ago(-1))
    clock[0] += 8
    keep(0.1)
    assert rows.read(job).lease_until > rows.ago(-25)


@pytest.mark.parametrize("progress", [0.1, 0.5])
def test_who_lost_the_job_hears_of_it_within_a_second(clock: list[float], progress: float) -> None:
    job = rows.job("converting", lease_until=rows.ago(-30))
    keep = leases.Keeper(rows.claim_of(job))
    keep(0.1)
    jobs.cancel(job)
    clock[0] += 1
    with pytest.raises(Lost):
        keep(progress)
