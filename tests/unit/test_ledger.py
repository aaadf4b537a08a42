"""functions/notify/ledger.py: each notice is sent once to each endpoint."""

from __future__ import annotations

import pytest

from events.catalogue import AudioCreated, ConversionFailed, JobEvent
from functions.notify import ledger
from functions.notify.channels import Notice
from functions.notify.ledger import Attempt
from functions.shared import database
from functions.shared.jobs import transitions
from functions.shared.jobs.states import State
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import Unavailable
from functions.shared.reasons import Failure
from functions.shared.tables import jobs as jobs_table
from functions.shared.tables import notifications as table
from tests.unit import rows
from tests.unit.processes import race

pytestmark = pytest.mark.usefixtures("tables", "store")

CLAIM = 30


def test_of_sixteen_deliveries_at_once_one_sends() -> None:
    job = done()
    prepare = (
        "from events.catalogue import AudioCreated\n"
        "from functions.notify import ledger\n"
        "from functions.shared.problems import Unavailable\n"
        "def deliver():\n"
        "    try:\n"
        f"        attempt = ledger.begin(ledger.notice_of('{job}', AudioCreated), 'mail', '', 30)\n"
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
    ledger.settle(notice(job))
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
        "from functions.notify import ledger"
    )
    act = (
        "with suppress(Exception):\n"
        f"    print(ledger.begin(ledger.notice_of('{job}', AudioCreated), 'mail', '', 30) is not None)"
    )
    assert race(8, prepare, act).count("True") == 1


def test_a_notice_that_was_given_back_can_be_taken_at_once() -> None:
    job = done()
    ledger.abandon(begun(job))
    assert begin(job) is not None


def test_a_slow_delivery_does_not_give_back_what_is_another_s_by_now() -> None:
    job = done()
    slow = begun(job)
    let_time_pass()
    begun(job)
    ledger.abandon(slow)
    with pytest.raises(Unavailable):
        begin(job)


def test_what_was_sent_cannot_be_given_back() -> None:
    job = done()
    attempt = begun(job)
    ledger.finish(attempt)
    ledger.abandon(attempt)
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
    assert ledger.notice_of(rows.job(state), AudioCreated) is None


def test_nobody_is_told_of_a_job_that_is_gone() -> None:
    assert ledger.notice_of("0" * 32, AudioCreated) is None


def test_old_news_are_settled_unsent() -> None:
    job = rows.job()
    transitions.fail(job, Failure("damaged"))
    rows.change(jobs_table, jobs_table.c.id == job, state="expired")
    assert ledger.notice_of(job, ConversionFailed) is None
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
    found = ledger.notice_of(job, event_type)
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
    rows.change(table, table.c.sent_at.is_(None), claimed_at=rows.ago(CLAIM + 1))
