"""functions/shared/outbox.py: events on their way to the sink."""

from __future__ import annotations

import json
import threading

import pytest

from events.wire import Envelope
from functions.shared import database, outbox, trace
from functions.shared.jobs import claims, transitions
from functions.shared.publisher import Outcome, publish
from functions.shared.reasons import Failure
from functions.shared.tables import outbox as table
from tests.unit import rows
from tests.unit.sink import Sink

pytestmark = pytest.mark.usefixtures("tables")

TRACE = trace.Trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "congo=t61rcWkgMzE,rojo@x=a b")
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


@pytest.mark.parametrize(
    ("status", "outcome", "for_good"),
    [
        *((status, Outcome.AWAY, False) for status in (404, 408, 409, 425, 429, 500, 501, 503)),
        *((status, Outcome.REFUSED, False) for status in (301, 307, 401, 403, 405)),
        *((status, Outcome.REFUSED, True) for status in (400, 413, 415, 422, 431)),
    ],
)
def test_an_event_that_the_sink_does_not_take_stays_unsent(
    sink: Sink, status: int, outcome: Outcome, for_good: bool
) -> None:
    sink.status = status
    job, event_id = queued()
    answer = outbox.send(event_id)
    assert (answer.outcome, answer.for_good, str(status) in answer.reason) == (outcome, for_good, True)
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


@pytest.mark.parametrize("content_type", ["text/plain\r\nX-Evil: 1", "text/\u4f60"])
def test_an_event_that_cannot_be_sent_by_http_is_refused_for_good(sink: Sink, content_type: str) -> None:
    answer = publish(EVENT.with_attributes(datacontenttype=content_type))
    assert (answer.outcome, answer.for_good, sink.requests) == (Outcome.REFUSED, True, [])


def test_an_event_of_a_type_that_this_release_does_not_know_is_refused_and_kept(sink: Sink) -> None:
    job, event_id = queued()
    rows.change(table, table.c.event_id == event_id, type="dev.audiolift.audio.admired.v1")
    answer = outbox.send(event_id)
    assert (answer.outcome, answer.for_good, sink.requests) == (Outcome.REFUSED, False, [])
    assert rows.messages(job)[0].sent_at is None


def test_an_event_carries_the_trace_of_its_request_as_attributes_and_as_http_headers(sink: Sink) -> None:
    with trace.following(TRACE):
        _, event_id = queued()
    outbox.send(event_id)
    headers = {name.lower(): value for name, value in sink.requests[0][0].items()}
    assert [headers[name] for name in ("traceparent", "tracestate", "ce-traceparent")] == [*TRACE, TRACE.traceparent]
    assert trace.of(sink.received[0].attributes) == TRACE


def test_an_event_without_a_request_goes_on_in_the_trace_of_the_jobs_event_before_it(sink: Sink) -> None:
    with trace.following(TRACE):
        job, _ = queued()
    transitions.fail(job, Failure("gave-up"))
    again = transitions.retry(job)
    assert again
    outbox.send(again)
    assert trace.of(sink.received[0].attributes) == TRACE


def test_a_new_request_begins_a_new_trace(sink: Sink) -> None:
    other = TRACE._replace(traceparent=TRACE.traceparent.replace("4b", "5c"), tracestate=None)
    with trace.following(TRACE):
        job, _ = queued()
    transitions.cancel(job)
    with trace.following(other):
        again = transitions.retry(job)
    assert again
    outbox.send(again)
    assert trace.of(sink.received[0].attributes) == other


def test_an_event_without_any_trace_has_none(sink: Sink) -> None:
    _, event_id = queued()
    outbox.send(event_id)
    assert not {name.lower() for name in sink.requests[0][0]} & {"traceparent", "tracestate", "ce-traceparent"}


def queued(filename: str = "talk.mp4") -> tuple[str, str]:
    """A job that was just uploaded, and the id of its event."""
    job = rows.job("receiving")
    return job, transitions.queue(claims.claim_upload(job), filename, {}, 1000)
