"""Any queue → events to a sink: the work of Knative's RabbitmqSource.

It retries few statuses, 500 not among them. What the sink does not take, and what SIGTERM finds waiting for a retry,
goes to the dead-letter exchange of the queue. Source: pkg/adapter of eventing-rabbitmq, and its HTTP client,
protocol/http of github.com/cloudevents/sdk-go.
"""

from __future__ import annotations

import logging
import uuid

from bridge import message
from bridge.consumer import Message
from bridge.errors import GivenBack
from events.errors import Malformed
from events.wire import Envelope
from functions.shared.proxy import Forwarder
from knative.delivery import NO_ANSWER, Reply, Verdict, post, verdict
from knative.local.cluster import RabbitmqSource

__all__ = ["SourceWorker"]

log = logging.getLogger(__name__)

_RETRIED = {404, 413, 425, 429, 502, 503, 504, NO_ANSWER}


class SourceWorker:
    """Delivers the messages of one RabbitmqSource to `url`, where its sink is."""

    def __init__(self, source: RabbitmqSource, namespace: str, url: str, forwarder: Forwarder) -> None:
        self._source = source
        # As Knative names it: this becomes the `source` of what is no event itself.
        self._name = f"/apis/v1/namespaces/{namespace}/rabbitmqsources/{source.name}#{source.queue}"
        self._url = url
        self._forwarder = forwarder

    async def deliver(self, item: Message) -> None:
        """Deliver one message, with all retries. Raises: BridgeError."""
        try:
            reply = await self._attempts(item, self._event(item))
        except Malformed as error:
            self._reject(item, f"a message is no event ({error})")
        except GivenBack:
            self._reject(item, "stopped before a retry")
        else:
            self._settle(item, reply)

    def _settle(self, item: Message, reply: Reply) -> None:
        if verdict(reply.status) is Verdict.DONE:
            item.acknowledge()
        else:
            self._reject(item, f"the sink: {reply}")

    def _reject(self, item: Message, why: str) -> None:
        log.error("%s: %s; the queue's dead-letter exchange gets the message", self._name, why)
        item.reject()

    async def _attempts(self, item: Message, envelope: Envelope) -> Reply:
        delivery = self._source.delivery
        reply = await post(self._forwarder, self._url, envelope, delivery.timeout)
        for retry in range(1, delivery.retry + 1):
            if reply.status not in _RETRIED:
                break
            wait = delivery.wait_before(retry)
            log.info("%s: the sink: %s; retry %d of %d in %g s", self._name, reply, retry, delivery.retry, wait)
            await item.pause(wait)
            reply = await post(self._forwarder, self._url, envelope, delivery.timeout)
        return reply

    def _event(self, item: Message) -> Envelope:
        new = str(uuid.uuid4())
        found = message.from_message(item.properties, item.body, source=self._name, id=new)
        id = item.properties.message_id or new
        return found or message.from_plain(item.properties, item.body, source=self._name, id=id)
