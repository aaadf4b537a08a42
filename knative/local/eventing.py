"""What brings events from the ingress of each Broker to the subscribers: the broker in here, or RabbitMQ."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol

from events.wire import Envelope
from functions.shared.proxy import Forwarder
from knative.local.broker import LocalBroker
from knative.local.cluster import Cluster, Sink
from knative.local.dispatcher import Dispatcher
from knative.local.queues import Queues

__all__ = ["BuiltIn", "Eventing", "Publish"]

# Returns when the event is safe. Raises: CannotKeep.
Publish = Callable[[Envelope], Awaitable[None]]


class Eventing(Protocol):
    """Use as an async context manager: events can be published while in it."""

    async def __aenter__(self) -> Eventing:
        """Begin to take events."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take no more."""

    def publisher(self, broker: str) -> Publish:
        """What the ingress of this Broker does with an event."""

    def start(self) -> None:
        """Begin to deliver, also what an earlier run left behind."""

    async def stop(self, seconds: float) -> None:
        """Deliver nothing new; what is being delivered has so many seconds."""


class BuiltIn:
    """The broker inside the runner; its queues are in one file. `resolve` gives a sink's address on this machine."""

    def __init__(self, cluster: Cluster, path: Path, forwarder: Forwarder, resolve: Callable[[Sink], str]) -> None:
        self._cluster = cluster
        self._queues = Queues(path)
        self._dispatchers = {
            trigger.name: Dispatcher(trigger, self._queues, forwarder, resolve, cluster.url(trigger.subscriber))
            for trigger in cluster.triggers
        }
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> BuiltIn:
        await self._stack.enter_async_context(self._queues)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def publisher(self, broker: str) -> Publish:
        """See Eventing."""
        triggers = [trigger for trigger in self._cluster.triggers if trigger.broker == broker]
        return LocalBroker(triggers, self._queues, wake=lambda name: self._dispatchers[name].wake()).publish

    def start(self) -> None:
        """See Eventing."""
        for dispatcher in self._dispatchers.values():
            dispatcher.start()

    async def stop(self, seconds: float) -> None:
        """See Eventing."""
        await asyncio.gather(*(dispatcher.stop(seconds) for dispatcher in self._dispatchers.values()))
