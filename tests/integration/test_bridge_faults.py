"""The bridge while RabbitMQ, the network or the bridge itself fails: no event is lost."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from bridge.connection import connected
from bridge.topology import declare, of_trigger

from tests.integration.bridge_world import World, eventually, objects
from tests.proxy import Relay
from tests.servers import RabbitMQ

ROOT = Path(__file__).parents[2]


@pytest.fixture
def own_rabbitmq(tmp_path: Path, rabbitmq: RabbitMQ) -> RabbitMQ:
    """A RabbitMQ that the test may stop. The session's one says whether RabbitMQ is installed."""
    del rabbitmq
    return RabbitMQ(tmp_path / "rabbitmq")


def test_a_thousand_events_are_delivered(rabbitmq: RabbitMQ) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world, world.serving() as ingress:
            sent = [await world.post(ingress) for _ in range(1000)]
            await eventually(lambda: len(world.seen["subscriber"]) >= 1000)
            assert sorted(event.id for event in world.seen["subscriber"]) == sorted(sent)

    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_rabbitmq_away_is_500_and_what_was_accepted_is_delivered_after(own_rabbitmq: RabbitMQ, how: str) -> None:
    async def scenario() -> None:
        async with World(own_rabbitmq.url) as world:
            await _declare(world, own_rabbitmq)
            async with world.serving() as ingress:
                world.gate.clear()
                sent = [await world.post(ingress) for _ in range(20)]
                await asyncio.to_thread(getattr(own_rabbitmq, how))
                assert await _status(world, ingress) == 500
                await asyncio.to_thread(own_rabbitmq.start)
                world.gate.set()
                await eventually(lambda: {event.id for event in world.seen["subscriber"]} >= set(sent))
                sent.append(await _post_until_taken(world, ingress))
                await eventually(lambda: {event.id for event in world.seen["subscriber"]} == set(sent))

    with own_rabbitmq:
        asyncio.run(scenario())


def test_a_connection_that_is_cut_while_events_are_published_loses_none(rabbitmq: RabbitMQ) -> None:
    async def scenario(wire: Relay, url: str) -> None:
        async with World(rabbitmq.url) as world, world.serving(url) as ingress:
            cutting = asyncio.create_task(_cut_again_and_again(wire))
            sent = [await _post_until_taken(world, ingress) for _ in range(100)]
            cutting.cancel()
            await eventually(lambda: {event.id for event in world.seen["subscriber"]} >= set(sent))

    with _wire(rabbitmq.url) as (wire, url):
        asyncio.run(scenario(wire, url))


def test_a_rabbitmq_that_does_not_answer_is_500(rabbitmq: RabbitMQ) -> None:
    async def scenario(wire: Relay, url: str) -> None:
        async with World(rabbitmq.url) as world, world.serving(url) as ingress:
            await world.post(ingress)
            wire.hang()
            assert await _status(world, ingress) == 500
            wire.flow()
            await world.post(ingress)
            await eventually(lambda: len(world.seen["subscriber"]) >= 2)

    with _wire(rabbitmq.url) as (wire, url):
        asyncio.run(scenario(wire, url))


def test_a_delivery_that_takes_longer_than_the_heartbeat_is_delivered_once(rabbitmq: RabbitMQ) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world, world.serving(f"{rabbitmq.url}?heartbeat=1") as ingress:
            world.gate.clear()
            event_id = await world.post(ingress)
            await eventually(lambda: world.seen["subscriber"])
            await asyncio.sleep(5)  # RabbitMQ drops a client that is silent for two heartbeats
            world.gate.set()
            await world.post(ingress)
            await eventually(lambda: len(world.seen["subscriber"]) >= 2)
            assert len(world.deliveries("subscriber", event_id)) == 1

    asyncio.run(scenario())


def test_a_stopping_dispatcher_finishes_what_is_in_flight_and_leaves_the_rest(rabbitmq: RabbitMQ) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world:
            async with world.bridge() as bridge:
                ingress = await world.ingress(bridge)
                bridge.dispatcher(world.trigger)
                world.gate.clear()
                for _ in range(8):
                    await world.post(ingress)
                await eventually(lambda: len(world.seen["subscriber"]) == 2)
                stopping = asyncio.create_task(bridge.stop(60))
                await asyncio.sleep(0.2)
                world.gate.set()
                await stopping
            assert len(world.seen["subscriber"]) == 2
            assert world.left() == 6

    asyncio.run(scenario())


def test_a_stopping_dispatcher_gives_back_what_waits_for_a_retry_and_what_takes_too_long(rabbitmq: RabbitMQ) -> None:
    delivery = {"retry": 3, "backoffDelay": "PT1H"}

    async def scenario() -> None:
        async with World(rabbitmq.url, delivery=delivery) as world:
            async with world.bridge() as bridge:
                ingress = await world.ingress(bridge)
                bridge.dispatcher(world.trigger)
                waits = await world.post(ingress, (503,))
                await eventually(lambda: world.deliveries("subscriber", waits))
                world.gate.clear()
                hangs = await world.post(ingress)
                await eventually(lambda: world.deliveries("subscriber", hangs))
                await bridge.stop(0.5)
            assert world.left() == 2

    asyncio.run(scenario())


def test_what_a_killed_dispatcher_held_is_delivered_again(rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world:
            async with world.bridge() as bridge:
                ingress = await world.ingress(bridge)
                first = await _dispatcher(world, tmp_path)
                world.gate.clear()
                sent = [await world.post(ingress) for _ in range(3)]
                await eventually(lambda: len(world.seen["subscriber"]) == 2)
                first.kill()
                await first.wait()
                second = await _dispatcher(world, tmp_path)
                await eventually(lambda: len(world.seen["subscriber"]) == 4)
                world.gate.set()
                await eventually(lambda: {event.id for event in world.seen["subscriber"]} == set(sent))
                second.terminate()
                assert await second.wait() == 0
            assert world.left() == 0

    asyncio.run(scenario())


async def _declare(world: World, rabbitmq: RabbitMQ) -> None:
    """Declare the queues, and let RabbitMQ write down that they are there.

    RabbitMQ 3.10 does that late: a quorum queue that is new when the power fails comes back empty, without a leader.
    """
    async with connected(world.url, "test") as connection:
        await declare(connection, of_trigger(world.cluster, world.trigger))
    await asyncio.to_thread(rabbitmq.stop)
    await asyncio.to_thread(rabbitmq.start)


async def _dispatcher(world: World, directory: Path) -> asyncio.subprocess.Process:
    """`python -m bridge dispatcher` in a process of its own."""
    (directory / "all.yaml").write_text(yaml.safe_dump_all(objects(world.cluster.namespace).values()))
    (directory / "kustomization.yaml").write_text("resources: [all.yaml]\n")
    address = world.address(world.trigger.subscriber)
    arguments = ["-m", "bridge", "dispatcher", "numbers", "--to", address, "--overlay", str(directory)]
    path = f"{ROOT}{os.pathsep}{ROOT / 'rabbitmq-source'}"
    environment = {**os.environ, "PYTHONPATH": path, "RABBITMQ_URL": world.url}
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, env=environment)


async def _status(world: World, ingress: str) -> int:
    """The status of an event that cannot be kept."""
    headers = {"ce-id": "refused", "ce-source": "/test", "ce-type": "nobody", "ce-specversion": "1.0"}
    async with world.session.post(ingress + "/", headers=headers) as answer:
        return answer.status


async def _post_until_taken(world: World, ingress: str) -> str:
    """Send an event as the outbox does: again, with the same id, until the answer is 202."""
    event_id = os.urandom(8).hex()
    headers = {"ce-id": event_id, "ce-source": "/test", "ce-type": "numbers", "ce-specversion": "1.0"}
    for _ in range(200):
        async with world.session.post(ingress + "/", headers=headers) as answer:
            if answer.status == 202:
                return event_id
            assert answer.status == 500
        await asyncio.sleep(0.05)
    raise AssertionError("the event was never taken")


async def _cut_again_and_again(wire: Relay) -> None:
    """Until cancelled."""
    while True:
        await asyncio.sleep(0.3)
        wire.cut()


@contextmanager
def _wire(url: str) -> Iterator[tuple[Relay, str]]:
    """A relay before RabbitMQ, and the URL by way of it."""
    port = urlsplit(url).port or 0
    with Relay(port) as wire:
        yield wire, url.replace(f":{port}/", f":{wire.port}/") + "?heartbeat=2"
