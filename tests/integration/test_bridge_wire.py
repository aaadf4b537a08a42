"""The wire shape: what Knative's own ingress, dispatcher and source must find in RabbitMQ, header by header."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pika
import pytest
from bridge.connection import connected
from bridge.topology import Names, declare, of_trigger

from knative.local import manifests
from knative.local.cluster import Trigger
from tests.integration.bridge_world import World, amqp, eventually, objects
from tests.servers import RabbitMQ

# md5 of the whole name; knative.dev/pkg/kmeta keeps 31 characters before it.
LONG_HASH = "2fef7bff6fb27cfe7c0d7a72c8305399"
UID = "0c5a6a5e-9a3c-4c6b-8e0f-1b2a3c4d5e6f"


def test_the_names_are_those_of_knatives_operator() -> None:
    names, trigger = _names("default", "numbers")
    assert names.exchange("test") == f"b.default.test.{UID}"
    assert names.queue(trigger) == f"default.numbers.{UID}"


@pytest.mark.parametrize(
    ("namespace", "name", "expected"),
    [
        ("test", "numbers", f"t.test.numbers.dlx.{UID}"),
        ("audiolift", "video-submitted", "t.audiolift.video-submitted.dlx" + LONG_HASH),
    ],
)
def test_a_long_name_is_cut_and_hashed_as_kubernetes_children_are(namespace: str, name: str, expected: str) -> None:
    names, trigger = _names(namespace, name)
    assert names.dead_letter_exchange(trigger) == expected


def test_exchanges_queues_and_bindings(rabbitmq: RabbitMQ) -> None:
    async def scenario() -> World:
        async with World(rabbitmq.url) as world, world.serving() as ingress:
            await world.post(ingress)
            await eventually(lambda: world.seen["subscriber"])
        return world

    world = asyncio.run(scenario())
    exchange, queue = world.names.exchange("test"), world.names.queue(world.trigger)
    dlx, dlq = world.names.dead_letter_exchange(world.trigger), world.names.dead_letter_queue(world.trigger)
    exchanges = _rows(rabbitmq, "list_exchanges", "name", "type", "durable", "auto_delete")
    assert exchanges[exchange] == exchanges[dlx] == "headers\ttrue\tfalse"
    queues = _rows(rabbitmq, "list_queues", "name", "type", "durable", "auto_delete")
    assert queues[queue] == queues[dlq] == "quorum\ttrue\tfalse"
    assert f'{{"x-dead-letter-exchange","{dlx}"}}' in _rows(rabbitmq, "list_queues", "name", "arguments")[queue]
    bindings = _rows(rabbitmq, "list_bindings", "destination_name", "source_name", "destination_kind", "arguments")
    arguments = '[{"type","numbers"},{"x-knative-trigger","numbers"},{"x-match","all"}]'
    assert bindings[queue] == f"{exchange}\tqueue\t{arguments}"
    assert bindings[dlq] == f'{dlx}\tqueue\t[{{"x-match","all"}}]'


def test_the_dead_letters_of_a_broker_for_triggers_without_a_delivery(rabbitmq: RabbitMQ) -> None:
    given = objects(f"test-{uuid.uuid4().hex[:8]}")
    given["Broker test"]["spec"]["delivery"] = given["Trigger numbers"]["spec"].pop("delivery")
    found = manifests.read(given.values())

    async def scenario() -> None:
        async with connected(rabbitmq.url, "test") as connection:
            await declare(connection, of_trigger(found, found.triggers[0]))

    asyncio.run(scenario())
    names = Names(found)
    dlx, dlq = names.dead_letter_exchange(found.triggers[0]), names.dead_letter_queue(found.triggers[0])
    assert dlx.startswith(f"b.{found.namespace}.test.dlx")
    bindings = _rows(rabbitmq, "list_bindings", "destination_name", "source_name", "arguments")
    assert bindings[dlq] == f'{dlx}\t[{{"x-knative-dlq","test"}},{{"x-match","all"}}]'


def test_the_message_of_an_event(rabbitmq: RabbitMQ) -> None:
    properties, body, mode = _published(rabbitmq, subject="s", time="2026-01-02T03:04:05Z", dataschema="/d", extra="e")
    event_id = properties.message_id
    del properties.headers["x-delivery-count"]  # RabbitMQ's own, of quorum queues
    assert properties.headers == {
        **{"id": event_id, "source": "/test", "type": "numbers", "specversion": "1.0", "subject": "s", "extra": "e"},
        **{"time": "2026-01-02T03:04:05Z", "content-type": "application/json", "dataschema": "/d"},
    }
    assert (properties.content_type, body, mode) == ("application/json", b'{"n": 1}', 2)


def test_a_dead_letter_has_its_code_as_a_number(rabbitmq: RabbitMQ) -> None:
    async def scenario() -> Any:
        async with World(rabbitmq.url) as world, world.bridge() as bridge:
            ingress = await world.ingress(bridge)
            bridge.dispatcher(world.trigger)
            await world.post(ingress, (500,))
            with amqp(rabbitmq.url) as channel:
                queue = world.names.dead_letter_queue(world.trigger)
                await eventually(lambda: channel.queue_declare(queue, passive=True).method.message_count)
                _, properties, _ = channel.basic_get(queue, auto_ack=True)
                return properties and properties.headers

    headers = asyncio.run(scenario())
    assert headers["knativeerrorcode"] == 500
    assert headers["knativeerrordest"].startswith("http://subscriber.test-")


def test_what_is_declared_a_little_differently_is_taken_as_it_is(rabbitmq: RabbitMQ) -> None:
    """Knative's operator uses a policy for the dead letters, and, over a RabbitmqCluster, classic queues."""

    async def scenario() -> None:
        async with World(rabbitmq.url) as world:
            queue, exchange = world.names.queue(world.trigger), world.names.exchange("test")
            with amqp(rabbitmq.url) as channel:
                channel.exchange_declare(exchange, "headers", durable=True)
                channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "classic"})
            async with world.serving() as ingress:
                await world.post(ingress)
                await eventually(lambda: world.seen["subscriber"])
            assert _rows(rabbitmq, "list_queues", "name", "type")[queue] == "classic"

    asyncio.run(scenario())


def test_an_event_of_knatives_own_ingress_is_delivered(rabbitmq: RabbitMQ) -> None:
    """As measured: unprefixed headers, a time that is not set, and a number among the extensions."""

    async def scenario() -> None:
        async with World(rabbitmq.url) as world, world.serving() as ingress:
            await world.post(ingress)
            headers = {"id": "k", "type": "numbers", "source": "/k", "specversion": "1.0", "subject": ""}
            headers |= {"time": "0001-01-01T00:00:00Z", "content-type": "text/plain"}
            properties = pika.BasicProperties(headers={**headers, "count": 7, "on": True}, message_id="k")
            with amqp(rabbitmq.url) as channel:
                channel.basic_publish(world.names.exchange("test"), "", b"data", properties)
            await eventually(lambda: world.deliveries("subscriber", "k"))
            (event,) = world.deliveries("subscriber", "k")
            assert (event.attributes["count"], event.attributes["on"]) == ("7", "true")
            assert (event.attributes["datacontenttype"], event.data) == ("text/plain", b"data")

    asyncio.run(scenario())


def _names(namespace: str, trigger: str) -> tuple[Names, Trigger]:
    given = objects(namespace)
    given["Broker test"]["metadata"]["uid"] = given["Trigger numbers"]["metadata"]["uid"] = UID
    given["Trigger numbers"]["metadata"]["name"] = trigger
    found = manifests.read(given.values())
    return Names(found), found.triggers[0]


def _published(rabbitmq: RabbitMQ, **extra: Any) -> tuple[Any, bytes, int]:
    async def scenario() -> tuple[Any, bytes, int]:
        async with World(rabbitmq.url) as world, world.bridge() as bridge:
            await world.post(await world.ingress(bridge), **extra)
            with amqp(rabbitmq.url) as channel:
                _, properties, body = channel.basic_get(world.names.queue(world.trigger), auto_ack=True)
            assert properties
            assert body is not None
            return properties, body, properties.delivery_mode

    return asyncio.run(scenario())


def _rows(rabbitmq: RabbitMQ, *command: str) -> dict[str, str]:
    lines = rabbitmq.ctl(command[0], "--no-table-headers", *command[1:]).splitlines()
    rows = [line.partition("\t") for line in lines]
    # Every queue is bound to the default exchange too, which has no name.
    return {name: rest for name, _, rest in rows if not rest.startswith("\t")}
