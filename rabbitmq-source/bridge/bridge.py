"""Puts the parts together for a cluster: one publisher for each Broker, one consumer for each queue.

`async with Bridge(…) as bridge:` serves, while in the context, what it is told to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from types import TracebackType

from bridge import topology
from bridge.connection import Connection
from bridge.consumer import Consumer
from bridge.dispatcher import DeadLetterWorker, Route, TriggerWorker
from bridge.ingress import Publisher
from bridge.source import SourceWorker
from functions.shared.proxy import Forwarder
from knative.local import cluster as manifests
from knative.local.cluster import Cluster, Sink
from knative.supervision import supervised

__all__ = ["Bridge"]

_CLOSE_SECONDS = 3


class Bridge:
    """What a process does of a cluster's eventing. `resolve` gives the address of a sink on this machine."""

    def __init__(self, cluster: Cluster, url: str, forwarder: Forwarder, resolve: Callable[[Sink], str]) -> None:
        self._cluster = cluster
        self._url = url
        self._forwarder = forwarder
        self._resolve = resolve
        self._names = topology.Names(cluster)
        self._publishers: list[asyncio.Task[None]] = []
        self._consumers: dict[asyncio.Task[None], Consumer] = {}

    async def __aenter__(self) -> Bridge:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop(0)
        await _cancel(self._publishers)

    async def stop(self, seconds: float) -> None:
        """Consume no more. What is being delivered has so many seconds; everything else is given back."""
        for consumer in self._consumers.values():
            consumer.stop(seconds)
        if self._consumers:
            await asyncio.wait(self._consumers, timeout=seconds + _CLOSE_SECONDS)
        await _cancel(list(self._consumers))
        self._consumers.clear()

    def ingress(self, broker: manifests.Broker) -> Publisher:
        """Publish for a Broker; for its ingress."""
        # The overlay's too: what no Trigger wants may have to go there.
        wanted = [*topology.of_overlay(self._cluster), *topology.of_broker(self._cluster, broker)]

        async def prepare(connection: Connection) -> None:
            await topology.declare(connection, wanted)
            topology.advise(connection, wanted)

        publisher = Publisher(self._names.exchange(broker.name), prepare)
        name = f"{broker.name} ingress"
        self._publishers.append(asyncio.create_task(supervised(name, partial(publisher.run, self._url, name))))
        return publisher

    def dispatcher(self, trigger: manifests.Trigger) -> None:
        """Deliver a Trigger's events to its subscriber."""
        route = self._route(trigger, trigger.subscriber, self._names.queue(trigger))
        prepare = partial(topology.declare, wanted=topology.of_trigger(self._cluster, trigger))
        worker = TriggerWorker(route, self._forwarder)
        self._consume(Consumer(route.queue, trigger.parallelism, prepare, worker.deliver), trigger.name)

    def dead_letters(self, trigger: manifests.Trigger) -> None:
        """Deliver a Trigger's dead letters to their sink, if it has one."""
        sink = trigger.delivery.dead_letter_sink
        if sink is None:
            return
        route = self._route(trigger, sink, self._names.dead_letter_queue(trigger))
        prepare = partial(topology.declare, wanted=topology.of_trigger(self._cluster, trigger))
        worker = DeadLetterWorker(route, self._forwarder)
        self._consume(Consumer(route.queue, trigger.parallelism, prepare, worker.deliver), f"{trigger.name} dlq")

    def source(self, source: manifests.RabbitmqSource) -> None:
        """Deliver the messages of a RabbitmqSource's queue to its sink."""
        prepare = partial(topology.declare, wanted=topology.of_overlay(self._cluster))
        worker = SourceWorker(source, self._cluster.namespace, self._resolve(source.sink), self._forwarder)
        self._consume(Consumer(source.queue, source.parallelism, prepare, worker.deliver), source.name)

    def _consume(self, consumer: Consumer, name: str) -> None:
        self._consumers[asyncio.create_task(supervised(name, partial(consumer.run, self._url, name)))] = consumer

    def _route(self, trigger: manifests.Trigger, sink: Sink, queue: str) -> Route:
        return Route(
            name=trigger.name,
            queue=queue,
            url=self._resolve(sink),
            destination=self._cluster.url(trigger.subscriber),
            delivery=trigger.delivery,
            exchange=self._names.exchange(trigger.broker),
            dead_letters=self._names.dead_letter_exchange(trigger),
        )


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
