"""The local broker: what its ingress takes, and what becomes of an event at each answer of the subscriber."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from functions.shared.proxy import Forwarder
from knative.delivery import Reply
from knative.local import pingsource
from knative.local.cluster import PingSource, Sink
from tests.integration.local_cluster import Place, eventually, publish

INGRESS = "test-broker-ingress"
EVENT = {"ce-id": "1", "ce-source": "/test", "ce-type": "nobody-wants-it", "ce-specversion": "1.0"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


# What the subscriber answers, one status for each delivery, the last one for ever: how often it gets the event, and
# whether the dead-letter sink gets it. The Trigger says retry: 2.
CONTRACT = [
    ([200], 1, False),
    ([204], 1, False),
    ([302], 1, False),
    ([400], 1, False),
    ([401], 1, False),
    ([410], 1, False),
    ([413], 1, False),
    ([425], 1, False),
    ([500, 204], 2, False),
    ([503, 503, 204], 3, False),
    ([429, 400], 2, False),
    ([404], 3, True),
    ([408], 3, True),
    ([409], 3, True),
    ([429], 3, True),
    ([500], 3, True),
    ([599], 3, True),
]


def test_the_status_contract(place: Place) -> None:
    async def scenario() -> list[str]:
        async with place.serving() as (local, session):
            ids = [await publish(session, local.addresses[INGRESS], statuses) for statuses, _, _ in CONTRACT]
            await eventually(lambda: _waiting(place) == 0)
            return ids

    ids = asyncio.run(scenario())
    delivered = Counter(each["id"] for each in place.events("subscriber"))
    buried = Counter(each["id"] for each in place.events("sink"))
    outcome = [(statuses, delivered[id], bool(buried[id])) for id, (statuses, _, _) in zip(ids, CONTRACT, strict=True)]
    assert outcome == CONTRACT


def test_a_subscriber_that_dies_gets_the_event_again(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, session):
            event_id = await publish(session, local.addresses[INGRESS], [0, 204])
            await eventually(lambda: _waiting(place) == 0)
            assert [each["id"] for each in place.events("subscriber")] == [event_id] * 2

    asyncio.run(scenario())


def test_a_dead_letter_says_why(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, session):
            await publish(session, local.addresses[INGRESS], [500])
            await eventually(lambda: place.events("sink"))
            (dead,) = place.events("sink")
            assert dead["knativeerrorcode"] == "500"
            assert dead["knativeerrordest"] == "http://subscriber.audiolift.svc.cluster.local"
            assert dead["knativeerrordata"] == "d2h5"
            assert dead["type"] == "numbers"

    asyncio.run(scenario())


def test_a_dead_letter_is_kept_until_the_sink_takes_it(place: Place) -> None:
    place.make("sink-is-broken")

    async def scenario() -> None:
        async with place.serving() as (local, session):
            await publish(session, local.addresses[INGRESS], [500])
            await eventually(lambda: len(place.events("sink")) >= 2)
            place.remove("sink-is-broken")
            await eventually(lambda: _waiting(place) == 0)

    asyncio.run(scenario())


def test_what_was_not_acknowledged_is_delivered_by_the_next_runner(place: Place) -> None:
    """The first runner is killed at once after the 202, so that most of the events are still waiting."""

    async def publish_some(url: str) -> set[str]:
        async with aiohttp.ClientSession() as session:
            return {await publish(session, url, [204]) for _ in range(20)}

    async def the_rest() -> None:
        async with place.serving():
            await eventually(lambda: _waiting(place) == 0)

    with place.runner() as runner:
        accepted = asyncio.run(publish_some(runner.addresses[INGRESS]))
        runner.process.kill()
        runner.process.wait()
    asyncio.run(the_rest())
    assert {each["id"] for each in place.events("subscriber")} == accepted


def test_a_ping_source_sends_at_every_time_of_its_schedule(place: Place) -> None:
    source = PingSource("often", "* * * * * */1", "UTC", "application/json", b"{}", Sink("Service", "sink"))

    async def scenario() -> None:
        async with place.serving() as (local, _), Forwarder() as forwarder:
            clock = asyncio.create_task(pingsource.run(source, "audiolift", forwarder, local.addresses["sink"]))
            await eventually(lambda: len(place.events("sink")) >= 2)
            clock.cancel()

    asyncio.run(scenario())
    first, second = place.events("sink")[:2]
    assert first["type"] == "dev.knative.sources.ping"
    assert first["id"] != second["id"]


def test_a_ping_source_goes_on_when_the_clock_is_set_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    source = PingSource("often", "* * * * * */1", "UTC", "application/json", b"{}", Sink("Service", "sink"))
    ahead = timedelta()

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + ahead

    monkeypatch.setattr(pingsource, "datetime", Clock)

    async def scenario() -> None:
        nonlocal ahead
        async with place.serving() as (local, _), Forwarder() as forwarder:
            clock = asyncio.create_task(pingsource.run(source, "audiolift", forwarder, local.addresses["sink"]))
            await eventually(lambda: place.events("sink"))
            ahead = timedelta(hours=-1)
            count = len(place.events("sink"))
            # One may have been on its way.
            await eventually(lambda: len(place.events("sink")) >= count + 2)
            clock.cancel()

    asyncio.run(scenario())


def test_one_event_that_fails_does_not_hold_up_the_others(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, session):
            for statuses in ([500], [500], [500], [204]):
                last = await publish(session, local.addresses[INGRESS], statuses)
            await eventually(lambda: last in [each["id"] for each in place.events("subscriber")])

    asyncio.run(scenario())


def test_the_ingress_takes_events_only(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, session):
            url = local.addresses[INGRESS]
            assert await _post(session, url + "/", EVENT) == 202
            assert await _post(session, url + "/other", EVENT) == 404
            assert await _post(session, url + "/", {"ce-id": "1"}) == 400
            assert (
                await _post(session, url + "/", {**EVENT, "content-type": "application/cloudevents-batch+json"}) == 400
            )
            assert await _post(session, url + "/", EVENT, bytes(1024 * 1024 + 1)) == 413
            async with session.get(url + "/") as answer:
                assert (answer.status, answer.headers.get("Allow")) == (405, "POST")

    asyncio.run(scenario())


# What is a time (CloudEvents 1.0.2, section 3.1.2), as the SDK sees it by which Knative's ingress reads events.
TIMES = {
    "2026-11-21T09:30:00Z": 202,
    "2026-11-21T09:30:00.123456789+05:30": 202,
    "2024-02-29T23:59:59-23:59": 202,
    "0001-01-01T00:00:00Z": 202,
    "yesterday": 400,
    "": 400,
    "2026-11-21": 400,
    "2026-11-21T09:30:00": 400,
    "2026-11-21 09:30:00Z": 400,
    "20261121T093000Z": 400,
    "2026-W47-6T09:30:00Z": 400,
    "2026-02-29T09:30:00Z": 400,
    "2026-11-21T24:00:00Z": 400,
    "2026-11-21T09:30:00+24:00": 400,
    "٢٠٢٦-11-21T09:30:00Z": 400,
}


def test_the_ingress_takes_no_time_that_is_none(place: Place) -> None:
    async def scenario() -> dict[str, tuple[int, int]]:
        async with place.serving() as (local, session):
            url = local.addresses[INGRESS] + "/"
            return {time: (await _binary(session, url, time), await _structured(session, url, time)) for time in TIMES}

    assert asyncio.run(scenario()) == {time: (status, status) for time, status in TIMES.items()}


def test_a_reply_with_a_time_that_is_none_is_lost_as_at_the_ingress() -> None:
    attributes = {**EVENT, "ce-type": "numbers", "content-type": "application/json"}
    assert Reply(200, {**attributes, "ce-time": "2026-11-21T09:30:00Z"}, b"{}").event is not None
    assert Reply(200, {**attributes, "ce-time": "yesterday"}, b"{}").event is None


def test_attributes_that_cannot_be_headers_are_refused(place: Place) -> None:
    """In structured mode they could hold line breaks, and so forge headers of the delivery."""
    forged = {"id": "1", "source": "/x", "type": "numbers", "specversion": "1.0", "subject": "a\r\nX-Evil: 1"}

    async def scenario() -> None:
        async with place.serving() as (local, session):
            headers = {"content-type": "application/cloudevents+json"}
            async with session.post(local.addresses[INGRESS] + "/", json=forged, headers=headers) as answer:
                assert answer.status == 400

    asyncio.run(scenario())


def test_an_event_that_nobody_wants_is_said_to_be_gone(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, session):
            assert await _post(session, local.addresses[INGRESS] + "/", EVENT) == 202

    asyncio.run(scenario())
    assert "no Trigger wants nobody-wants-it of /test: it is gone" in caplog.text


async def _post(session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], body: bytes = b"{}") -> int:
    async with session.post(url, data=io.BytesIO(body), headers=dict(headers)) as answer:
        return answer.status


async def _binary(session: aiohttp.ClientSession, url: str, time: str) -> int:
    return await _post(session, url, {**EVENT, "ce-time": quote(time, safe=" :+")})


async def _structured(session: aiohttp.ClientSession, url: str, time: str) -> int:
    body = json.dumps({name.removeprefix("ce-"): value for name, value in EVENT.items()} | {"time": time})
    return await _post(session, url, {"content-type": "application/cloudevents+json"}, body.encode())


def _waiting(place: Place) -> int:
    """How many events the broker still has on the disk."""
    connection = sqlite3.connect(place.data / "broker.db")
    try:
        return int(connection.execute("SELECT count(*) FROM messages").fetchone()[0])
    finally:
        connection.close()
