"""functions/sweep/gauges.py: what the metrics say of the whole deployment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

import functions.sweep.gauges as gauges
from events.catalogue import AudioCreated
from functions.notify import ledger
from functions.notify.channels import Notice
from functions.shared import database, telemetry
from functions.shared.jobs import claims, transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.metrics import METRICS, Kind
from functions.shared.reasons import Failure
from functions.shared.tables import jobs, notice_attempts, outbox
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables", "store")

Shown = dict[str, dict[str, float]]


class Seen(telemetry.Span):
    """An exporter that keeps what is shown: values by the metric's name, and by what its attributes are."""

    def __init__(self) -> None:
        self.shown: Shown = {}

    def show(self, name: str, values: Iterable[tuple[float, Mapping[str, str]]]) -> None:
        self.shown[name] = {" ".join(attributes.values()): value for value, attributes in values}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """What was shown last."""
    seen = Seen()
    monkeypatch.setattr(telemetry, "_exporting", seen)
    monkeypatch.setattr(gauges, "_pressed_at", None)
    return seen.shown


def test_an_empty_deployment_has_every_gauge_at_nought(shown: Shown) -> None:
    gauges.show()
    assert set(shown) == {metric.name for metric in METRICS if metric.kind is Kind.GAUGE}
    assert {value for values in shown.values() for value in values.values()} == {0}


def test_jobs_are_counted_by_state_and_those_that_ended_by_reason(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_QUEUED_JOBS", "8")
    owner = rows.user()
    rows.job("queued", owner, updated_at=rows.ago(90))
    rows.job("queued", owner)
    ended(rows.job("converting", owner), None)
    ended(rows.job("converting", owner), "no-audio")
    ended(rows.job("converting", owner), "no-audio")
    old = ended(rows.job("converting", owner), "damaged")
    rows.change(outbox, outbox.c.job_id == old, created_at=rows.ago(3600), settled_at=rows.ago(3000))
    gauges.show()
    assert shown["audiolift.jobs"] == {"queued": 2, "converting": 0, "receiving": 0}
    assert shown["audiolift.jobs.ended"] == {"done ": 1, "failed no-audio": 2}
    assert 90 <= shown["audiolift.queue.age"][""] < 150
    assert shown["audiolift.queue.fill"] == {"": 2 / 8}
    assert shown["audiolift.outbox.waiting"] == {"": 3}


def test_an_event_that_nobody_takes_grows_old_unless_it_is_to_wait(shown: Shown) -> None:
    job = rows.job("receiving", rows.user())
    event_id = transitions.queue(claims.claim_upload(job), "talk.mp4", {}, 10)
    mine = outbox.c.event_id == event_id
    rows.change(outbox, mine, created_at=rows.ago(300))
    gauges.show()
    assert 300 <= shown["audiolift.outbox.age"][""] < 400
    rows.change(outbox, mine, not_before=rows.ago(-60))
    gauges.show()
    assert shown["audiolift.outbox.age"] == {"": 0}


def test_mails_are_counted_by_how_they_ended(shown: Shown) -> None:
    for refusal in ("no such mailbox", None, None):
        attempt = ledger.begin(notice_of(rows.job("done", rows.user())), "mail", "", 60)
        assert attempt
        ledger.finish(attempt, refusal)
    old = ledger.begin(notice_of(rows.job("done", rows.user())), "mail", "", 60)
    assert old
    ledger.finish(old, "no such mailbox")
    rows.change(notice_attempts, notice_attempts.c.id == old.record, at=rows.ago(3600))
    hook = ledger.begin(notice_of(rows.job("done", rows.user())), "webhook", "w", 60)
    assert hook
    gauges.show()
    assert shown["audiolift.mails"] == {"refused": 1, "sent": 2}


def test_accounts_near_a_quota_are_counted_now_and_then(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_USER_JOBS", "10")
    busy = rows.user()
    for _ in range(9):
        rows.job("queued", busy)
    rows.job("queued", rows.user())
    gauges.show()
    assert shown["audiolift.accounts.pressed"] == {"jobs": 1, "stored_bytes": 0, "minutes_a_day": 0}
    rows.job("queued", busy)
    monkeypatch.setenv("MAX_USER_JOBS", "1")
    gauges.show()
    assert shown["audiolift.accounts.pressed"]["jobs"] == 1


def test_nothing_is_asked_of_the_rows_when_nothing_is_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "_exporting", None)
    monkeypatch.setattr(database, "reading", lambda: pytest.fail("it was asked"))
    gauges.show()


def ended(job_id: str, reason: str | None) -> str:
    """End a job. Returns: its id."""
    claim = rows.claim_of(job_id)
    if reason is None:
        transitions.finish(claim, Audio(10, "ab" * 32, 1.5))
    else:
        transitions.fail_claimed(claim, Failure(reason))
    return job_id


def notice_of(job_id: str) -> Notice:
    with database.reading() as connection:
        return Notice(connection.execute(jobs.select().where(jobs.c.id == job_id)).one(), AudioCreated.TYPE)
