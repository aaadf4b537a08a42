"""functions/shared/outbox.py: events on their way to the sink."""

from __future__ import annotations

import json
import threading

import pytest

from events.wire import Envelope
from functions.shared import database, jobs, outbox
from functions.shared.publisher import Outcome, publish
from functions.shared.tables import outbox as table
from tests.unit import rows
from tests.unit.sink import Sink

pytestmark = pytest.mark.usefixtures("tables")

EVENT = Envelope({"id": "1", "source": "/s", "type": "t", "specversion": "1.0"}, b"{}")


def test_an_event_is_posted_with_what_the_job_row_says(sink: Sink) -> None:
    job, event_id = queued("Grüße.mp4")
    assert outbox.send(event_id).outcome is Outcome.SENT
    (event,) = sink.received
    assert (event.id, event.type, event.source) == (event_id, "dev.audiolift.video.uploaded.v1", "/audiolift/upload")
    assert (event.subject, event.attributes["datacontenttype"]) == (job, "application/json")
    assert json.loads(event.data) == {"job_id": job, "filename": "Grüße.mp4", "size_bytes": 1000}


def test_an_event_that_was_taken_is_marked_sent_but_not_settled(sink: Sink) -> None:
    job, event_id = queued()
    outbox.send(event_id)
    (row,) = rows.messages(job)
    assert (row.sent_at is not None, row.attempts, row.settled_at) == (True, 1, None)


def test_an_event_looks_the_same_each_time_it_is_sent(sink: Sink) -> None:
    _, event_id = queued()
    outbox.send(event_id)
    outbox.send(event_id)
    first, second = sink.received
    assert first == second


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_an_event_that_the_sink_does_not_take_stays_unsent(sink: Sink, status: int) -> None:
    sink.status = status
    job, event_id = queued()
    assert outbox.send(event_id).outcome is not Outcome.SENT
    (row,) = rows.messages(job)
    assert (row.sent_at, row.attempts) == (None, 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307])
def test_a_redirect_is_no_acceptance(sink: Sink, status: int) -> None:
    sink.status, sink.headers = status, {"Location": f"{sink.url}/elsewhere"}
    job, event_id = queued()
    assert outbox.send(event_id).outcome is not Outcome.SENT
    assert rows.messages(job)[0].sent_at is None


@pytest.mark.parametrize(
    "url", ["", "http://127.0.0.1:9/", "nonsense", "http://[::1", "ftp://127.0.0.1/", "http://sink.invalid/"]
)
def test_a_sink_that_is_not_there_costs_delay_only(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("K_SINK", url)
    job, event_id = queued()
    assert outbox.send(event_id).outcome is not Outcome.SENT
    assert rows.messages(job)[0].sent_at is None


def test_a_sink_that_does_not_answer_is_given_up(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.shared.publisher.SEND_SECONDS", 0.2)
    sink.hold.clear()
    job, event_id = queued()
    assert outbox.send(event_id).outcome is not Outcome.SENT
    assert rows.messages(job)[0].sent_at is None


def test_a_slow_sink_is_waited_for(sink: Sink) -> None:
    sink.hold.clear()
    _, event_id = queued()
    threading.Timer(0.3, sink.hold.set).start()
    assert outbox.send(event_id).outcome is Outcome.SENT


def test_a_proxy_for_the_outside_world_does_not_get_our_events(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    _, event_id = queued()
    assert outbox.send(event_id).outcome is Outcome.SENT


def test_an_event_that_was_deleted_with_its_job_is_not_sent(sink: Sink) -> None:
    assert outbox.send("0" * 36).outcome is not Outcome.SENT
    assert sink.received == []


def test_a_database_that_is_away_costs_delay_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:////nowhere/at/all.db")
    database.engine.cache_clear()
    assert outbox.send("1").outcome is not Outcome.SENT


def test_only_what_was_never_sent_and_never_settled_is_sent_for_a_job(sink: Sink) -> None:
    job, first = queued()
    outbox.send(first)
    outbox.send_unsent(job)
    assert len(sink.received) == 1

    rows.change(table, table.c.job_id == job, sent_at=None)
    outbox.send_unsent(job)
    assert len(sink.received) == 2

    rows.change(table, table.c.job_id == job, sent_at=None, settled_at=rows.ago(1))
    outbox.send_unsent(job)
    assert len(sink.received) == 2


def test_any_event_can_be_posted_as_it_is(sink: Sink) -> None:
    event = EVENT.with_attributes(subject="Euro € 你", time="2026-11-21T09:30:00Z", datacontenttype="text/plain")
    assert publish(event).outcome is Outcome.SENT
    assert sink.received == [event]


def test_whoever_posts_an_event_learns_that_it_was_not_taken(sink: Sink) -> None:
    sink.status = 503
    assert publish(EVENT).outcome is Outcome.AWAY


def queued(filename: str = "talk.mp4") -> tuple[str, str]:
    """A job that was just uploaded, and the id of its event."""
    job = rows.job("receiving")
    return job, jobs.queue(job, filename, {}, 1000)
