"""functions/notify/ledger.py: each notice is sent once."""

from __future__ import annotations

import pytest

from events.catalogue import AudioCreated, ConversionFailed
from functions.notify import ledger
from functions.notify.ledger import Notice
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
        f"        notice = ledger.begin('{job}', AudioCreated, 'mail', 30)\n"
        "    except Unavailable:\n"
        "        return 'later'\n"
        "    if notice is None:\n"
        "        return 'told'\n"
        "    ledger.finish(notice)\n"
        "    return 'sent'"
    )
    said = race(16, prepare, "print(deliver())")
    assert said.count("sent") == 1
    assert set(said) <= {"sent", "later", "told"}
    assert len(ledger.sent_to(rows.read(job).user_id, "mail", 50)) == 1


def test_what_was_told_is_not_told_again_and_its_event_is_settled() -> None:
    job = done()
    ledger.finish(begun(job))
    assert ledger.begin(job, AudioCreated, "mail", CLAIM) is None
    assert rows.unsettled(job) == []


def test_another_channel_is_told_of_its_own() -> None:
    job = done()
    ledger.finish(begun(job))
    assert ledger.begin(job, AudioCreated, "sms", CLAIM) is not None


def test_while_one_delivery_sends_another_is_put_off() -> None:
    job = done()
    begun(job)
    with pytest.raises(Unavailable):
        ledger.begin(job, AudioCreated, "mail", CLAIM)


def test_a_delivery_that_died_before_it_sent_is_made_up_for() -> None:
    job = done()
    begun(job)
    let_time_pass()
    assert ledger.begin(job, AudioCreated, "mail", CLAIM) is not None


def test_of_eight_deliveries_that_come_after_a_dead_one_one_sends() -> None:
    job = done()
    begun(job)
    let_time_pass()
    prepare = (
        "from contextlib import suppress\n"
        "from events.catalogue import AudioCreated\n"
        "from functions.notify import ledger"
    )
    act = f"with suppress(Exception):\n    print(ledger.begin('{job}', AudioCreated, 'mail', 30) is not None)"
    assert race(8, prepare, act).count("True") == 1


def test_a_notice_that_was_given_back_can_be_taken_at_once() -> None:
    job = done()
    ledger.abandon(begun(job))
    assert ledger.begin(job, AudioCreated, "mail", CLAIM) is not None


def test_a_slow_delivery_does_not_give_back_what_is_another_s_by_now() -> None:
    job = done()
    slow = begun(job)
    let_time_pass()
    begun(job)
    ledger.abandon(slow)
    with pytest.raises(Unavailable):
        ledger.begin(job, AudioCreated, "mail", CLAIM)


def test_what_was_sent_cannot_be_given_back() -> None:
    job = done()
    notice = begun(job)
    ledger.finish(notice)
    ledger.abandon(notice)
    assert ledger.begin(job, AudioCreated, "mail", CLAIM) is None


def test_a_refused_notice_is_kept_with_its_reason_and_not_tried_again() -> None:
    job = done()
    ledger.finish(begun(job), "550 no such mailbox " + "x" * 1000)
    with database.reading() as connection:
        row = connection.execute(table.select()).one()
    assert (row.sent_at, row.refusal[:23], len(row.refusal)) == (None, "550 no such mailbox xxx", 500)
    assert ledger.begin(job, AudioCreated, "mail", CLAIM) is None
    assert rows.unsettled(job) == []
    assert ledger.sent_to(rows.read(job).user_id, "mail", 50) == []


@pytest.mark.parametrize("state", [state for state in State if state != State.DONE])
def test_nobody_is_told_of_an_mp3_that_is_not_there(state: str) -> None:
    assert ledger.begin(rows.job(state), AudioCreated, "mail", CLAIM) is None


def test_nobody_is_told_of_a_job_that_is_gone() -> None:
    assert ledger.begin("0" * 32, AudioCreated, "mail", CLAIM) is None


def test_old_news_are_settled_unsent() -> None:
    job = rows.job()
    transitions.fail(job, Failure("damaged"))
    rows.change(jobs_table, jobs_table.c.id == job, state="expired")
    assert ledger.begin(job, ConversionFailed, "mail", CLAIM) is None
    assert rows.unsettled(job) == []


def test_a_retry_that_fails_too_is_told_of_its_own() -> None:
    job = rows.job()
    transitions.fail(job, Failure("damaged"))
    first = ledger.begin(job, ConversionFailed, "mail", CLAIM)
    assert first
    ledger.finish(first)
    transitions.retry(job)
    transitions.fail(job, Failure("damaged"))
    second = ledger.begin(job, ConversionFailed, "mail", CLAIM)
    assert second
    assert first.key != second.key


def test_the_owner_is_whom_the_row_names() -> None:
    job = rows.job("converting", owner=rows.user("anna@example.com"))
    transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
    assert begun(job).job.email == "anna@example.com"


def done() -> str:
    """A job that has just been converted."""
    job = rows.job("converting")
    transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
    return job


def begun(job: str) -> Notice:
    notice = ledger.begin(job, AudioCreated, "mail", CLAIM)
    assert notice
    return notice


def let_time_pass() -> None:
    rows.change(table, table.c.sent_at.is_(None), claimed_at=rows.ago(CLAIM + 1))
