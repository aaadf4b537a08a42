"""Delivers a Trigger's events to its subscriber, and its dead letters to their sink, as Knative's dispatcher does.

Three differences, for the sake of what it would lose: an event is acknowledged only after its dead letter or its reply
has been confirmed; a dead-letter sink that is down is waited for; what SIGTERM finds undone is given back.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from bridge import message
from bridge.channel import Channel
from bridge.consumer import Message
from events.errors import Malformed
from events.wire import Envelope
from functions.shared.proxy import Forwarder
from knative.delivery import MAX_EVENT_BYTES, NO_ANSWER, Reply, Verdict, checked, dead_letter, post, verdict
from knative.local.cluster import DeliverySpec

__all__ = ["DeadLetterWorker", "Route", "TriggerWorker"]

log = logging.getLogger(__name__)

_MAX_DEAD_LETTER_WAIT = 60.0
_NOT_AN_EVENT, _TOO_LARGE = 400, 413


@dataclass(frozen=True)
class Route:
    """One Trigger's way: from `queue` to `url`. Times are in its `delivery`.

    `destination` is the address of `url` in a cluster, for the knativeerrordest of dead letters; they are published
    to the exchange `dead_letters` ("" for none), and replies to `exchange`.
    """

    name: str
    queue: str
    url: str
    destination: str
    delivery: DeliverySpec
    exchange: str
    dead_letters: str = ""


class TriggerWorker:
    """Delivers events to the subscriber."""

    def __init__(self, route: Route, forwarder: Forwarder) -> None:
        self._route = route
        self._forwarder = forwarder

    async def deliver(self, item: Message) -> None:
        """Deliver, with all retries, and acknowledge when the outcome is safe. Raises: BridgeError, GivenBack."""
        try:
            envelope = _event(item, self._route)
        except Malformed as error:
            await self._bury(item, _wrapped(item, self._route), Reply(_NOT_AN_EVENT, body=str(error).encode()))
            return
        if len(envelope.data) > MAX_EVENT_BYTES:
            await self._bury(item, envelope, Reply(_TOO_LARGE))
            return
        await self._settle(item, envelope, await self._attempts(item, envelope))

    async def _settle(self, item: Message, envelope: Envelope, reply: Reply) -> None:
        if verdict(reply.status) is Verdict.RETRY:
            await self._bury(item, envelope, reply)
            return
        if verdict(reply.status) is Verdict.DROPPED:
            log.error("%s: %s; %s is lost", self._route.name, reply, envelope.id)
        await _publish_reply(item.channel, self._route, reply)
        item.acknowledge()

    async def _attempts(self, item: Message, envelope: Envelope) -> Reply:
        route = self._route
        reply = await post(self._forwarder, route.url, envelope, route.delivery.timeout)
        for retry in range(1, route.delivery.retry + 1):
            if verdict(reply.status) is not Verdict.RETRY:
                break
            wait = route.delivery.wait_before(retry)
            log.info("%s: %s; retry %d of %d in %g s", route.name, reply, retry, route.delivery.retry, wait)
            await item.pause(wait)
            reply = await post(self._forwarder, route.url, envelope, route.delivery.timeout)
        return reply

    async def _bury(self, item: Message, envelope: Envelope, reply: Reply) -> None:
        if self._route.dead_letters:
            log.error("%s: %s; %s goes to the dead letters", self._route.name, reply, envelope.id)
            await _publish(
                item.channel, self._route.dead_letters, dead_letter(envelope, reply, self._route.destination)
            )
        else:
            log.error("%s: %s; %s is lost: the Trigger has no dead-letter sink", self._route.name, reply, envelope.id)
        item.acknowledge()


class DeadLetterWorker:
    """Delivers dead letters to their sink, for as long as it takes."""

    def __init__(self, route: Route, forwarder: Forwarder) -> None:
        self._route = route
        self._forwarder = forwarder

    async def deliver(self, item: Message) -> None:
        """Deliver, and acknowledge once the sink has taken it. Raises: BridgeError, GivenBack."""
        envelope, retry, route = self._letter(item), 0, self._route
        while verdict((reply := await self._attempt(envelope)).status) is not Verdict.DONE:
            retry += 1
            wait = min(route.delivery.wait_before(min(retry, 30)), _MAX_DEAD_LETTER_WAIT)
            log.error("%s: the dead-letter sink: %s; again in %g s", route.name, reply, wait)
            await item.pause(wait)
        await _publish_reply(item.channel, route, reply)
        item.acknowledge()

    async def _attempt(self, envelope: Envelope) -> Reply:
        return await post(self._forwarder, self._route.url, envelope, self._route.delivery.timeout)

    def _letter(self, item: Message) -> Envelope:
        try:
            envelope = _event(item, self._route)
        except Malformed:
            envelope = _wrapped(item, self._route)
        if "knativeerrorcode" in envelope.attributes:
            return envelope
        # RabbitMQ itself gave up on it (a delivery limit, for example): nobody answered.
        return dead_letter(envelope, Reply(NO_ANSWER), self._route.destination)


async def _publish_reply(channel: Channel, route: Route, reply: Reply) -> None:
    event = reply.event
    if event is not None:
        await _publish(channel, route.exchange, event)


async def _publish(channel: Channel, exchange: str, envelope: Envelope) -> None:
    properties, body = message.to_message(envelope)
    await channel.publish(exchange, "", properties, body)


def _event(item: Message, route: Route) -> Envelope:
    envelope = message.from_message(item.properties, item.body, source=_source(route))
    if envelope is None:
        raise Malformed("the message is no CloudEvent")
    if envelope.attributes["specversion"] != "1.0":
        raise Malformed(f"CloudEvents {envelope.attributes['specversion']} is not spoken here, only 1.0")
    return checked(envelope)


def _wrapped(item: Message, route: Route) -> Envelope:
    """What is no event, as one, so that it can be recorded."""
    event_id = message.lasting_id(route.queue, item.properties, item.body)
    return message.from_plain(item.properties, item.body, source=_source(route), id=event_id)


def _source(route: Route) -> str:
    return f"/rabbitmq/{route.queue}"
