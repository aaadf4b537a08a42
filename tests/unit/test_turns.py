"""functions/shared/jobs/turns.py, claims.claim_turn: whose job a delivery converts, and that each keeps its event."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from events.catalogue import VideoUploaded
from events.wire import Envelope
from functions.shared import database, outbox
from functions.shared.jobs import claims, transitions, turns
from functions.shared.jobs.claims import Claim
from functions.shared.jobs.transitions import Audio
from functions.shared.reasons import Failure
from functions.shared.tables import jobs
from functions.shared.tables import outbox as events
from functions.shared.tables import turns as levels
from functions.sweep import dead_letters
from tests.patience import PATIENCE
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables")

ROOT = Path(__file__).parents[2]
MANY = 30


def queued(owner: str, seconds_ago: float = 0) -> tuple[str, str]:
    """A queued job and its event. Returns: the ids of both."""
    job = rows.job(owner=owner, created_at=rows.ago(seconds_ago), video=f"video/{seconds_ago}")
    with database.transaction() as connection:
        return job, outbox.add(connection, job, 0, VideoUploaded(job, "talk.mp4", 1000))


def finish(claim: Claim | None, seconds: float = 1.5) -> None:
    assert claim
    transitions.finish(claim, Audio(10, "ab" * 32, seconds))


def owner_of(job: str) -> str:
    return str(rows.read(job).user_id)


def about(event_id: str) -> str:
    return str(outbox.read(event_id).job_id)


@pytest.fixture
def crowd() -> tuple[list[tuple[str, str]], tuple[str, str]]:
    """One user's many jobs, and another's one after them: jobs with their events, in the order of the events."""
    first, second = rows.user(), rows.user()
    return [queued(first, 1000 - n) for n in range(MANY)], queued(second)


def test_ones_clip_is_not_behind_anothers_many(crowd: tuple[list[tuple[str, str]], tuple[str, str]]) -> None:
    many, (one, its_event) = crowd
    order = []
    for job, event in [*many, (one, its_event)]:
        claim = claims.claim_turn(event, job)
        finish(claim)
        assert claim
        order.append(claim.job_id)
    assert order.index(one) <= 1
    assert sorted(order) == sorted([*(job for job, _ in many), one])
    assert all(rows.read(job).state == "done" for job in order)
    assert waiting() == 0


def test_ones_clip_is_not_behind_anothers_two_hundred() -> None:
    first, second = rows.user(), rows.user()
    many = [queued(first, 1000 - n) for n in range(200)]
    running = [claims.claim_turn(event, job) for job, event in many[:2]]
    one, _ = queued(second)
    finish(running[0])
    claim = claims.claim_turn(many[2][1], many[2][0])
    assert claim
    assert claim.job_id == one


def test_a_single_users_jobs_are_converted_in_the_order_of_their_events() -> None:
    owner = rows.user()
    mine = [queued(owner, 100 - n) for n in range(5)]
    taken = [claims.claim_turn(event, job) for job, event in mine]
    assert [claim and claim.job_id for claim in taken] == [job for job, _ in mine]


def test_two_users_with_many_take_turns_by_the_time_they_had() -> None:
    slow, quick = rows.user(), rows.user()
    theirs = [queued(slow, 300 - n) for n in range(10)] + [queued(quick, 200 - n) for n in range(10)]
    served = []
    for job, event in theirs[:10]:
        claim = claims.claim_turn(event, job)
        assert claim
        served.append(owner_of(claim.job_id))
        with database.transaction() as connection:
            turns.charge(connection, claim.job_id, 60 if served[-1] == slow else 10)
        finish(claim)
    assert served.count(quick) >= 2 * served.count(slow)
    assert served.count(slow) >= 1


def test_who_has_conversions_running_waits_for_who_has_none() -> None:
    busy, idle = rows.user(), rows.user()
    first, second, other = queued(busy, 30), queued(busy, 20), queued(idle, 10)
    with database.transaction() as connection:
        turns.charge(connection, first[0], 1)
        turns.charge(connection, other[0], 500)
    running = claims.claim_turn(first[1], first[0])
    assert running
    assert running.job_id == first[0]
    claim = claims.claim_turn(second[1], second[0])
    assert claim
    assert claim.job_id == other[0]


def test_what_was_had_long_ago_counts_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    early, late = rows.user(), rows.user()
    (job, event), (other, _) = queued(early, 10), queued(late)
    with monkeypatch.context() as patch:
        patch.setattr(turns, "now", lambda: datetime.fromtimestamp(1e9, UTC))
        with database.transaction() as connection:
            turns.charge(connection, job, 36_000)
    with database.transaction() as connection:
        turns.charge(connection, other, 1)
    claim = claims.claim_turn(event, job)
    assert claim
    assert claim.job_id == job


def test_the_events_of_both_jobs_are_exchanged(crowd: tuple[list[tuple[str, str]], tuple[str, str]]) -> None:
    (job, event), (one, its_event) = crowd[0][0], crowd[1]
    with database.transaction() as connection:
        turns.charge(connection, job, 60)
    claim = claims.claim_turn(event, job)
    assert claim
    assert claim.job_id == one
    assert (about(event), about(its_event)) == (one, job)
    assert outbox.read(event).data["job_id"] == one
    assert claims.job_of(event, job) == one
    # The event of the other is still on its way, and now works on the job that was put off.
    assert (put_off := claims.claim_turn(its_event, one))
    assert put_off.job_id == job


def test_a_redelivery_resumes_the_job_that_the_event_was_exchanged_for(
    crowd: tuple[list[tuple[str, str]], tuple[str, str]],
) -> None:
    (job, event), (one, _) = crowd[0][0], crowd[1]
    with database.transaction() as connection:
        turns.charge(connection, job, 60)
    killed = claims.claim_turn(event, job)
    assert killed
    assert killed.job_id == one
    rows.change(jobs, jobs.c.id == one, lease_until=rows.ago(1))
    again = claims.claim_turn(event, job)
    assert again
    assert (again.job_id, again.attempts) == (one, 2)
    assert rows.read(job).state == "queued"


def test_a_job_that_crashed_keeps_its_event_and_its_attempts(
    crowd: tuple[list[tuple[str, str]], tuple[str, str]],
) -> None:
    many, (one, its_event) = crowd
    with database.transaction() as connection:
        turns.charge(connection, many[0][0], 60)
    claim = claims.claim_turn(its_event, one)
    assert claim
    claims.release(claim, counts=True)
    # It waits out the broker's backoff: other deliveries leave it alone.
    other = claims.claim_turn(many[0][1], many[0][0])
    assert other
    assert other.job_id != one
    again = claims.claim_turn(its_event, one)
    assert again
    assert (again.job_id, again.attempts) == (one, 2)


def test_a_dead_letter_fails_the_job_that_the_event_was_exchanged_for(
    crowd: tuple[list[tuple[str, str]], tuple[str, str]],
) -> None:
    (job, event), (one, _) = crowd[0][0], crowd[1]
    with database.transaction() as connection:
        turns.charge(connection, job, 60)
    claim = claims.claim_turn(event, job)
    assert claim
    claims.release(claim, counts=True)
    letter = {"id": event, "source": VideoUploaded.SOURCE, "type": VideoUploaded.TYPE, "subject": job}
    dead_letters.record(Envelope({**letter, "knativeerrorcode": "500"}, b"{}"))
    assert rows.read(one).error_code == "gave-up"
    assert rows.read(job).state == "queued"


@pytest.mark.parametrize("ended", ["cancelled", "deleted"])
def test_an_event_whose_job_is_over_takes_no_ones_turn(
    ended: str, crowd: tuple[list[tuple[str, str]], tuple[str, str]]
) -> None:
    (job, event), _ = crowd[0][0], crowd[1]
    if ended == "cancelled":
        transitions.cancel(job)
    else:
        with database.transaction() as connection:
            connection.execute(jobs.delete().where(jobs.c.id == job))
    assert claims.claim_turn(event, job) is None
    assert waiting() == MANY


def test_a_cancelled_job_of_another_is_not_taken(crowd: tuple[list[tuple[str, str]], tuple[str, str]]) -> None:
    many, (one, its_event) = crowd
    transitions.cancel(one)
    for job, event in many:
        finish(claims.claim_turn(event, job))
    assert claims.claim_turn(its_event, one) is None
    assert rows.read(one).state == "cancelled"


def test_a_job_without_an_event_is_left_to_sweep(crowd: tuple[list[tuple[str, str]], tuple[str, str]]) -> None:
    (job, event), (one, its_event) = crowd[0][0], crowd[1]
    with database.transaction() as connection:
        turns.charge(connection, job, 60)
        outbox.settle(connection, events.c.event_id == its_event)
    claim = claims.claim_turn(event, job)
    assert claim
    assert claim.job_id == job
    assert rows.read(one).state == "queued"


def test_an_event_that_the_outbox_does_not_have_is_for_its_own_job() -> None:
    job = rows.job()
    claim = claims.claim_turn("gone", job)
    assert claim
    assert claim.job_id == job


def test_deliveries_in_the_same_moment_take_each_job_once(
    crowd: tuple[list[tuple[str, str]], tuple[str, str]],
) -> None:
    """Whatever exchanges meet: every job is claimed by one delivery, and no event is left over."""
    many, one = crowd
    more = [queued(rows.user(), n) for n in range(3)]
    deliveries = [*many[:9], one, *more]
    code = (
        "import sys, time\nfrom functions.shared.jobs import claims, transitions\n"
        "from functions.shared.jobs.transitions import Audio\n"
        "for pair in sys.argv[1:]:\n"
        "    event, job = pair.split('/')\n"
        "    claim = claims.claim_turn(event, job)\n"
        "    print(claim.job_id if claim else '-')\n"
        "    time.sleep(0.01)\n"
        "    if claim: transitions.finish(claim, Audio(10, 'ab' * 32, 1.0))\n"
    )
    pairs = [f"{event}/{job}" for job, event in deliveries]
    command = [sys.executable, "-c", code]
    running = [
        subprocess.Popen([*command, *pairs[n::4]], cwd=ROOT, stdout=subprocess.PIPE, text=True) for n in range(4)
    ]
    said = [line for each in running for line in each.communicate(timeout=PATIENCE)[0].split()]
    assert [each.returncode for each in running] == [0] * 4
    assert "-" not in said
    assert len(set(said)) == len(said) == len(deliveries)
    assert waiting() == MANY - 9


def test_the_first_two_conversions_of_an_account_may_begin_in_the_same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = rows.user()
    mine = [queued(owner, n) for n in range(2)]
    both, reckon = threading.Barrier(2), turns._level

    def reckon_with_the_other(seconds: float, before: float | None) -> float:
        # SQLite has one writer at a time: the other one is not here yet.
        with suppress(threading.BrokenBarrierError):
            both.wait(2)
        return reckon(seconds, before)

    monkeypatch.setattr(turns, "_level", reckon_with_the_other)
    with ThreadPoolExecutor() as threads:
        taken = list(threads.map(lambda pair: claims.claim(pair[0]), mine))
    assert all(taken)
    moment = datetime.now(UTC).timestamp() / turns.HALF_LIFE_SECONDS
    assert 2 ** (level(mine[0][0]) - moment) == pytest.approx(2 * claims.CLAIM_SECONDS, rel=0.3)


def test_failing_and_putting_off_cost_their_time_too() -> None:
    job, event = queued(rows.user())
    claim = claims.claim_turn(event, job)
    assert claim
    before = level(job)
    rested = Claim(**{**vars(claim), "since": rows.ago(100)})
    transitions.fail_claimed(rested, Failure("damaged"))
    assert level(job) > before + 5


def waiting() -> int:
    """How many events are to have somebody convert a job."""
    query = sa.select(sa.func.count()).where(events.c.settled_at.is_(None), events.c.type == VideoUploaded.TYPE)
    with database.reading() as connection:
        return int(connection.execute(query).scalar_one())


def level(job: str) -> float:
    with database.reading() as connection:
        query = sa.select(levels.c.level).where(levels.c.user_id == owner_of(job))
        return float(connection.execute(query).scalar_one())
