"""What a deployment tells of itself: one trace for a job, metrics that outlast their process, and a discreet log."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from events.wire import write
from tests.e2e.alone import serving, sign_up
from tests.e2e.test_large_headers import alone
from tests.e2e.test_traces import TICK, upload
from tests.patience import PATIENCE, eventually
from tests.servers import RabbitMQ
from tests.servers.collector import Collector, KeptSpan
from tests.system import Audiolift, User
from tests.unit.sink import Sink

__all__ = ["alone"]

TRACE, CLIENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = {"traceparent": f"00-{TRACE}-{CLIENT}-01", "tracestate": "congo=t61rcWkgMzE"}
STEPS = {
    ("gateway", "POST /v1/jobs"),
    ("upload", "POST /v1/jobs"),
    ("upload", "send dev.audiolift.video.uploaded.v1"),
    ("convert", "process dev.audiolift.video.uploaded.v1"),
    ("convert", "convert"),
    ("convert", "engine"),
    ("convert", "send dev.audiolift.audio.created.v1"),
    ("notify", "process dev.audiolift.audio.created.v1"),
    ("notify", "tell by mail"),
}
SECRET_NAME = "our-holiday-in-greece"


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Where everything is exported to."""
    with Collector() as running:
        yield running


@pytest.fixture(params=["the broker in the runner", "RabbitMQ"])
def broker(request: pytest.FixtureRequest) -> dict[str, str]:
    """What leads to one of the two brokers of one machine."""
    if request.param == "RabbitMQ":
        rabbitmq: RabbitMQ = request.getfixturevalue("rabbitmq")
        return {"RABBITMQ_URL": rabbitmq.url}
    return {}


def test_a_job_is_one_trace_from_the_clients_request_to_the_mail_and_its_log_says_nothing_private(
    collector: Collector, broker: dict[str, str], tmp_path: Path, video: Path
) -> None:
    running = Audiolift(tmp_path, {**collector.environment(), **broker, "LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG"})
    try:
        user = running.user()
        job = uploaded(user, video)
        assert user.wait(job)["state"] == "done"
        user.wait_for_mails(1)
        eventually(lambda: {(span.service, span.name) for span in collector.of(TRACE)} >= STEPS, "every step")
    finally:
        running.stop()
    assert broken(collector.of(TRACE)) == []
    assert not [span for span in collector.of(TRACE) if span.status == 2]
    check_metrics(collector)
    private = (user.email, user.email.partition("@")[0], SECRET_NAME, user.tokens["access_token"])
    said = "\n".join(running.output) + repr(collector.bodies)
    assert [word for word in private if word in said] == []
    check_lines(running.output, job)


def test_an_event_that_sweep_sends_again_still_belongs_to_its_trace(
    collector: Collector, alone: dict[str, str]
) -> None:
    told = {**alone, **collector.environment()}
    with serving("login", told) as (_, login), serving("upload", told) as (_, uploading):
        job = upload({"login": login, "upload": uploading}, b"no video", SAMPLED)
        eventually(lambda: "POST /v1/jobs" in {span.name for span in collector.of(TRACE)}, "the upload is told of")
    age(alone, job)
    with Sink() as sink, serving("sweep", {**told, "K_SINK": sink.url}) as (process, sweep):
        assert sweep.post("/", headers=write(TICK)[0]).status_code == 204
        assert [each.subject for each in sink.received] == [job]
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
    assert broken(collector.of(TRACE)) == []
    assert ("sweep", "send dev.audiolift.video.uploaded.v1") in {(each.service, each.name) for each in collector.spans}
    # The gauges are those of the tick; what had not been exported yet when the process was told to stop, is now.
    assert collector.latest("audiolift.jobs", state="queued") == 1
    assert collector.latest("audiolift.outbox.waiting") == 1
    assert collector.latest("audiolift.queue.age") is not None


def test_the_last_metrics_are_sent_when_a_process_is_told_to_stop(collector: Collector, alone: dict[str, str]) -> None:
    never = collector.environment(soon=3_600_000)
    with serving("login", {**alone, **never}) as (process, login):
        sign_up(login)
        login.get("/v1/nowhere")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert collector.latest("audiolift.starts") == 1
    assert collector.latest("audiolift.refusals", problem="not-found") == 1
    assert collector.latest("audiolift.refusals", problem="quota-exceeded") == 0
    assert collector.latest("http.server.request.duration", **{"http.route": "/v1/users"}) == 1
    assert {span.name for span in collector.spans} >= {"POST /v1/users", "POST /v1/token"}


def test_a_collector_that_is_away_holds_up_neither_answers_nor_the_end(alone: dict[str, str]) -> None:
    with serving("login", {**alone, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}) as (process, login):
        sign_up(login)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def uploaded(user: User, video: Path) -> str:
    """Upload a video as a client that traces. Returns: the job's id."""
    headers = {"Content-Type": "video/mp4", **SAMPLED}
    query = {"filename": f"{SECRET_NAME}.mp4"}
    answer = user.http.post("/v1/jobs", params=query, content=video.read_bytes(), headers=headers)
    return str(answer.raise_for_status().json()["id"])


def broken(spans: list[KeptSpan]) -> list[KeptSpan]:
    """The spans whose parent is neither the client's request nor another span of the trace."""
    known = {CLIENT, *(span.id for span in spans)}
    return [span for span in spans if span.parent not in known]


def check_metrics(collector: Collector) -> None:
    """What was counted on the way."""
    assert collector.latest("audiolift.notices", channel="mail", outcome="sent") == 1
    assert collector.latest("audiolift.conversion.duration") == 1
    assert collector.latest("audiolift.lease.takeovers") == 0
    started = {point.service for point in collector.points if point.name == "audiolift.starts" and point.value == 1}
    assert started >= {"gateway", "login", "upload", "convert", "notify"}


def check_lines(output: list[str], job: str) -> None:
    """Each line of a function is an object, and those about the job are found by its id and by its trace."""
    lines = [json.loads(line.partition(": ")[2]) for line in output if ": {" in line]
    about = [line for line in lines if line.get("job_id") == job]
    assert {line["service"] for line in about} >= {"convert", "notify"}
    assert {line["trace_id"] for line in about} == {TRACE}
    assert all({"time", "level", "service", "logger", "message"} <= line.keys() for line in lines)


def age(alone: dict[str, str], job: str) -> None:
    """Let time pass: who has just written an event is about to send it."""
    with (
        closing(sqlite3.connect(alone["DATABASE_URL"].removeprefix("sqlite:///"), timeout=PATIENCE)) as connection,
        connection,
    ):
        connection.execute("UPDATE outbox SET created_at = '2020-01-01 00:00:00.000000' WHERE job_id = ?", (job,))
