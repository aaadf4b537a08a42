"""functions/notify/ledger.py: each notice is sent once to each endpoint."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from events.catalogue import AudioCreated, ConversionFailed, JobEvent
from functions.notify import ledger, news
from functions.notify.channels import Notice
from functions.notify.ledger import Attempt, NotDue
from functions.shared import database
from functions.shared.jobs import transitions
from functions.shared.jobs.states import State
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import Unavailable
from functions.shared.reasons import Failure
from functions.shared.tables import jobs as jobs_table
from functions.shared.tables import notice_attempts as attempts
from functions.shared.tables import notifications as table
from functions.shared.tables import now
from tests.unit import rows
from tests.unit.processes import race

pytestmark = pytest.mark.usefixtures("tables", "store")

CLAIM = 30


def test_of_sixteen_deliveries_at_once_one_sends() -> None:
    job = done()
    prepare = (
        "from events.catalogue import AudioCreated\n"
        "from functions.notify import ledger, news\n"
        "from functions.shared.problems import Unavailable\n"
        "def deliver():\n"
        "    try:\n"
        f"        attempt = ledger.begin(news.notice_of('{job}', AudioCreated), 'mail', '', 30)\n"
        "    except Unavailable:\n"
        "        return 'later'\n"
        "    if attempt is None:\n"
        "        return 'told'\n"
        "    ledger.finish(attempt)\n"
        "    return 'sent'"
    )
    said = race(16, prepare, "print(deliver())")
    assert said.count("sent") == 1
    assert set(said) <= {"sent", "later", "told"}
    assert len(ledger.sent_to(rows.read(job).user_id, "mail", 50)) == 1


def test_what_was_told_is_not_told_again() -> None:
    job = done()
    ledger.finish(begun(job))
    assert begin(job) is None


def test_one_endpoint_that_was_told_settles_nothing_all_of_them_do() -> None:
    job = done()
    ledger.finish(begun(job))
    assert rows.unsettled(job) == [AudioCreated.TYPE]
    news.settle(notice(job))
    assert rows.unsettled(job) == []


def test_another_endpoint_is_told_of_its_own() -> None:
    job = done()
    ledger.finish(begun(job))
    assert begin(job, endpoint="another") is not None


def test_another_channel_is_told_of_its_own() -> None:
    job = done()
    ledger.finish(begun(job))
    assert begin(job, "sms") is not None


def test_while_one_delivery_sends_another_is_put_off() -> None:
    job = done()
    begun(job)
    with pytest.raises(Unavailable):
        begin(job)


def test_a_delivery_that_died_before_it_sent_is_made_up_for() -> None:
    job = done()
    begun(job)
    let_time_pass()
    assert begin(job) is not None


def test_of_eight_deliveries_that_come_after_a_dead_one_one_sends() -> None:
    job = done()
    begun(job)
    let_time_pass()
    prepare = (
        "from contextlib import suppress\n"
        "from events.catalogue import AudioCreated\n"
        "from functions.notify import ledger, news"
    )
    act = (
        "with suppress(Exception):\n"
        f"    print(ledger.begin(news.notice_of('{job}', AudioCreated), 'mail', '', 30) is not None)"
    )
    assert race(8, prepare, act).count("True") == 1


def test_a_notice_that_was_given_back_can_be_taken_at_once() -> None:
    job = done()
    ledger.put_off(begun(job), 0, "away")
    assert begin(job) is not None


def test_a_notice_that_was_put_off_rests_until_it_is_due() -> None:
    job = done()
    ledger.put_off(begun(job), 60, "away")
    with pytest.raises(NotDue):
        begin(job)
    assert (row_of(job).due_at - now()).total_seconds() == pytest.approx(60, abs=10)


def test_a_claim_that_is_renewed_is_not_taken_over() -> None:
    job = done()
    attempt = begun(job)
    ledger.hold(attempt, 3600)
    rows.change(table, table.c.job_id == job, created_at=rows.ago(3600))
    with pytest.raises(NotDue):
        begin(job)
    let_time_pass()
    assert begin(job) is not None
    with pytest.raises(NotDue):
        ledger.hold(attempt, 3600)


def test_what_ends_unclear_is_tried_twice_more_and_hours_apart() -> None:
    job = done()
    for tries in range(1, 4):
        attempt = begun(job)
        assert (attempt.tries, attempt.unclear) == (tries, tries - 1)
        ledger.put_off(attempt, ledger.UNCLEAR_SECONDS, "no answer", is_unclear=True)
        assert (row_of(job).due_at - now()).total_seconds() > 3 * 3600
        let_time_pass()
    assert begin(job) is None
    assert "not known" in row_of(job).refusal
    assert outcomes() == ["unclear"] * 3


def test_who_dies_after_the_end_of_a_mail_leaves_it_unclear_and_for_hours() -> None:
    job = done()
    ledger.hold(begun(job), ledger.UNCLEAR_SECONDS, unclear=True)
    assert (row_of(job).due_at - now()).total_seconds() > 3 * 3600
    let_time_pass()
    assert begun(job).unclear == 1
    assert outcomes() == ["begun", "begun"]


def test_each_attempt_is_in_the_ledger() -> None:
    job = done()
    ledger.put_off(begun(job), 0, "away")
    ledger.finish(begun(job), status=204)
    with database.reading() as connection:
        found = connection.execute(attempts.select().order_by(attempts.c.id)).all()
    assert [(each.outcome, each.detail, each.status) for each in found] == [
        ("put-off", "away", None),
        ("sent", None, 204),
    ]
    assert {each.delivery_id for each in found} == {row_of(job).delivery_id}


def test_a_slow_delivery_does_not_give_back_what_is_another_s_by_now() -> None:
    job = done()
    slow = begun(job)
    let_time_pass()
    begun(job)
    ledger.put_off(slow, 0, "away")
    with pytest.raises(Unavailable):
        begin(job)


def test_what_was_sent_cannot_be_given_back() -> None:
    job = done()
    attempt = begun(job)
    ledger.finish(attempt)
    ledger.put_off(attempt, 0, "away")
    assert begin(job) is None


def test_a_refused_notice_is_kept_with_its_reason_and_not_tried_again() -> None:
    job = done()
    ledger.finish(begun(job), "550 no such mailbox " + "x" * 1000)
    with database.reading() as connection:
        row = connection.execute(table.select()).one()
    assert (row.sent_at, row.refusal[:23], len(row.refusal)) == (None, "550 no such mailbox xxx", 500)
    assert begin(job) is None
    assert ledger.sent_to(rows.read(job).user_id, "mail", 50) == []


@pytest.mark.parametrize("state", [state for state in State if state != State.DONE])
def test_nobody_is_told_of_an_mp3_that_is_not_there(state: str) -> None:
    assert news.notice_of(rows.job(state), AudioCreated) is None


def test_nobody_is_told_of_a_job_that_is_gone() -> None:
    assert news.notice_of("0" * 32, AudioCreated) is None


def test_old_news_are_settled_unsent() -> None:
    job = rows.job()
    transitions.fail(job, Failure("damaged"))
    rows.change(jobs_table, jobs_table.c.id == job, state="expired")
    assert news.notice_of(job, ConversionFailed) is None
    assert rows.unsettled(job) == []


def test_a_retry_that_fails_too_is_told_of_its_own() -> None:
    job = rows.job()
    transitions.fail(job, Failure("damaged"))
    first = begun(job, ConversionFailed)
    ledger.finish(first)
    transitions.retry(job)
    transitions.fail(job, Failure("damaged"))
    assert begun(job, ConversionFailed).key != first.key


def test_the_owner_is_whom_the_row_names() -> None:
    job = rows.job("converting", owner=rows.user("anna@example.com"))
    transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
    assert notice(job).job.email == "anna@example.com"


def done() -> str:
    """A job that has just been converted."""
    job = rows.job("converting")
    transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
    return job


def notice(job: str, event_type: type[JobEvent] = AudioCreated) -> Notice:
    found = news.notice_of(job, event_type)
    assert found
    return found


def begin(
    job: str, channel: str = "mail", endpoint: str = "", event_type: type[JobEvent] = AudioCreated
) -> Attempt | None:
    return ledger.begin(notice(job, event_type), channel, endpoint, CLAIM)


def begun(job: str, event_type: type[JobEvent] = AudioCreated) -> Attempt:
    attempt = begin(job, event_type=event_type)
    assert attempt
    return attempt


def let_time_pass() -> None:
    rows.change(table, table.c.sent_at.is_(None), claimed_at=rows.ago(CLAIM + 1), due_at=rows.ago(1))


def row_of(job: str) -> Any:
    with database.reading() as connection:
        return connection.execute(table.select().where(table.c.job_id == job)).one()


def outcomes() -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(sa.select(attempts.c.outcome).order_by(attempts.c.id)).scalars())
