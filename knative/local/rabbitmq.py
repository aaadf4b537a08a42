"""The events of a cluster through a real RabbitMQ, by the bridge, when RABBITMQ_URL names one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from urllib.parse import urlsplit

from functions.shared.proxy import Forwarder
from knative.local.cluster import Cluster, Sink
from knative.local.errors import StartError
from knative.local.eventing import Publish
from knative.local.secrets import ROOT

# The bridge is no part of the runner: its folder comes onto the path only where it is wanted.
sys.path.append(str(ROOT / "rabbitmq-source"))

from bridge.bridge import Bridge

__all__ = ["OverRabbitMQ"]


class OverRabbitMQ:
    """Ingresses, dispatchers and sources over the RabbitMQ at `url`. Raises: StartError for what is no such URL.

    A RabbitMQ that is away is waited for: the ingress says 500 meanwhile.
    """

    def __init__(self, cluster: Cluster, url: str, forwarder: Forwarder, resolve: Callable[[Sink], str]) -> None:
        if urlsplit(url).scheme not in ("amqp", "amqps"):
            raise StartError("RABBITMQ_URL is no address of a RabbitMQ, such as amqp://user:password@host:5672/vhost")
        self._cluster = cluster
        self._bridge = Bridge(cluster, url, forwarder, resolve)

    async def __aenter__(self) -> OverRabbitMQ:
        await self._bridge.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._bridge.__aexit__(kind, error, traceback)

    def publisher(self, broker: str) -> Publish:
        """See Eventing."""
        return self._bridge.ingress(self._cluster.brokers[broker]).publish

    def start(self) -> None:
        """See Eventing."""
        for trigger in self._cluster.triggers:
            self._bridge.dispatcher(trigger)
            self._bridge.dead_letters(trigger)
        for source in self._cluster.rabbitmq_sources:
            self._bridge.source(source)

    async def stop(self, seconds: float) -> None:
        """See Eventing."""
        await self._bridge.stop(seconds)
