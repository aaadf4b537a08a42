"""Dead letters of no dispatcher: given up by their queue's RabbitmqSource or by RabbitMQ, or wanted by no Trigger.

A second RabbitmqSource, `NAME-dead` on the queue `QUEUE.dead`, brings them to sweep; see rabbitmq-source/source.yaml.
"""

from __future__ import annotations

import re

from events.wire import Envelope

__all__ = ["CODE", "REASON", "attributed"]

# A dispatcher says by a code how a subscriber answered. Without one, nobody was asked.
CODE, REASON = "-1", "not delivered"
_DEAD = re.compile(r"(/apis/v1/namespaces/[^/#]+/rabbitmqsources/[^/#]+)-dead#(.+)\.dead")


def attributed(event: Envelope) -> Envelope:
    """The same event, its source the queue that the message was sent to, where it is the queue of the dead.

    The source says whose job a message is that is no event, and that two deliveries are of one message.
    """
    dead = _DEAD.fullmatch(event.source)
    return event.with_attributes(source=f"{dead[1]}#{dead[2]}") if dead else event
