"""functions/shared/jobs/leases.py: a lease is kept alive with as few writes as will do."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from functions.shared import database
from functions.shared.jobs import claims, leases, transitions
from functions.shared.jobs.claims import ClaimLost
from functions.shared.tables import jobs as table
from tests.patience import eventually
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the heartbeat of a lease of 30 s sees; let it pass by changing the one item."""
    now = [1000.0]
    monkeypatch.setenv("LEASE_SECONDS", "30")
    monkeypatch.setattr("functions.shared.jobs.leases.time.monotonic", lambda: now[0])
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
    leases.LeaseHeartbeat(rows.claim_of(rows.job("converting", lease_until=rows.ago(-30))))(0.5)
    assert writes == []


def test_nothing_is_written_every_second_or_when_nothing_changed(clock: list[float], writes: list[str]) -> None:
    job = rows.job("converting", lease_until=rows.ago(-30))
    keep = leases.LeaseHeartbeat(rows.claim_of(job))
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
    keep = leases.LeaseHeartbeat(rows.claim_of(job))
    clock[0] += 1
    keep(0.1)
    rows.change(table, table.c.id == job, lease_until=rows.ago(-1))
    clock[0] += 8
    keep(0.1)
    assert rows.read(job).lease_until > rows.ago(-25)


@pytest.mark.parametrize("progress", [0.1, 0.5])
def test_who_lost_the_job_hears_of_it_within_a_second(clock: list[float], progress: float) -> None:
    job = rows.job("converting", lease_until=rows.ago(-30))
    keep = leases.LeaseHeartbeat(rows.claim_of(job))
    keep(0.1)
    transitions.cancel(job)
    clock[0] += 1
    with pytest.raises(ClaimLost):
        keep(progress)


def test_the_job_of_a_worker_that_died_is_taken_when_its_lease_has_run_out() -> None:
    job = rows.job("converting", lease_until=rows.ago(-2))
    claim = when_free(job)
    assert claim
    assert (claim.job_id, claim.token) == (job, 2)


@pytest.mark.usefixtures("beating")
def test_the_job_of_a_worker_that_lives_is_left_to_it() -> None:
    job = rows.job()
    held = claims.claim(job)
    assert held
    with leases.heartbeat(held):
        assert when_free(job) is None
    assert leases.holds(held)


@pytest.mark.parametrize("state", ["done", "failed", "cancelled", "receiving"])
def test_nobody_waits_for_a_job_that_is_not_being_worked_on(state: str) -> None:
    assert when_free(rows.job(state, lease_until=None)) is None


def test_a_lease_that_has_run_out_on_a_job_that_cannot_be_claimed_is_waited_for_once() -> None:
    assert when_free(rows.job("receiving", lease_until=rows.ago(1))) is None


@pytest.mark.usefixtures("beating")
def test_a_lease_is_kept_while_its_holder_waits_for_something_else() -> None:
    held = claims.claim(rows.job())
    assert held
    first = rows.read(held.job_id).lease_until
    with leases.heartbeat(held) as check:
        eventually(lambda: rows.read(held.job_id).lease_until > first, "a lease that was renewed")
        check()
        transitions.cancel(held.job_id)
        with pytest.raises(ClaimLost):
            eventually(check, "the end of the claim")


@pytest.fixture
def beating(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes time pass faster: a lease is looked at, and may be written, twenty times a second."""
    monkeypatch.setattr("functions.shared.jobs.leases.LOOK_SECONDS", 0.05)


def when_free(job: str) -> claims.Claim | None:
    """leases.claim_when_free, of a job that stays the same."""
    return leases.claim_when_free(lambda: claims.claim(job), lambda: job)
