"""functions/sweep/healing.py: dead letters whose event has had its effect after all do not hide the real ones."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from events.wire import Envelope
from functions.shared import database, outbox
from functions.shared.jobs import claims, names, transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.reasons import Failure
from functions.shared.tables import dead_letters as table
from functions.shared.tables import jobs as jobs_table
from functions.sweep import dead_letters, main
from tests.unit import rows
from tests.unit.sink import Sink

pytestmark = pytest.mark.usefixtures("tables", "store")

AUDIO = Audio(10, "ab" * 32, 1.5)
RETENTION = 604_800


def test_the_letters_of_a_dispatcher_that_was_stopped_heal_when_their_jobs_are_done(sink: Sink) -> None:
    letters = [given_up("-1") for _ in range(3)]
    main.tick()
    assert states() == ["recorded"] * 3
    for job in letters[:2]:
        convert(job)
    main.tick()
    assert states() == ["healed", "healed", "recorded"]


@pytest.mark.parametrize("code", ["damaged", "no-audio"])
def test_a_letter_whose_job_failed_for_a_reason_of_its_own_has_had_its_effect(sink: Sink, code: str) -> None:
    transitions.fail(given_up("-1"), Failure(code))
    main.tick()
    assert states() == ["healed"]


def test_a_letter_that_made_its_job_fail_stays_until_the_job_is_converted_after_all(sink: Sink) -> None:
    job = given_up("500")
    main.tick()
    assert (states(), rows.read(job).error_code) == (["recorded"], "gave-up")
    transitions.retry(job)
    convert(job)
    main.tick()
    assert states() == ["healed"]


@pytest.mark.parametrize("state", ["cancelled", "expired"])
def test_a_letter_whose_job_is_over_is_healed(sink: Sink, state: str) -> None:
    rows.change(jobs_table, jobs_table.c.id == given_up("500"), state=state)
    main.tick()
    assert states() == ["healed"]


def test_a_letter_whose_job_was_deleted_is_healed(sink: Sink) -> None:
    job = given_up("500")
    with database.transaction() as connection:
        connection.execute(jobs_table.delete().where(jobs_table.c.id == job))
    main.tick()
    assert states() == ["healed"]


def test_news_heal_when_they_have_been_told_and_not_before(sink: Sink) -> None:
    job = rows.job("converting")
    outbox.send(transitions.finish(rows.claim_of(job), AUDIO))
    dead_letters.record(sink.received.pop().with_attributes(knativeerrorcode="-1"))
    main.tick()
    assert states() == ["recorded"]
    with database.transaction() as connection:
        outbox.settle(connection, outbox.of(job))
    main.tick()
    assert states() == ["healed"]


def test_the_letter_of_another_system_heals_when_its_job_exists(sink: Sink) -> None:
    for event_id in ("article-1", "article-2"):
        dead_letters.record(submitted(event_id))
    rows.job("receiving", id=names.submitted_id("/cms", "article-1"))
    main.tick()
    assert states() == ["healed", "recorded"]


def test_a_healed_letter_that_comes_again_is_a_dead_letter_again(sink: Sink) -> None:
    event = submitted("article-1")
    dead_letters.record(event)
    job = names.submitted_id("/cms", "article-1")
    rows.job("receiving", id=job)
    main.tick()
    assert states() == ["healed"]
    with database.transaction() as connection:
        connection.execute(jobs_table.delete().where(jobs_table.c.id == job))
    dead_letters.record(event)
    main.tick()
    assert states() == ["recorded"]


def test_what_an_operator_wants_replayed_is_replayed_first(sink: Sink) -> None:
    dead_letters.record(submitted("article-1"))
    rows.job("receiving", id=names.submitted_id("/cms", "article-1"))
    rows.change(table, table.c.id.is_not(None), state="wanted")
    sink.status = 503
    main.tick()
    assert states() == ["wanted"]
    sink.status = 202
    main.tick()
    assert (states(), len(sink.received)) == (["healed"], 1)


def test_healed_letters_are_deleted_when_their_time_is_over_and_open_ones_never(sink: Sink) -> None:
    healed, old = given_up("-1"), submitted("article-1")
    convert(healed)
    dead_letters.record(old)
    rows.change(table, table.c.id.is_not(None), recorded_at=rows.ago(10 * RETENTION))
    main.tick()
    rows.change(table, table.c.state == "healed", healed_at=rows.ago(RETENTION - 60))
    main.tick()
    assert sorted(states()) == ["healed", "recorded"]
    rows.change(table, table.c.state == "healed", healed_at=rows.ago(RETENTION + 60))
    main.tick()
    assert states() == ["recorded"]


def test_a_replayed_letter_that_did_not_come_back_is_deleted_too(sink: Sink) -> None:
    dead_letters.record(submitted("article-1"))
    rows.change(table, table.c.id.is_not(None), state="wanted")
    main.tick()
    main.tick()
    assert states() == ["replayed"]
    rows.change(table, table.c.id.is_not(None), tried_at=rows.ago(RETENTION + 60))
    main.tick()
    assert states() == []


def test_letters_that_the_release_before_this_one_wrote_heal_as_well(sink: Sink) -> None:
    """It does not know the columns that say what a letter is about."""
    convert(given_up("-1"))
    dead_letters.record(submitted("article-1"))
    nothing = dict.fromkeys(("event_id", "source", "type", "job_id", "headers", "note", "tried_at", "healed_at"))
    with database.transaction() as connection:
        connection.execute(table.update().values({**nothing, "headers": sa.null()}))
    main.tick()
    assert states() == ["healed", "recorded"]


def given_up(code: str) -> str:
    """A queued job whose event was sent and came back as a dead letter. Returns: the job's id."""
    job = rows.job("receiving")
    event_id = transitions.queue(claims.claim_upload(job), "talk.mp4", {}, 1000)
    outbox.send(event_id)
    event: Envelope = outbox._envelope(outbox.read(event_id))
    dead_letters.record(event.with_attributes(knativeerrorcode=code))
    return job


def convert(job: str) -> None:
    claim = claims.claim(job)
    assert claim
    transitions.finish(claim, AUDIO)


def submitted(event_id: str) -> Envelope:
    about = {"id": event_id, "source": "/cms", "type": "dev.audiolift.video.submitted.v1", "specversion": "1.0"}
    return Envelope({**about, "knativeerrorcode": "500"}, b"{}")


def states() -> list[Any]:
    """The states of all letters, oldest first."""
    with database.reading() as connection:
        return list(connection.execute(sa.select(table.c.state).order_by(table.c.recorded_at)).scalars())
