"""What the sink of a source does not take, over a real RabbitMQ, gets to that of a second source, and nothing is left.

The queues are such as in rabbitmq-source/topology.yaml: what is not taken there either comes back from a third.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from typing import Any

import pytest

from knative.local.cluster import DeliverySpec
from tests.integration.bridge_world import World, eventually
from tests.servers import RabbitMQ

EVENT = {
    "specversion": "1.0",
    "source": "/cms",
    "type": "numbers",
    "subject": "s",
    "extra": "e",
    "time": "2026-01-02T03:04:05Z",
}
BOTH = "outside", "outside-dead"


@pytest.mark.parametrize("status", [500, 503, 400])
def test_what_the_sink_refuses_gets_to_the_sink_of_the_dead_as_the_same_event(rabbitmq: RabbitMQ, status: int) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world:
            async with world.sourcing(*BOTH):
                sent = [_publish(world, [status]) for _ in range(20)]
                await eventually(lambda: {letter.id for letter in world.seen["sink"]} == set(sent))
            for letter in world.seen["sink"]:
                assert letter.attributes == {**EVENT, "id": letter.id, "datacontenttype": "text/plain"}
                assert letter.data == b"data"
            assert world.waiting() == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("sink_status", [500, 503])
def test_what_the_sink_of_the_dead_refuses_too_comes_back_until_it_is_taken(
    rabbitmq: RabbitMQ, sink_status: int
) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world:
            world.sink_status = sink_status
            async with world.sourcing(*BOTH):
                sent = [_publish(world, [500]) for _ in range(10)]
                await eventually(lambda: min(len(world.deliveries("sink", each)) for each in sent) > 5)
                assert world.letters_taken == 0
                world.sink_status = 204
                await eventually(lambda: world.letters_taken == 10)
                await eventually(lambda: world.waiting() == 0)
            assert {letter.id for letter in world.seen["sink"]} == set(sent)

    asyncio.run(scenario())


def test_sources_that_are_stopped_in_the_middle_lose_nothing_and_leave_nothing(rabbitmq: RabbitMQ) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world:
            async with world.sourcing():
                pass
            sent = [_publish(world, statuses) for statuses in ([503, 204], [500], [204], [503, 503, 503]) * 10]
            for _ in range(4):
                async with world.sourcing(*BOTH, seconds=0.05):
                    await asyncio.sleep(0.1)
            async with world.sourcing(*BOTH):
                await eventually(lambda: _taken(world) | {letter.id for letter in world.seen["sink"]} == set(sent))
            assert world.waiting() == 0

    asyncio.run(scenario())


def test_what_waits_for_a_retry_when_its_source_is_stopped_is_a_dead_letter_as_with_knative(rabbitmq: RabbitMQ) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world:
            async with world.bridge() as bridge:
                slow = DeliverySpec(retry=1, backoff=3600.0)
                bridge.source(replace(world.cluster.rabbitmq_sources[0], delivery=slow))
                await eventually(world.declared)
                event_id = _publish(world, [503])
                await eventually(lambda: world.deliveries("subscriber", event_id))
                await bridge.stop(60)
            assert world.get("in.dead") == b"data"
            assert world.waiting() == 0

    asyncio.run(scenario())


def test_an_ingress_without_rabbitmq_has_its_messages_come_by_the_dead(rabbitmq: RabbitMQ) -> None:
    """The Broker's ingress, behind a source, answers 500 while its own connection is down."""

    async def scenario() -> None:
        async with World(rabbitmq.url) as world, world.bridge("amqp://guest:guest@127.0.0.1:1/") as away:
            ingress = await world.ingress(away)
            world.redirect("subscriber", ingress)
            async with world.sourcing(*BOTH):
                sent = [_publish(world, []) for _ in range(5)]
                await eventually(lambda: {letter.id for letter in world.seen["sink"]} == set(sent))
            assert world.waiting() == 0

    asyncio.run(scenario())


def test_an_event_that_no_trigger_wants_gets_to_the_sink_of_the_dead(rabbitmq: RabbitMQ) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world, world.serving() as ingress:
            headers = {"ce-id": "1", "ce-source": "/cms", "ce-type": "nubmers", "ce-specversion": "1.0"}
            async with world.sourcing("outside-dead"):
                async with world.session.post(ingress + "/", data=b"{}", headers=headers) as answer:
                    assert answer.status == 202
                await eventually(lambda: world.seen["sink"])
            assert (world.seen["sink"][0].type, world.seen["sink"][0].data) == ("nubmers", b"{}")
            assert not world.seen["subscriber"]

    asyncio.run(scenario())


@pytest.mark.parametrize("properties", [{"message_id": "m"}, {"message_id": "m", "headers": {"a b": "c"}}])
def test_a_message_that_is_no_event_gets_to_the_sink_of_the_dead_under_its_id(
    rabbitmq: RabbitMQ, properties: dict[str, Any]
) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world, world.sourcing(*BOTH):
            world.statuses["m"] = [500]
            world.publish(b"\x00\xff", **properties)
            await eventually(lambda: world.seen["sink"])
            (letter,) = world.seen["sink"]
            assert (letter.id, letter.type, letter.data) == ("m", "dev.knative.rabbitmq.event", b"\x00\xff")
            namespace = world.cluster.namespace
            queue = f"/apis/v1/namespaces/{namespace}/rabbitmqsources/outside-dead#{namespace}.in.dead"
            assert letter.source == queue

    asyncio.run(scenario())


def _publish(world: World, statuses: list[int]) -> str:
    event_id = uuid.uuid4().hex
    world.statuses[event_id] = statuses or [204]
    world.publish(b"data", headers={**EVENT, "id": event_id}, content_type="text/plain")
    return event_id


def _taken(world: World) -> set[str]:
    """The events that the subscriber answered with 204."""
    ids = {event.id for event in world.seen["subscriber"]}
    return {each for each in ids if 204 in world.statuses[each][: len(world.deliveries("subscriber", each))]}
