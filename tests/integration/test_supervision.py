"""Background tasks of the runner and of the bridge: one that ends by a bug is told of, and what it did goes on."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bridge.connection import Connection
from bridge.consumer import Consumer, Message

from functions.shared.proxy import Forwarder
from knative import supervision
from knative.local import manifests
from knative.local.cluster import Probe, Queue, Service
from knative.local.errors import NoProcess
from knative.local.health import Health
from knative.local.kustomize import render
from knative.local.prober import Prober
from knative.local.process import Process, spawn
from knative.local.revision import Revision
from knative.supervision import supervised
from tests.integration.bridge_world import World
from tests.integration.local_cluster import OVERLAY, Place, eventually
from tests.patience import PATIENCE
from tests.servers import RabbitMQ

SLEEP = ["python", "-c", "import time; time.sleep(3600)"]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test needs to wait for a restart."""
    monkeypatch.setattr(supervision, "_PAUSE_SECONDS", 0)


class Bug(Exception):
    """What no part of audiolift raises."""


def test_what_raises_is_told_of_and_started_again_until_it_returns(caplog: pytest.LogCaptureFixture) -> None:
    runs: list[int] = []

    async def work() -> None:
        runs.append(1)
        if len(runs) < 3:
            raise Bug("here it is")

    asyncio.run(supervised("the work", work))
    assert len(runs) == 3
    assert caplog.text.count("the work has ended") == 2
    assert "Bug: here it is" in caplog.text


def test_what_is_supervised_can_be_cancelled() -> None:
    async def scenario() -> None:
        task = asyncio.create_task(supervised("the work", asyncio.Event().wait))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def test_a_ping_source_that_cannot_send_one_event_is_told_of_and_tries_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    place = Place(tmp_path, monkeypatch)
    source = tmp_path / "ping.yaml"
    source.write_text(
        "apiVersion: sources.knative.dev/v1\nkind: PingSource\nmetadata: {name: clock}\n"
        'spec: {schedule: "* * * * * *", contentType: "no\\nheader", data: "{}", '
        "sink: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: sink}}}\n"
    )

    async def scenario() -> None:
        async with place.serving(place.overlay(resources=[str(OVERLAY), str(source)])):
            await eventually(lambda: caplog.text.count("PingSource clock has ended") >= 2)

    asyncio.run(scenario())


def test_who_waits_for_a_process_is_answered_when_starting_one_meets_a_bug(caplog: pytest.LogCaptureFixture) -> None:
    async def launch() -> Process:
        raise Bug

    async def scenario() -> None:
        async with Forwarder() as forwarder:
            revision = Revision(service(), launch, Prober(forwarder))
            with pytest.raises(NoProcess):
                async with asyncio.timeout(PATIENCE), revision.slot():
                    pass
            await revision.close(0)

    asyncio.run(scenario())
    assert "Bug" in caplog.text


def test_a_process_that_nobody_looks_after_any_more_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    started: list[Process] = []

    async def launch() -> Process:
        started.append(await spawn("single", SLEEP, dict(os.environ)))
        if len(started) == 1:
            started[0].how_it_ended = bug  # type: ignore[method-assign]
        return started[-1]

    async def bug() -> str:
        raise Bug

    async def scenario() -> None:
        async with Forwarder() as forwarder:
            revision = Revision(replace(service(), min_scale=1), launch, Content(forwarder))
            async with revision.slot():
                pass
            started[0].kill()
            # Nothing ticks here: what looked after the process has to see to its successor.
            await eventually(lambda: len(started) == 2)
            async with revision.slot() as process:
                assert process is started[1]
            await revision.close(0)

    asyncio.run(scenario())
    assert "is given up" in caplog.text


def test_a_probe_that_met_a_bug_is_asked_again() -> None:
    class Unsteady(Content):
        asked = 0

        async def readiness(self, process: Process, probe: Probe) -> AsyncIterator[bool]:
            self.asked += 1
            yield False
            if self.asked == 1:
                raise Bug
            yield True
            await asyncio.Event().wait()

    async def scenario() -> None:
        process = await spawn("single", SLEEP, dict(os.environ))
        async with Forwarder() as forwarder:
            prober = Unsteady(forwarder)
            health = Health(process, service(), prober)
            await health.until_ready()
            await eventually(lambda: prober.asked == 2 and health.ready)
            health.close()
        await process.stop(0)

    asyncio.run(scenario())


def test_the_output_of_a_process_is_read_on_after_a_bug() -> None:
    """A process stands still as soon as its output fills the pipe."""

    def once(_record: logging.LogRecord, seen: list[int] = []) -> bool:  # noqa: B006
        seen.append(1)
        if len(seen) == 1:
            raise Bug
        return False

    async def scenario() -> None:
        code = "for _ in range(100_000): print('many words')"
        process = await spawn("talker", ["python", "-c", code], dict(os.environ))
        async with asyncio.timeout(PATIENCE):
            assert await process.exited == 0
        await process.stop(0)

    log = logging.getLogger("knative.local.process")
    log.addFilter(once)
    log.setLevel(logging.INFO)
    try:
        asyncio.run(scenario())
    finally:
        log.removeFilter(once)
        log.setLevel(logging.NOTSET)


def test_a_signal_without_a_name_is_told_of_by_its_number() -> None:
    async def scenario() -> str:
        process = await spawn("x", ["python", "-c", "import os; os.kill(os.getpid(), 40)"], dict(os.environ))
        await process.exited
        return await process.how_it_ended()

    assert asyncio.run(scenario()) == "killed by signal 40"


def test_a_consumer_of_the_bridge_that_met_a_bug_begins_again(
    rabbitmq: RabbitMQ, caplog: pytest.LogCaptureFixture
) -> None:
    unsent: dict[str, Any] = {"number": 2**70}  # no number that AMQP has

    async def scenario() -> None:
        async with World(rabbitmq.url) as world:
            hurtful = Queue(f"{world.cluster.namespace}.hurtful", {"x-queue-type": "classic", "x-unknown": unsent})
            world.cluster = replace(world.cluster, topology=(*world.cluster.topology, hurtful))
            async with world.bridge() as bridge:
                for source in world.cluster.rabbitmq_sources:
                    bridge.source(source)
                await eventually(lambda: "outside has ended" in caplog.text)
                unsent["number"] = 1
                await eventually(world.declared)
                world.publish(b"hello")
                await eventually(lambda: world.seen["subscriber"])
                await bridge.stop(PATIENCE)

    asyncio.run(scenario())


def test_a_publisher_of_the_bridge_that_met_a_bug_begins_again(
    rabbitmq: RabbitMQ, caplog: pytest.LogCaptureFixture
) -> None:
    unsent: dict[str, Any] = {"number": 2**70}

    async def scenario() -> None:
        async with World(rabbitmq.url) as world:
            hurtful = Queue(f"{world.cluster.namespace}.hurtful", {"x-queue-type": "classic", "x-unknown": unsent})
            world.cluster = replace(world.cluster, topology=(*world.cluster.topology, hurtful))
            async with world.bridge() as bridge:
                ingress = await world.ingress(bridge)
                await eventually(lambda: "test ingress has ended" in caplog.text)
                unsent["number"] = 1
                await eventually(lambda: bridge._publishers and world.declared())
                await world.post(ingress)

    asyncio.run(scenario())


def test_a_message_whose_worker_met_a_bug_is_delivered_again(
    rabbitmq: RabbitMQ, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[bytes] = []

    async def work(message: Message) -> None:
        seen.append(message.body)
        if len(seen) == 1:
            message._delivery = None  # type: ignore[assignment]  # so that it cannot be given back
            raise asyncio.CancelledError
        message.acknowledge()

    async def prepare(_connection: Connection) -> None:
        """The queue is there."""

    async def scenario() -> None:
        async with World(rabbitmq.url) as world:
            async with world.sourcing():
                pass  # the queues are there now
            world.publish(b"hello")
            consumer = Consumer(f"{world.cluster.namespace}.in", 1, prepare, work)
            running = asyncio.create_task(consumer.run(rabbitmq.url, "test"))
            await eventually(lambda: len(seen) == 2)
            consumer.stop(PATIENCE)
            await running

    asyncio.run(scenario())
    assert "a worker has ended" in caplog.text


class Content(Prober):
    """Finds every process well, without asking."""

    async def until_ready(self, process: Process, probe: Probe) -> None:
        """At once."""

    async def readiness(self, process: Process, probe: Probe) -> AsyncIterator[bool]:
        """Nothing changes."""
        await asyncio.Event().wait()
        yield True

    async def until_unwell(self, process: Process, probe: Probe) -> None:
        """Never."""
        await asyncio.Event().wait()


def service() -> Service:
    """The Service `single` of the fixture cluster."""
    return manifests.read(render(OVERLAY)).services["single"]
