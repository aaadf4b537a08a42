"""One trace from the request that uploads a video to the last event of its job: over real processes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from events.wire import Envelope, write
from tests.e2e.alone import serving, sign_up
from tests.e2e.inside import rows
from tests.e2e.test_large_headers import alone
from tests.patience import PATIENCE, eventually
from tests.system import Audiolift, User
from tests.unit.sink import Sink

__all__ = ["alone"]

TRACE = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "congo=t61rcWkgMzE"}
HOSTILE = {"traceparent": "00-evil\xff", "tracestate": "a=\x80"}
TICK = Envelope({"id": "1", "source": "/ping", "type": "dev.knative.sources.ping", "specversion": "1.0"}, b"")
OTHER = {"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-00"}

Functions = Mapping[str, httpx.Client]


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    """The broker's place: what every function emits comes here, and goes no further by itself."""
    with Sink() as running:
        yield running


@pytest.fixture(scope="module")
def functions(alone: dict[str, str], sink: Sink) -> Iterator[Functions]:
    """Every function that a job passes through, in a process of its own."""
    names = ("login", "upload", "convert", "notify", "sweep")
    with ExitStack() as stack:
        told = {**alone, "K_SINK": sink.url}
        yield {name: stack.enter_context(serving(name, told))[1] for name in names}


@pytest.mark.parametrize("carrier", ["attributes", "HTTP headers"])
def test_every_event_of_a_job_carries_the_trace_of_the_request_that_caused_it(
    functions: Functions, alone: dict[str, str], sink: Sink, video: Path, carrier: str
) -> None:
    job = upload(functions, video.read_bytes(), TRACE)
    uploaded = arrival(sink, job, "dev.audiolift.video.uploaded.v1")
    assert deliver(functions["convert"], uploaded, carrier) == 204
    created = arrival(sink, job, "dev.audiolift.audio.created.v1")
    lose(alone, job)
    # The tick has a trace of its own, which is not the job's.
    assert functions["sweep"].post("/", headers={**write(TICK)[0], **OTHER}).status_code == 204
    again = arrival(sink, job, "dev.audiolift.audio.created.v1", 1)
    assert deliver(functions["notify"], again, carrier) == 204
    assert [trace_of(event) for event in (uploaded, created, again)] == [TRACE] * 3


def test_a_failure_and_a_retry_by_a_request_without_a_trace_stay_in_that_of_the_job(
    functions: Functions, sink: Sink
) -> None:
    job = upload(functions, b"no video", TRACE)
    uploaded = arrival(sink, job, "dev.audiolift.video.uploaded.v1")
    assert deliver(functions["convert"], uploaded, "attributes") == 204
    failed = arrival(sink, job, "dev.audiolift.conversion.failed.v1")
    functions["upload"].post(f"/v1/jobs/{job}/retry").raise_for_status()
    again = arrival(sink, job, "dev.audiolift.video.uploaded.v1", 1)
    assert [trace_of(event) for event in (failed, again)] == [TRACE] * 2


def test_a_retry_has_the_trace_of_its_own_request(functions: Functions, sink: Sink) -> None:
    job = upload(functions, b"no video", TRACE)
    deliver(functions["convert"], arrival(sink, job, "dev.audiolift.video.uploaded.v1"), "attributes")
    functions["upload"].post(f"/v1/jobs/{job}/retry", headers=OTHER).raise_for_status()
    assert trace_of(arrival(sink, job, "dev.audiolift.video.uploaded.v1", 1)) == OTHER


def test_what_a_dead_letter_causes_stays_in_the_trace_of_its_job(functions: Functions, sink: Sink) -> None:
    job = upload(functions, b"no video", TRACE)
    event = arrival(sink, job, "dev.audiolift.video.uploaded.v1").with_attributes(knativeerrorcode="500")
    headers, body = write(event)
    assert functions["sweep"].post("/", headers={**headers, **OTHER}, content=body).status_code == 204
    assert trace_of(arrival(sink, job, "dev.audiolift.conversion.failed.v1")) == TRACE


def test_a_hostile_trace_is_dropped_without_a_word(functions: Functions, sink: Sink) -> None:
    job = upload(functions, b"no video", HOSTILE)
    uploaded = arrival(sink, job, "dev.audiolift.video.uploaded.v1")
    assert trace_of(uploaded) == {}
    headers, body = write(uploaded)
    hostile = {**headers, **HOSTILE, "ce-traceparent": "x"}
    assert functions["convert"].post("/", headers=encoded(hostile), content=body).status_code == 204
    assert trace_of(arrival(sink, job, "dev.audiolift.conversion.failed.v1")) == {}


def test_it_passes_the_gateway_the_broker_and_all_functions_of_a_running_system(
    audiolift: Audiolift, user: User, video: Path
) -> None:
    headers = {"Content-Type": "video/mp4", **TRACE}
    job = user.http.post("/v1/jobs", content=video.read_bytes(), headers=headers).raise_for_status().json()["id"]
    assert user.wait(job)["state"] == "done"
    found = rows(audiolift, "SELECT type, traceparent, tracestate FROM outbox WHERE job_id = ?", job)
    assert len(found) == 2
    assert {(row["traceparent"], row["tracestate"]) for row in found} == {tuple(TRACE.values())}


def upload(functions: Functions, video: bytes, trace: Mapping[str, str]) -> str:
    """Upload a video as somebody new. Returns: the job's id."""
    functions["upload"].headers.update(sign_up(functions["login"]))
    headers = encoded({"Content-Type": "video/mp4", **trace})
    answer = functions["upload"].post("/v1/jobs", content=video, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def arrival(sink: Sink, job: str, event_type: str, after: int = 0) -> Envelope:
    """The event of a job as it came to the sink, after so many of its type."""

    def found() -> list[Envelope]:
        return [event for event in sink.received if (event.subject, event.type) == (job, event_type)][after:]

    arrived: list[Envelope] = eventually(found, f"{event_type} of {job}")
    return arrived[0]


def deliver(client: httpx.Client, event: Envelope, carrier: str) -> int:
    """Post an event as a dispatcher does, its trace in one place only. Returns: the answer's status."""
    headers, body = write(event)
    if carrier == "HTTP headers":
        headers = {name.removeprefix("ce-") if "trace" in name else name: value for name, value in headers.items()}
    return client.post("/", headers=headers, content=body).status_code


def encoded(headers: Mapping[str, str]) -> dict[bytes, bytes]:
    """Headers as bytes, which a client takes as they are."""
    return {name.encode(): value.encode("latin-1") for name, value in headers.items()}


def trace_of(event: Envelope) -> dict[str, str]:
    return {name: value for name, value in event.attributes.items() if name.startswith("trace")}


def lose(alone: dict[str, str], job: str) -> None:
    """Have the broker lose the last event of a job, long ago."""
    path = alone["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=PATIENCE)) as connection, connection:
        unsettled = "UPDATE outbox SET sent_at = '2020-01-01 00:00:00.000000' WHERE job_id = ? AND settled_at IS NULL"
        assert connection.execute(unsettled, (job,)).rowcount == 1
