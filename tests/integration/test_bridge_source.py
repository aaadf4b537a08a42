"""The source over a real RabbitMQ: which messages become which events, and where those go that nobody takes."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from events.wire import Envelope
from tests.integration.bridge_world import World, eventually, structured
from tests.servers import RabbitMQ

ATTRIBUTES = {"specversion": "1.0", "id": "7", "source": "/other", "type": "numbers", "subject": "s"}


@pytest.mark.parametrize("prefix", ["", "ce-", "CE-"])
def test_an_event_in_binary_mode_is_taken_as_it_is(rabbitmq: RabbitMQ, prefix: str) -> None:
    headers = {f"{prefix}{name}": value for name, value in ATTRIBUTES.items()}
    event = _delivered(rabbitmq, b"data", headers={**headers, "x-not-an-attribute": "x"}, content_type="text/plain")
    assert {name: event.attributes[name] for name in ATTRIBUTES} == ATTRIBUTES
    assert (event.attributes["datacontenttype"], event.data) == ("text/plain", b"data")


@pytest.mark.parametrize("prefix", ["cloudEvents:", "cloudEvents_"])
def test_the_prefixes_of_the_amqp_binding_are_not_understood_as_with_knative(rabbitmq: RabbitMQ, prefix: str) -> None:
    headers = {f"{prefix}{name}": value for name, value in ATTRIBUTES.items()}
    event = _delivered(rabbitmq, b"data", headers=headers, message_id="m")
    assert (event.id, event.type, event.data) == ("m", "dev.knative.rabbitmq.event", b"data")


def test_an_event_without_id_and_source_gets_a_new_id_and_the_queue(rabbitmq: RabbitMQ) -> None:
    event = _delivered(rabbitmq, b"data", headers={"specversion": "1.0", "type": "numbers"})
    assert uuid.UUID(event.id)
    assert event.source.startswith("/apis/v1/namespaces/")


def test_an_event_of_specversion_0_3_is_passed_on_for_its_sink_to_judge(rabbitmq: RabbitMQ) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world, world.sourcing():
            world.publish(b"{}", headers={**ATTRIBUTES, "specversion": "0.3"})
            await eventually(lambda: world.headers)
            assert (world.headers[0]["ce-specversion"], world.headers[0]["ce-id"]) == ("0.3", "7")

    asyncio.run(scenario())


def test_an_event_in_json_format_is_taken_as_it_is(rabbitmq: RabbitMQ) -> None:
    body = structured(id="7", data={"a": 1}, datacontenttype="application/json")
    event = _delivered(rabbitmq, body, content_type="application/cloudevents+json; charset=utf-8")
    assert (event.id, event.source, event.data) == ("7", "/test", b'{"a": 1}')


def test_plain_json_becomes_an_event_of_the_queue(rabbitmq: RabbitMQ) -> None:
    event = _delivered(rabbitmq, b'{"a": 1}', message_id="m-1", timestamp=1767323045)
    assert (event.id, event.subject, event.type) == ("m-1", "m-1", "dev.knative.rabbitmq.event")
    namespace = event.source.split("/")[4]
    assert event.source == f"/apis/v1/namespaces/{namespace}/rabbitmqsources/outside#{namespace}.in"
    assert event.attributes["datacontenttype"] == "application/json"
    assert event.attributes["time"] == "2026-01-02T03:04:05Z"
    assert event.data == b'{"a": 1}'


@pytest.mark.parametrize("message_id", [None, "m"])
def test_a_redelivery_keeps_its_id_where_the_message_has_one(rabbitmq: RabbitMQ, message_id: str | None) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world:
            world.gate.clear()
            async with world.bridge() as bridge, world.sourcing():
                del bridge
                world.publish(b"\x00\xff", message_id=message_id)
                await eventually(lambda: world.seen["subscriber"])
                rabbitmq.ctl("close_all_connections", "the test says so")
                await eventually(lambda: len(world.seen["subscriber"]) == 2)
                world.gate.set()
            first, again = world.seen["subscriber"]
            assert (first.id == again.id) == bool(message_id)
            assert first.attributes["datacontenttype"] == "application/octet-stream"

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [404, 413, 425, 429, 502, 503, 504])
def test_these_are_retried_then_go_to_the_dead_letters_of_the_queue(rabbitmq: RabbitMQ, status: int) -> None:
    assert _refused(rabbitmq, status) == 3


@pytest.mark.parametrize("status", [301, 400, 401, 408, 409, 422, 500, 501])
def test_these_go_to_the_dead_letters_of_the_queue_at_once(rabbitmq: RabbitMQ, status: int) -> None:
    assert _refused(rabbitmq, status) == 1


@pytest.mark.parametrize(
    ("body", "properties"),
    [
        (b"{", {"content_type": "application/cloudevents+json"}),
        (b"[]", {"content_type": "application/cloudevents-batch+json"}),
        (structured(specversion="0.3"), {"content_type": "application/cloudevents+json"}),
        (b"{}", {"headers": {"specversion": "1.0", "id": "1"}}),
        (b"{}", {"headers": {**ATTRIBUTES, "not an attribute": "x"}}),
        (b"{}", {"message_id": "a\r\nX-Evil: 1"}),
        (b"{}", {"headers": {**ATTRIBUTES, "subject": "a\nb"}}),
    ],
)
def test_what_claims_to_be_an_event_and_is_none_goes_to_the_dead_letters_of_the_queue(
    rabbitmq: RabbitMQ, body: bytes, properties: dict[str, Any]
) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world, world.sourcing():
            world.publish(body, **properties)
            await _dead(world, body)
            assert not world.seen["subscriber"]

    asyncio.run(scenario())


def _delivered(rabbitmq: RabbitMQ, body: bytes, **properties: Any) -> Envelope:
    async def scenario() -> Envelope:
        async with World(rabbitmq.url) as world:
            async with world.sourcing():
                world.publish(body, **properties)
                await eventually(lambda: world.seen["subscriber"])
            assert world.get("in") is None
            return world.seen["subscriber"][0]

    return asyncio.run(scenario())


def _refused(rabbitmq: RabbitMQ, status: int) -> int:
    """How often a message was delivered that the sink answers so."""

    async def scenario() -> int:
        async with World(rabbitmq.url) as world, world.sourcing():
            world.statuses["m"] = [status]
            world.publish(b"{}", message_id="m")
            await _dead(world, b"{}")
            return len(world.seen["subscriber"])

    return asyncio.run(scenario())


async def _dead(world: World, body: bytes) -> None:
    found: list[bytes | None] = []
    await eventually(lambda: found.append(world.get("in.dead")) or found[-1] is not None)  # type: ignore[func-returns-value]
    assert found[-1] == body
