"""functions.upload.submitted: from another system's event to a job, in two steps that may each come twice or die."""

from __future__ import annotations

import json
import socket
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import functions.upload.admission as admission
from events.catalogue import FROM_RABBITMQ, VideoSubmitted
from events.codec import encode
from events.errors import EventError
from events.wire import Envelope
from functions.shared import audit, database, suspension
from functions.shared.blobs import Blobs
from functions.shared.jobs import claims, leases, names, transitions
from functions.shared.jobs.states import State
from functions.shared.problems import Unavailable
from functions.shared.tables import jobs as table
from functions.upload.fetching import fetch_for
from functions.upload.submitted import on_submitted
from tests.patience import eventually
from tests.unit import rows
from tests.unit.sink import Sink
from tests.unit.test_fetch import VIDEO, serving

SOURCE = "/systems/cms"


@pytest.fixture
def owner(tables: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """The user whom the trusted source submits for."""
    monkeypatch.setenv("TRUSTED_SOURCES", json.dumps({SOURCE: "cms@example.com"}))
    monkeypatch.setenv("FETCH_ALLOWED_NETWORKS", "127.0.0.0/8")
    return rows.user("cms@example.com")


def submitted(url: str = "http://127.0.0.1:1/talk.mp4", source: str = SOURCE, **data: Any) -> Envelope:
    event_id, now = uuid.uuid4().hex, datetime.now(UTC)
    return encode(VideoSubmitted, {"url": url, **data}, id=event_id, source=source, subject="article-1", time=now)


def ids() -> list[str]:
    """Of all jobs."""
    with database.reading() as connection:
        return list(connection.execute(sa.select(table.c.id)).scalars())


def the_job() -> Any:
    """The only job."""
    return rows.read(*ids())


@pytest.mark.parametrize("data", [{"filename": "\ud800.mp4"}, {"options": {"title": "\udfff"}}, {"\ud800": 1}])
def test_text_that_no_database_takes_is_refused_and_does_not_count_as_an_outage(
    owner: str, sink: Sink, data: dict[str, Any]
) -> None:
    with pytest.raises(EventError):
        on_submitted(submitted(**data))
    plain = submitted(**data).with_attributes(type=FROM_RABBITMQ)
    with pytest.raises(EventError):
        on_submitted(plain)
    assert ids() == []


def test_it_becomes_a_job_of_the_sources_owner_and_an_event_of_our_own(owner: str, sink: Sink) -> None:
    on_submitted(submitted(filename="Vortrag.mp4", options={"quality": 4}))
    job = the_job()
    assert (job.user_id, job.state, job.filename, job.options) == (owner, "receiving", "Vortrag.mp4", {"quality": 4})
    assert [(event.type, event.source, event.subject) for event in sink.received] == [
        (VideoSubmitted.TYPE, "/audiolift/upload", job.id)
    ]


@pytest.mark.usefixtures("owner")
def test_the_same_event_any_number_of_times_is_one_job(sink: Sink) -> None:
    event = submitted()
    for _ in range(3):
        on_submitted(event)
    assert len(ids()) == 1
    assert len(sink.received) == 1


@pytest.mark.usefixtures("owner", "sink")
@pytest.mark.parametrize(
    "event",
    [
        submitted(source="/systems/other"),
        submitted(source="/SYSTEMS/CMS"),
        submitted(options={"quality": 99}),
        submitted(url="http://example.com/" + "x" * 3000),
        Envelope({**submitted().attributes}, b"{}"),
        Envelope({**submitted().attributes, "type": "dev.audiolift.video.submitted.v2"}, submitted().data),
    ],
)
def test_what_is_not_trusted_or_not_sound_is_refused_and_makes_no_job(event: Envelope) -> None:
    with pytest.raises(EventError):
        on_submitted(event)
    assert ids() == []


QUEUE = "/apis/v1/namespaces/audiolift/rabbitmqsources/video-submitted#audiolift.video-submitted"


def plain(body: bytes, source: str = QUEUE, id: str = "m-1") -> Envelope:
    """What Knative's RabbitmqSource makes of a message that is no event."""
    attributes = {"specversion": "1.0", "id": id, "type": FROM_RABBITMQ, "source": source, "subject": id}
    return Envelope(attributes, body)


@pytest.mark.parametrize(
    "body",
    [
        {"url": "http://127.0.0.1:1/talk.mp4", "options": {"quality": 4}},
        {"url": "http://127.0.0.1:1/talk.mp4", "options": {"quality": 4}, "specversion": "1.0"},
        {
            **{"specversion": "1.0", "id": "7", "source": "/audiolift/upload", "type": VideoSubmitted.TYPE},
            "data": {"url": "http://127.0.0.1:1/talk.mp4", "options": {"quality": 4}},
        },
    ],
)
def test_a_message_that_is_no_event_becomes_a_job_of_its_queues_owner(
    owner: str, sink: Sink, monkeypatch: pytest.MonkeyPatch, body: dict[str, Any]
) -> None:
    monkeypatch.setenv("TRUSTED_SOURCES", json.dumps({QUEUE: "cms@example.com"}))
    for _ in range(2):
        on_submitted(plain(json.dumps(body).encode()))
    job = the_job()
    assert (job.user_id, job.state, job.options) == (owner, "receiving", {"quality": 4})
    assert [event.source for event in sink.received] == ["/audiolift/upload"]


@pytest.mark.usefixtures("owner", "sink")
@pytest.mark.parametrize(
    ("body", "source"),
    [
        (b"rubbish", QUEUE),
        (b"\x00\xff", QUEUE),
        (b"[]", QUEUE),
        (b"{}", QUEUE),
        (b'{"url": 7}', QUEUE),
        (b'{"url": "http://127.0.0.1:1/talk.mp4"}', "/other"),
        (b'{"url": "http://127.0.0.1:1/talk.mp4"}', "/audiolift/upload"),
        (b'{"specversion": "1.0", "id": "7", "source": "/systems/cms", "type": "other", "data": {}}', QUEUE),
        (submitted().data.replace(b"{", b'{"source": "%b", ' % SOURCE.encode()), "/other"),
    ],
)
def test_a_message_that_is_no_submission_or_of_a_queue_that_is_not_trusted_is_refused(
    monkeypatch: pytest.MonkeyPatch, body: bytes, source: str
) -> None:
    monkeypatch.setenv("TRUSTED_SOURCES", json.dumps({QUEUE: "cms@example.com", SOURCE: "cms@example.com"}))
    with pytest.raises(EventError):
        on_submitted(plain(body, source))
    assert ids() == []


@pytest.mark.usefixtures("owner")
def test_an_event_that_claims_to_be_ours_can_only_hurry_on_a_job_that_is_there(sink: Sink) -> None:
    on_submitted(submitted(source="/audiolift/upload"))
    assert ids() == []
    assert sink.received == []


@pytest.mark.usefixtures("owner")
def test_the_url_is_fetched_and_the_job_queued(sink: Sink, store: Blobs) -> None:
    with serving("127.0.0.1") as base:
        on_submitted(submitted(f"{base}/video"))
        on_submitted(sink.received[0])
    job = the_job()
    assert (job.state, job.video_bytes, job.attempts) == ("queued", len(VIDEO), 0)
    assert b"".join(store.read(job.video, 0, len(VIDEO))) == VIDEO
    assert sink.received[-1].type == "dev.audiolift.video.uploaded.v1"


@pytest.mark.usefixtures("owner", "store")
def test_a_url_that_cannot_be_had_fails_the_job_and_says_why(sink: Sink) -> None:
    with serving("127.0.0.1") as base:
        on_submitted(submitted(f"{base}/status/404"))
        on_submitted(sink.received[0])
    job = the_job()
    assert (job.state, job.error_code) == ("failed", "unreachable")
    assert sink.received[-1].type == "dev.audiolift.conversion.failed.v1"


@pytest.mark.usefixtures("owner", "store")
@pytest.mark.parametrize(("data", "named"), [({"qualty": 1}, "'qualty'"), ({"options": {"qualty": 1}}, "`qualty`")])
def test_what_is_nothing_that_can_be_asked_for_is_named_in_the_refusal(data: dict[str, Any], named: str) -> None:
    with pytest.raises(EventError, match=named):
        on_submitted(submitted(**data))
    assert ids() == []


@pytest.mark.usefixtures("owner", "store")
def test_a_job_that_another_delivery_is_fetching_is_left_alone(sink: Sink) -> None:
    on_submitted(submitted())
    job_id = the_job().id
    claim = claims.claim_fetch(job_id)
    assert claim
    with leases.heartbeat(claim):
        fetch_for(job_id)
    assert (the_job().state, the_job().attempts) == ("receiving", 1)
    rows.change(table, table.c.id == job_id, lease_until=rows.ago(1))
    assert claims.claim_fetch(job_id)


@pytest.mark.usefixtures("owner", "store")
def test_a_fetch_that_was_overtaken_queues_nothing(sink: Sink, tmp_path: Path) -> None:
    on_submitted(submitted())
    job_id = the_job().id
    old = claims.claim_fetch(job_id)
    assert old
    rows.change(table, table.c.id == job_id, lease_until=rows.ago(1))
    assert claims.claim_fetch(job_id)
    with pytest.raises(claims.ClaimLost):
        transitions.queue(old, "talk.mp4", {}, 1)


@pytest.mark.usefixtures("owner", "store")
def test_a_failed_fetch_is_retried_from_the_url_and_a_cancelled_one_stops(sink: Sink) -> None:
    with serving("127.0.0.1") as base:
        on_submitted(submitted(f"{base}/status/404"))
        fetch_for(the_job().id)
    assert transitions.retry(the_job().id)
    assert the_job().state == "receiving"
    assert transitions.cancel(the_job().id)
    fetch_for(the_job().id)
    assert the_job().state == "cancelled"


@pytest.mark.usefixtures("owner", "sink")
def test_a_fetch_that_was_overtaken_leaves_the_video_of_the_other_as_it_is(store: Blobs) -> None:
    with serving("127.0.0.1") as base:
        on_submitted(submitted(f"{base}/video"))
        job_id = the_job().id
        stale = claims.claim_fetch(job_id)
        assert stale
        rows.change(table, table.c.id == job_id, lease_until=rows.ago(1))
        fetch_for(job_id)
    with store.writing(stale.video) as writer:
        writer.write(b"what the stale one got")
    with pytest.raises(claims.ClaimLost):
        transitions.queue(stale, "talk.mp4", {}, 22)
    assert the_job().video == names.video(job_id, 2)
    assert b"".join(store.read(the_job().video, 0, len(VIDEO))) == VIDEO


@pytest.mark.usefixtures("owner", "sink", "store")
def test_a_lease_is_kept_while_the_videos_server_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.shared.jobs.leases.LOOK_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(1) as pool:
        on_submitted(submitted(f"http://127.0.0.1:{silent.getsockname()[1]}/talk.mp4"))
        job_id = the_job().id
        fetching = pool.submit(fetch_for, job_id)
        caller, _ = silent.accept()
        first = the_job().lease_until
        eventually(lambda: the_job().lease_until > first, "a lease that was renewed without a byte")
        with caller:
            caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nvideo")
        fetching.result()
    assert (the_job().state, the_job().video_bytes) == (State.QUEUED, 5)


@pytest.mark.usefixtures("owner")
def test_while_too_many_jobs_wait_the_broker_keeps_the_event_and_no_job_is_opened(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_QUEUED_JOBS", "2")
    monkeypatch.setattr(admission, "FRESH_SECONDS", 0.0)
    waiting = [rows.job("queued") for _ in range(2)]
    event, known = submitted(), ids()
    with pytest.raises(Unavailable):
        on_submitted(event)
    assert (ids(), sink.received) == (known, [])
    assert transitions.cancel(waiting[0])
    on_submitted(event)
    assert len(ids()) == 3
    on_submitted(event)
    assert len(sink.received) == 1


def test_a_source_whose_owner_is_suspended_is_not_trusted(owner: str, sink: Sink) -> None:
    suspension.suspend(owner, audit.COMMAND_LINE)
    with pytest.raises(EventError):
        on_submitted(submitted())
    suspension.resume(owner, audit.COMMAND_LINE)
    on_submitted(submitted())
    assert len(ids()) == 1
