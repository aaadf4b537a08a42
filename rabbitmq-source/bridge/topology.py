"""What is in RabbitMQ for a cluster's Broker, Triggers and sources: the names and arguments of Knative's operator.

Its sources: pkg/rabbitmqnaming and pkg/rabbit of github.com/knative-extensions/eventing-rabbitmq.
"""

from __future__ import annotations

import hashlib
import logging
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bridge.connection import Connection
from bridge.errors import ChannelClosed
from knative.local.cluster import Binding, Broker, Cluster, DeliverySpec, Exchange, Queue, Trigger

__all__ = ["Declaration", "Names", "advise", "declare", "of_broker", "of_overlay", "of_trigger"]

log = logging.getLogger(__name__)

Declaration = Exchange | Queue | Binding

_NAMESPACE = uuid.UUID("5d0f9a52-7c1c-4f1f-9d0e-6a0c4b8f2e11")
_NOT_FOUND, _FORBIDDEN = 404, 403
_MAX_NAME = 63
_MARGIN_SECONDS = 600
_UNBOUNDED_SECONDS = 24 * 3600
_TIMEOUT = "x-consumer-timeout"
_KNOWS_TIMEOUT = (3, 12)


class Names:
    """What Knative's operator calls things. Where a manifest has no uid, one is made from kind, namespace and name."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def exchange(self, broker: str) -> str:
        """The exchange that a Broker's ingress publishes to."""
        return _child(f"b.{self._cluster.namespace}.{broker}.", self._broker_uid(broker))

    def queue(self, trigger: Trigger) -> str:
        """The queue of a Trigger's events."""
        return f"{self._cluster.namespace}.{trigger.name}.{self._broker_uid(trigger.broker)}"

    def dead_letter_exchange(self, trigger: Trigger) -> str:
        """Where a Trigger's dead letters are published: its own, its Broker's, or "" when it has no sink for them."""
        return self._dead_letters(trigger, "dlx")

    def dead_letter_queue(self, trigger: Trigger) -> str:
        """Where a Trigger's dead letters wait for their sink; "" when it has none."""
        return self._dead_letters(trigger, "dlq")

    def _dead_letters(self, trigger: Trigger, part: str) -> str:
        if not trigger.delivery.dead_letter_sink:
            return ""
        namespace = self._cluster.namespace
        if trigger.inherits:
            return _child(f"b.{namespace}.{trigger.broker}.{part}.", self._broker_uid(trigger.broker))
        return _child(f"t.{namespace}.{trigger.name}.{part}.", trigger.uid or self._uid("Trigger", trigger.name))

    def _broker_uid(self, name: str) -> str:
        return self._cluster.brokers[name].uid or self._uid("Broker", name)

    def _uid(self, kind: str, name: str) -> str:
        return str(uuid.uuid5(_NAMESPACE, f"{kind}/{self._cluster.namespace}/{name}"))


def of_broker(cluster: Cluster, broker: Broker) -> Sequence[Declaration]:
    """What a Broker has in RabbitMQ with all its Triggers, in the order in which it can be declared."""
    triggers = [trigger for trigger in cluster.triggers if trigger.broker == broker.name]
    exchange = _governed(cluster, Exchange(Names(cluster).exchange(broker.name), "headers"))
    return [exchange, *(each for trigger in triggers for each in of_trigger(cluster, trigger) if each != exchange)]


def of_trigger(cluster: Cluster, trigger: Trigger) -> Sequence[Declaration]:
    """What a Trigger needs in RabbitMQ, in the order in which it can be declared."""
    wanted = _of_trigger(Names(cluster), cluster.brokers[trigger.broker], trigger)
    return [_governed(cluster, each) for each in wanted]


def of_overlay(cluster: Cluster) -> Sequence[Declaration]:
    """What the overlay itself has in RabbitMQ, in the order in which it can be declared."""
    return [_governed(cluster, each) for each in cluster.topology]


async def declare(connection: Connection, wanted: Iterable[Declaration]) -> None:
    """Declare what is not there yet. What is there stays as it is, also when somebody declared it a little differently.

    Raises: ConnectionLost; ChannelClosed, with code 403, when something is missing that we may not declare.
    """
    for each in wanted:
        if isinstance(each, Binding):
            await _bind(connection, each)
        elif not await _is_there(connection, each):
            log.info("declaring %s %s", type(each).__name__.lower(), each.name)
            await _declare(connection, each, passive=False)


def advise(connection: Connection, wanted: Iterable[Declaration]) -> None:
    """Say so when this RabbitMQ needs a setting of its own to be as patient as the queues need it."""
    longest = max((each.arguments.get(_TIMEOUT, 0) for each in wanted if isinstance(each, Queue)), default=0)
    if connection.version < _KNOWS_TIMEOUT and longest:
        log.info(
            "RabbitMQ %s has one consumer_timeout for all queues: set it to %d (ms) or more in rabbitmq.conf, or it "
            "takes back what is being delivered after 30 minutes, and delivers it again",
            ".".join(str(part) for part in connection.version),
            longest,
        )


def _governed(cluster: Cluster, each: Declaration) -> Declaration:
    """The same with what its Policy says, as arguments: a client of RabbitMQ can declare, but set no policy."""
    if isinstance(each, Binding):
        return each
    kind, prefix = ("queues", "x-") if isinstance(each, Queue) else ("exchanges", "")
    said = {f"{prefix}{key}": value for key, value in _policy(cluster, kind, each.name).items()}
    return replace(each, arguments={**said, **each.arguments})


def _policy(cluster: Cluster, kind: str, name: str) -> Mapping[str, Any]:
    """The definition of the one policy that RabbitMQ heeds: the highest priority's."""
    fitting = [one for one in cluster.policies if one.applies_to in (kind, "all") and re.search(one.pattern, name)]
    return max(fitting, key=lambda one: one.priority).definition if fitting else {}


def _of_trigger(names: Names, broker: Broker, trigger: Trigger) -> Iterator[Declaration]:
    arguments: dict[str, Any] = {"x-queue-type": broker.queue_type, _TIMEOUT: _patience(trigger.delivery)}
    yield Exchange(names.exchange(broker.name), "headers")
    if dead_letters := names.dead_letter_exchange(trigger):
        yield from _of_dead_letters(names, broker, trigger)
        arguments["x-dead-letter-exchange"] = dead_letters
    queue = names.queue(trigger)
    yield Queue(queue, arguments)
    mine = {**trigger.attributes, "x-knative-trigger": trigger.name, "x-match": "all"}
    yield Binding(names.exchange(broker.name), queue, "", mine)


def _of_dead_letters(names: Names, broker: Broker, trigger: Trigger) -> Iterator[Declaration]:
    exchange, queue = names.dead_letter_exchange(trigger), names.dead_letter_queue(trigger)
    yield Exchange(exchange, "headers")
    yield Queue(queue, {"x-queue-type": broker.queue_type, _TIMEOUT: _UNBOUNDED_SECONDS * 1000})
    extra = {"x-knative-dlq": broker.name} if trigger.inherits else {}
    yield Binding(exchange, queue, "", {**extra, "x-match": "all"})


def _patience(delivery: DeliverySpec) -> int:
    """Milliseconds that a message may stay unacknowledged: longer than its delivery with all retries can take."""
    if delivery.timeout is None:
        return _UNBOUNDED_SECONDS * 1000
    attempts = (delivery.retry + 1) * delivery.timeout
    waits = sum(delivery.wait_before(retry) for retry in range(1, delivery.retry + 1))
    return int(attempts + waits + _MARGIN_SECONDS) * 1000


async def _is_there(connection: Connection, each: Exchange | Queue) -> bool:
    try:
        await _declare(connection, each, passive=True)
    except ChannelClosed as refused:
        if refused.code != _NOT_FOUND:
            raise
        return False
    return True


async def _declare(connection: Connection, each: Exchange | Queue, *, passive: bool) -> None:
    channel = await connection.channel()  # a channel of its own: RabbitMQ closes it when it refuses
    if isinstance(each, Exchange):
        await channel.declare_exchange(each.name, each.kind, each.arguments, passive=passive)
    else:
        await channel.declare_queue(each.name, each.arguments, passive=passive)
    channel.close()


async def _bind(connection: Connection, binding: Binding) -> None:
    channel = await connection.channel()
    try:
        await channel.bind(binding.queue, binding.exchange, binding.routing_key, binding.arguments)
    except ChannelClosed as refused:
        if refused.code != _FORBIDDEN:
            raise
        log.warning("may not bind %s to %s; it has to be bound already", binding.queue, binding.exchange)
    channel.close()


def _child(parent: str, suffix: str) -> str:
    """As kmeta.ChildName of knative.dev/pkg: a name of 63 characters at most; what is longer is cut and hashed."""
    if len(parent) + len(suffix) <= _MAX_NAME:
        return parent + suffix
    head = _MAX_NAME - 32
    if head - len(suffix) > 0:
        return parent[: head - len(suffix)] + _md5(parent) + suffix
    hashed = parent[:head] + _md5(parent + suffix)
    return (hashed + suffix[: _MAX_NAME - len(hashed)]).rstrip(".-")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
