"""functions/sweep: one event that nobody takes, or one step that fails, holds nothing else up."""

from __future__ import annotations

import logging

import pytest

from events.wire import Envelope
from functions.shared import database, outbox
from functions.shared.audit import Actor
from functions.shared.jobs import claims, transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import Unavailable
from functions.shared.tables import dead_letters
from functions.shared.tables import jobs as jobs_table
from functions.shared.tables import outbox as table
from functions.sweep import administration, events, main
from functions.sweep import dead_letters as sweep_letters
from functions.sweep.event_shapes import RefusedQuery, WhichEvents
from functions.sweep.shapes import AuditQuery
from tests.unit import rows
from tests.unit.sink import Sink

pytestmark = pytest.mark.usefixtures("tables", "store")

UPLOADED, UNKNOWN = "dev.audiolift.video.uploaded.v1", "dev.audiolift.audio.admired.v9"


@pytest.mark.parametrize("status", [400, 413, 422, 431])
def test_an_event_that_the_sink_refuses_for_good_fails_its_job_and_all_others_are_sent(sink: Sink, status: int) -> None:
    refused, others = uploaded(), [uploaded(), uploaded()]
    sink.statuses[refused] = status
    main.tick()
    job = rows.read(refused)
    assert (job.state, job.error_code) == ("failed", "gave-up")
    assert [event.subject for event in sink.received] == others


def test_the_owner_of_a_job_whose_event_is_refused_is_told(sink: Sink) -> None:
    refused = uploaded()
    sink.statuses[UPLOADED] = 413
    main.tick()
    assert [(event.subject, event.type) for event in sink.received] == [(refused, "dev.audiolift.conversion.failed.v1")]


@pytest.mark.parametrize("status", [301, 307, 401, 403, 405])
def test_what_the_sink_says_of_the_sender_fails_no_job_and_stops_no_other_event(sink: Sink, status: int) -> None:
    refused, other = uploaded(), uploaded()
    sink.statuses[refused] = status
    main.tick()
    assert rows.read(refused).state == "queued"
    assert [event.subject for event in sink.received] == [other]
    assert str(status) in rows.messages(refused)[0].refusal


def test_an_event_of_an_unknown_type_is_set_aside_and_stops_nothing(
    sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    unknown, other, over = uploaded(), uploaded(), rows.job("done", expires_at=rows.ago(1))
    rows.change(table, table.c.job_id == unknown, type=UNKNOWN)
    main.tick()
    assert [event.subject for event in sink.received] == [other]
    assert (rows.read(unknown).state, rows.read(over).state) == ("queued", "expired")
    assert UNKNOWN in rows.messages(unknown)[0].refusal
    assert [record.levelname for record in caplog.records if "set aside" in record.message] == ["ERROR"]


def test_a_refused_event_is_tried_again_after_waits_that_double_and_then_sent(sink: Sink) -> None:
    job = uploaded()
    sink.statuses[job] = 403
    for tries, wait in ((1, 600), (2, 1200), (3, 2400)):
        main.tick()
        main.tick()
        assert (rows.messages(job)[0].attempts, len(sink.refused)) == (tries, tries)
        rows.change(table, table.c.job_id == job, tried_at=rows.ago(wait - 5))
        main.tick()
        assert len(sink.refused) == tries
        rows.change(table, table.c.job_id == job, tried_at=rows.ago(wait + 5))
    del sink.statuses[job]
    main.tick()
    (row,) = rows.messages(job)
    assert ([event.subject for event in sink.received], row.refusal) == ([job], None)


def test_a_sink_that_is_away_is_asked_once_a_tick_each_time_for_another_event(sink: Sink) -> None:
    """Should it be away for one event only (Knative's ingress says 500 to one that RabbitMQ cannot take)."""
    first, second = uploaded(created=70), uploaded(created=60)
    sink.statuses[first] = 500
    main.tick()
    assert (len(sink.refused), sink.received) == (1, [])
    main.tick()
    assert [event.subject for event in sink.received] == [second]


def test_a_letter_that_the_sink_refuses_is_noted_and_the_others_are_replayed(sink: Sink) -> None:
    for number in "123":
        sweep_letters.record(foreign(number))
    rows.change(dead_letters, dead_letters.c.id.is_not(None), state="wanted")
    sink.statuses["1"] = 413
    main.tick()
    assert [event.id for event in sink.received] == ["2", "3"]
    with database.reading() as connection:
        found = connection.execute(dead_letters.select().where(dead_letters.c.state == "recorded")).all()
    assert [(letter.attributes["id"], letter.replays, "413" in letter.note) for letter in found] == [("1", 1, True)]


def test_a_letter_for_which_the_sink_is_always_away_does_not_hold_up_the_others(sink: Sink) -> None:
    for number in "12":
        sweep_letters.record(foreign(number))
    rows.change(dead_letters, dead_letters.c.id.is_not(None), state="wanted")
    sink.statuses["1"] = 500
    main.tick()
    main.tick()
    assert [event.id for event in sink.received] == ["2"]


def test_a_step_that_fails_is_logged_and_counted_and_the_next_ones_are_taken(
    sink: Sink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    over = rows.job("done", expires_at=rows.ago(1))
    monkeypatch.setattr("functions.sweep.events.send_again", broken)
    main.tick()
    assert rows.read(over).state == "expired"
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [bool(record.exc_info) for record in errors] == [True, False]
    assert errors[1].message.endswith("failed: 1")


def test_a_store_that_is_away_for_one_step_stops_no_other_and_is_told_at_the_end(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = rows.job("done", expires_at=rows.ago(1))
    monkeypatch.setattr("functions.sweep.events.send_again", away)
    with pytest.raises(Unavailable):
        main.tick()
    assert rows.read(over).state == "expired"


def test_replaying_a_dead_letter_does_not_revive_a_job_that_its_owner_cancelled(sink: Sink) -> None:
    job = uploaded()
    (row,) = rows.messages(job)
    event = outbox._envelope(row)
    sweep_letters.record(event.with_attributes(knativeerrorcode="500"))
    transitions.retry(job)
    transitions.cancel(job)
    sink.received.clear()
    rows.change(dead_letters, dead_letters.c.id.is_not(None), state="wanted")
    main.tick()
    assert (rows.read(job).state, sink.received) == ("cancelled", [])


def broken() -> None:
    raise KeyError("a bug")


def away() -> None:
    raise Unavailable("a store does not answer")


def foreign(event_id: str) -> Envelope:
    return Envelope({"id": event_id, "source": "/cms", "type": "com.example.thing.v1", "specversion": "1.0"}, b"{}")


def uploaded(created: float = 60) -> str:
    """A queued job whose event was never sent."""
    job = rows.job("receiving")
    event_id = transitions.queue(claims.claim_upload(job), "talk.mp4", {}, 1000)
    rows.change(table, table.c.event_id == event_id, created_at=rows.ago(created))
    rows.change(jobs_table, jobs_table.c.id == job, updated_at=rows.ago(created))
    return job


@pytest.mark.parametrize("status", [400, 413])
def test_news_that_the_sink_refuses_for_good_are_set_aside_and_told_of_until_an_operator_sends_them(
    sink: Sink, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    done, other = finished(), uploaded()
    sink.statuses[done] = status
    for _ in range(3):
        rows.change(table, table.c.job_id == done, tried_at=rows.ago(10**6))
        main.tick()
    assert (len(sink.refused), [event.subject for event in sink.received]) == (1, [other])
    assert [record.levelname for record in caplog.records if "set aside" in record.message] == ["ERROR"]
    (found,) = administration.refused_page(RefusedQuery()).items
    assert [found.data] == [row.data for row in rows.messages(done) if row.event_id == found.id]
    assert (found.job_id, str(status) in found.reason, found.set_aside_at is not None) == (done, True, True)

    del sink.statuses[done]
    assert administration.send_again(WhichEvents(ids=[found.id]), Actor("anna")).wanted == 1
    main.tick()
    assert [event.subject for event in sink.received] == [other, done]
    assert administration.refused_page(RefusedQuery()).items == []
    assert administration.acts(AuditQuery(action="events.sent-again")).items[0].target == {
        "ids": [found.id],
        "count": 1,
    }


def test_work_that_was_refused_is_not_set_aside_while_somebody_may_be_at_it(sink: Sink) -> None:
    """Should whoever works on it die, nothing else would have the job converted."""
    job = uploaded()
    sink.statuses[job] = 413
    rows.change(jobs_table, jobs_table.c.id == job, state="converting", lease_until=rows.ago(-30), fencing_token=1)
    row = rows.messages(job)[0]
    events._set_aside(row, outbox.send(row.event_id))
    assert (rows.read(job).state, rows.messages(job)[0].set_aside_at) == ("converting", None)


def finished() -> str:
    """A job that is done, and whose owner is to be told."""
    job = uploaded()
    claim = claims.claim(job)
    assert claim
    event_id = transitions.finish(claim, Audio(10, "ab" * 32, 1.5))
    rows.change(table, table.c.event_id == event_id, created_at=rows.ago(60))
    return job
