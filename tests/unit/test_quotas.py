"""functions/shared/quotas.py and what keeps to it: never exceeded, whoever comes at once, and nothing stays booked."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa

import functions.upload.admission as admission
from events.catalogue import ConversionFailed, VideoSubmitted
from functions.login import accounts
from functions.shared import database, quotas
from functions.shared.jobs import claims, transitions
from functions.shared.jobs.states import State
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import Problem
from functions.shared.quotas import OverQuota
from functions.shared.tables import converted, jobs, users
from functions.shared.tables import quotas as overrides
from functions.sweep import retention
from functions.upload import intake, submitted
from tests.patience import PATIENCE
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables")

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def recount(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has counted the jobs that wait."""
    monkeypatch.setattr(admission, "_counted", (-10.0, 0))


def opened(owner: str, size: int = 0, key: str | None = None) -> str:
    return intake.open_job(owner, "talk.mp4", {}, key, "print", size)[0]


def stored(owner: str, size: int, reserved: int = 0) -> str:
    job = opened(owner, reserved)
    transitions.queue(claims.claim_upload(job), "talk.mp4", {}, size)
    return job


def usage(owner: str) -> dict[str, float]:
    with database.reading() as connection:
        return quotas.used(connection, owner)


def allow(owner: str, **limits: int | None) -> None:
    with database.transaction() as connection:
        connection.execute(overrides.insert().values(user_id=owner, **limits))


def test_jobs_are_opened_up_to_the_quota_and_again_when_one_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_USER_JOBS", "2")
    owner = rows.user()
    first = stored(owner, 10)
    stored(owner, 10)
    with pytest.raises(OverQuota) as refused:
        opened(owner)
    problem = refused.value
    assert (problem.status, problem.code) == (403, "quota-exceeded")
    assert problem.members == {"quota": "jobs", "limit": 2, "used": 3}
    assert usage(owner)["jobs"] == 2
    transitions.cancel(first)
    assert opened(owner)


def test_another_ones_jobs_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_USER_JOBS", "1")
    opened(rows.user())
    assert opened(rows.user())


def test_what_is_announced_is_reserved_before_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_USER_BYTES", "1000")
    owner = rows.user()
    opened(owner, 600)
    with pytest.raises(OverQuota):
        opened(owner, 401)
    assert opened(owner, 400)


def test_what_came_counts_not_what_was_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_USER_BYTES", "1000")
    owner = rows.user()
    stored(owner, 500, reserved=900)
    assert usage(owner)["stored_bytes"] == 500
    with pytest.raises(OverQuota) as refused:
        stored(owner, 501)
    assert refused.value.members["used"] == 1001
    assert usage(owner)["stored_bytes"] == 500


def test_an_upload_that_broke_off_holds_nothing_once_its_lease_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_USER_BYTES", "1000")
    monkeypatch.setenv("MAX_USER_JOBS", "1")
    owner = rows.user()
    job = opened(owner, 1000)
    rows.change(jobs, jobs.c.id == job, lease_until=rows.ago(1))
    assert usage(owner) == {"jobs": 0, "stored_bytes": 0, "minutes_a_day": 0}
    assert opened(owner, 1000)


def test_discarded_deleted_and_expired_files_are_free_again() -> None:
    owner = rows.user()
    intake.discard(opened(owner, 100))
    rows.job(State.EXPIRED, owner, audio_bytes=7)
    assert usage(owner)["stored_bytes"] == 0
    done = rows.job(State.DONE, owner, audio_bytes=7)
    rows.job(State.FAILED, owner)
    rows.job(State.CONVERTING, owner)
    assert usage(owner) == {"jobs": 1, "stored_bytes": 2007, "minutes_a_day": 0}
    with database.transaction() as connection:
        connection.execute(jobs.delete().where(jobs.c.id == done))
    assert usage(owner)["stored_bytes"] == 2000


@pytest.mark.parametrize("quota", ["jobs", "bytes"])
def test_fifty_uploads_at_once_never_exceed_it(quota: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_USER_JOBS" if quota == "jobs" else "MAX_USER_BYTES", "7" if quota == "jobs" else "700")
    owner = rows.user()
    code = (
        "import sys, threading\nfrom functions.shared.problems import Problem\nfrom functions.upload import intake\n"
        "def one():\n"
        "    try: said = intake.open_job(sys.argv[1], 'talk.mp4', {}, None, '', 100)[0]\n"
        "    except Problem as problem: said = problem.code\n"
        "    sys.stdout.write(said + '\\n')\n"
        "for thread in [threading.Thread(target=one) for _ in range(25)]: thread.start()\n"
    )
    racing = [
        subprocess.Popen([sys.executable, "-c", code, owner], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [line for each in racing for line in each.communicate(timeout=PATIENCE)[0].split()]
    assert said.count("quota-exceeded") == 43
    assert len(said) == 50
    assert usage(owner) == {"jobs": 7, "stored_bytes": 700, "minutes_a_day": 0}


def test_a_repeated_request_gets_its_job_though_the_quota_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_USER_JOBS", "1")
    owner = rows.user()
    job = opened(owner, key="once")
    transitions.queue(claims.claim_upload(job), "talk.mp4", {}, 10)
    assert intake.open_job(owner, "talk.mp4", {}, "once", "print", 0) == (job, False)


def test_an_operator_can_allow_one_account_more_less_or_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_USER_JOBS", "1")
    more, less, everything = rows.user(), rows.user(), rows.user()
    allow(more, jobs=2)
    allow(less, stored_bytes=5)
    allow(everything, jobs=0)
    assert all(opened(more) for _ in range(2))
    with pytest.raises(OverQuota):
        opened(less, 6)
    assert all(opened(everything) for _ in range(3))


def test_a_retry_counts_as_a_new_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_USER_JOBS", "1")
    owner = rows.user()
    failed = rows.job(State.FAILED, owner)
    running = stored(owner, 10)
    with pytest.raises(OverQuota):
        transitions.retry_within_quotas(owner, failed)
    assert rows.read(failed).state == "failed"
    transitions.cancel(running)
    assert transitions.retry_within_quotas(owner, failed)


def test_a_conversion_over_the_minutes_of_the_day_fails_and_its_owner_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_USER_MINUTES", "10")
    owner = rows.user()
    within, beyond = rows.job(owner=owner), rows.job(owner=owner)
    for job in (within, beyond):
        assert claims.claim(job)
    transitions.finish(rows.claim_of(within), Audio(10, "ab" * 32, 400))
    with pytest.raises(transitions.OverMinutes):
        transitions.finish(rows.claim_of(beyond), Audio(10, "ab" * 32, 300))
    assert rows.read(within).state == "done"
    assert (rows.read(beyond).state, rows.read(beyond).error_code) == ("failed", "over-minutes")
    assert rows.unsettled(beyond) == [ConversionFailed.TYPE]
    # It was converted: else somebody could have it done again and again.
    assert usage(owner)["minutes_a_day"] == pytest.approx(700 / 60, abs=0.01)
    with pytest.raises(OverQuota):
        opened(owner)


def test_deleting_jobs_gives_no_minutes_back_but_the_next_day_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_USER_MINUTES", "10")
    owner = rows.user()
    job = rows.job(owner=owner)
    assert claims.claim(job)
    transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 600))
    with database.transaction() as connection:
        connection.execute(jobs.delete())
    with pytest.raises(OverQuota):
        opened(owner)
    rows.change(converted, sa.true(), day=rows.ago(86_400).date())
    assert opened(owner)


def test_a_lost_claim_spends_no_minutes() -> None:
    owner = rows.user()
    job = rows.job(owner=owner)
    assert claims.claim(job)
    with pytest.raises(claims.ClaimLost):
        transitions.finish(rows.claim_of(job, token=0), Audio(10, "ab" * 32, 600))
    assert usage(owner)["minutes_a_day"] == 0


def test_a_job_by_an_event_over_quota_fails_with_a_reason_and_a_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_USER_JOBS", "1")
    owner = rows.user()
    event = VideoSubmitted("https://example.com/talk.mp4", "talk.mp4", None)
    first, second = uuid.uuid4().hex, uuid.uuid4().hex
    submitted.open_submitted(owner, first, event)
    submitted.open_submitted(owner, second, event)
    assert (rows.read(first).state, rows.unsettled(first)) == ("receiving", [VideoSubmitted.TYPE])
    assert (rows.read(second).state, rows.read(second).error_code) == ("failed", "over-quota")
    assert rows.unsettled(second) == [ConversionFailed.TYPE]


def test_an_account_shows_what_it_has_and_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_USER_MINUTES", "0")
    owner = rows.user()
    allow(owner, jobs=5)
    stored(owner, 10)
    shown = accounts.read(owner)
    assert (shown.usage.jobs, shown.usage.stored_bytes, shown.usage.minutes_a_day) == (1, 10, 0)
    assert (shown.quotas.jobs, shown.quotas.stored_bytes, shown.quotas.minutes_a_day) == (5, 1_099_511_627_776, None)


def test_an_account_that_is_gone_is_no_matter_of_quotas() -> None:
    with pytest.raises(Problem) as refused:
        opened("nobody")
    assert refused.value.code == "unauthenticated"


def test_uploads_are_refused_while_too_many_jobs_wait_and_taken_again_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_QUEUED_JOBS", "2")
    waiting = [stored(rows.user(), 10) for _ in range(2)]
    monkeypatch.setattr(admission, "_counted", (-10.0, 0))
    late = rows.user()
    with pytest.raises(Problem) as refused:
        opened(late)
    assert (refused.value.status, refused.value.code) == (503, "too-busy")
    assert int(refused.value.headers["Retry-After"]) > 0
    assert usage(late)["jobs"] == 0
    transitions.cancel(waiting[0])
    assert opened(late)


def test_what_was_had_is_forgotten_with_the_day_and_with_the_account() -> None:
    owner = rows.user()
    with database.transaction() as connection:
        connection.execute(converted.insert().values(user_id=owner, day=rows.ago(3 * 86_400).date(), seconds=5))
        connection.execute(converted.insert().values(user_id=owner, day=rows.ago(0).date(), seconds=6))
    retention.forget()
    with database.reading() as connection:
        assert connection.execute(sa.select(converted.c.seconds)).scalars().all() == [6]
    with database.transaction() as connection:
        connection.execute(users.delete())
    with database.reading() as connection:
        assert connection.execute(converted.select()).all() == []
