"""Events of other systems: by HTTP to the real ingress, and by RabbitMQ through the real adapter."""

from __future__ import annotations

import json
import signal
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from events.catalogue import AudioCreated
from tests import media
from tests.knative.checks import attributes, check_told_once, jobs, names
from tests.knative.outside import publish, tapped, video_server
from tests.knative.plane import CMS, QUEUE_OWNER, Plane
from tests.patience import eventually
from tests.system import User

EXCHANGE = "audiolift.video-submitted"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
Message = tuple[bytes, dict[str, Any]]


@pytest.fixture(scope="module")
def owners(plane: Plane) -> list[User]:
    """Those whose jobs other systems submit."""
    return [plane.user(email) for email in (CMS, QUEUE_OWNER)]


@pytest.fixture(scope="module")
def videos(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a short video, on a web server that the pods can reach."""
    sound = media.make(tmp_path_factory.mktemp("videos") / "audio-only.ogg")
    with video_server(plane.network.machine, sound.parent) as url:
        yield f"{url}/{sound.name}"


def submission(url: str, title: str) -> bytes:
    return json.dumps({"url": url, "filename": title}).encode()


def binary(event_id: str, prefix: str = "ce-") -> dict[str, str]:
    headers = {f"{prefix}{name}": value for name, value in attributes(event_id).items()}
    return {**headers, "content-type": "application/json"}


def message(url: str, title: str) -> Message:
    """A CloudEvent in AMQP's headers, as docs/emit.md has it."""
    headers = binary(uuid.uuid4().hex, prefix="")
    return submission(url, title), {"headers": headers, "content_type": "application/json"}


def structured(url: str, title: str) -> Message:
    event = {**attributes(uuid.uuid4().hex), "data": {"url": url, "filename": title}}
    return json.dumps(event).encode(), {"content_type": "application/cloudevents+json"}


def plain(url: str, title: str) -> Message:
    return submission(url, title), {"content_type": "application/json", "message_id": uuid.uuid4().hex}


def test_an_event_that_comes_twice_by_http_is_one_job(plane: Plane, owners: list[User], videos: str) -> None:
    (title,) = names(1)
    for _ in range(2):
        assert plane.send(binary(title), submission(videos, title)).status_code == 202
    check_told_once(plane, CMS, [title])


@pytest.mark.parametrize(("made", "owner"), [(message, CMS), (structured, CMS), (plain, QUEUE_OWNER)])
def test_a_message_in_rabbitmq_becomes_an_mp3(
    plane: Plane, owners: list[User], videos: str, made: Any, owner: str
) -> None:
    (title,) = names(1)
    publish(plane.rabbitmq_url, EXCHANGE, made(videos, title))
    check_told_once(plane, owner, [title])


@pytest.mark.parametrize("prefix", ["cloudEvents:", "cloudEvents_"])
def test_an_event_with_the_prefixes_of_the_amqp_binding_is_not_lost(
    plane: Plane, owners: list[User], videos: str, prefix: str
) -> None:
    """The adapter does not know them, and brings a message with them as one that is no event."""
    (title,) = names(1)
    headers = {name: value for name, value in binary(title, prefix).items() if name != "content-type"}
    publish(plane.rabbitmq_url, EXCHANGE, (submission(videos, title), {"headers": headers}))
    eventually(lambda: jobs(plane, [title]) or letters(plane, title), "a job, or a record")


def test_a_message_that_is_no_submission_is_recorded(plane: Plane) -> None:
    mark = uuid.uuid4().hex
    publish(plane.rabbitmq_url, EXCHANGE, (mark.encode(), {"content_type": "text/plain"}))
    eventually(lambda: letters(plane, mark), "a record")


def test_what_the_subscriber_cannot_parse_is_recorded_by_sweep(plane: Plane) -> None:
    """A tab is no character of an attribute (CloudEvents 1.0.2, section 3.1), and the ingress takes it."""
    mark = uuid.uuid4().hex
    event = {**attributes(mark), "subject": "a\tb", "data": {"url": f"http://example.com/{mark}"}}
    answer = plane.send({"content-type": "application/cloudevents+json"}, json.dumps(event).encode())
    assert answer.status_code == 202
    eventually(lambda: letters(plane, mark), "a record")


@pytest.mark.parametrize(
    "extensions",
    [{"long": "x" * 9 * 1024}, {f"extension{number}": "x" for number in range(96)}],
    ids=["9 KB", "96 extensions"],
)
def test_an_event_with_large_or_many_headers_is_not_lost(
    plane: Plane, owners: list[User], videos: str, extensions: dict[str, str]
) -> None:
    (title,) = names(1)
    headers = binary(title) | {f"ce-{name}": value for name, value in extensions.items()}
    assert plane.send(headers, submission(videos, title)).status_code == 202
    check_told_once(plane, CMS, [title])


def test_a_trace_goes_on_to_the_event_that_tells_of_the_mp3(plane: Plane, owners: list[User], videos: str) -> None:
    (title,) = names(1)
    with tapped(plane.rabbitmq_url, plane.exchange, AudioCreated.TYPE) as told:
        plane.send({**binary(title), "traceparent": TRACE}, submission(videos, title))
        check_told_once(plane, CMS, [title])
        traces = [headers.get("traceparent", "") for headers, data in told() if title.encode() in data]
    assert traces
    assert {trace[:35] for trace in traces} == {TRACE[:35]}


def test_nothing_good_stays_parked_when_the_ingress_was_away_and_the_adapter_stopped(
    plane: Plane, owners: list[User], videos: str
) -> None:
    titles = names(30)
    plane.ingress.kill()
    publish(plane.rabbitmq_url, EXCHANGE, *(message(videos, title) for title in titles))
    time.sleep(2)
    (adapter,) = [plane.eventing.adapters["video-submitted"]]
    adapter.send(signal.SIGTERM)
    adapter.wait()
    adapter.start()
    plane.ingress.start()
    check_told_once(plane, CMS, titles)


def letters(plane: Plane, mark: str) -> list[dict[str, Any]]:
    """The dead letters that have this somewhere."""
    query = "SELECT * FROM dead_letters WHERE attributes LIKE %s OR data LIKE %s"
    return plane.rows(query, f"%{mark}%", f"%{mark}%")
