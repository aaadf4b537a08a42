"""Any queue → events to a sink: the work of Knative's RabbitmqSource.

Differences, for the sake of what it would lose: the CloudEvents prefixes of the AMQP binding are understood, ids are
stable, 500 and 408 are retried too. What the sink does not take goes to the dead-letter exchange of the queue.
"""

from __future__ import annotations

import logging

from bridge import message
from bridge.consumer import Message
from events.errors import Malformed
from events.wire import Envelope
from functions.shared.proxy import Forwarder
from knative.delivery import LARGEST_EVENT, Reply, Verdict, post, verdict
from knative.local.cluster import RabbitmqSource

__all__ = ["Source"]

log = logging.getLogger(__name__)

_TOO_EARLY = 425


class Source:
    """Delivers the messages of one RabbitmqSource to `url`, where its sink is."""

    def __init__(self, source: RabbitmqSource, namespace: str, url: str, forwarder: Forwarder) -> None:
        self._source = source
        # As Knative names it: this becomes the `source` of what is no event itself.
        self._name = f"/apis/v1/namespaces/{namespace}/rabbitmqsources/{source.name}#{source.queue}"
        self._url = url
        self._forwarder = forwarder

    async def deliver(self, item: Message) -> None:
        """Deliver one message, with all retries. Raises: BridgeError, GivenBack."""
        try:
            reply = await self._attempts(item, self._event(item))
        except Malformed as error:
            log.error("%s: a message is no event (%s); its queue's dead-letter exchange gets it", self._name, error)
            item.reject()
            return
        if verdict(reply.status) is Verdict.DONE:
            item.acknowledge()
        else:
            log.error("%s: the sink: %s; the queue's dead-letter exchange gets the message", self._name, reply)
            item.reject()

    async def _attempts(self, item: Message, envelope: Envelope) -> Reply:
        delivery = self._source.delivery
        reply = await post(self._forwarder, self._url, envelope, delivery.timeout)
        for retry in range(1, delivery.retry + 1):
            if verdict(reply.status) is not Verdict.RETRY and reply.status != _TOO_EARLY:
                break
            wait = delivery.wait_before(retry)
            log.info("%s: the sink: %s; retry %d of %d in %g s", self._name, reply, retry, delivery.retry, wait)
            await item.pause(wait)
            reply = await post(self._forwarder, self._url, envelope, delivery.timeout)
        return reply

    def _event(self, item: Message) -> Envelope:
        if len(item.body) > LARGEST_EVENT:
            raise Malformed(f"it has more than {LARGEST_EVENT} bytes")
        found = message.from_message(item.properties, item.body, source=self._name)
        return found or message.from_plain(item.properties, item.body, source=self._name, queue=self._source.queue)
