"""What can go wrong with RabbitMQ. Raised without a message, each says the first line of its docstring.

BridgeError
├── ConnectionLost       the connection or the channel is gone; what was not confirmed or acknowledged is done again
│   └── ChannelClosed    RabbitMQ closed the channel because of what we asked for
├── GivenBack            a worker gives its message up, so that it is delivered again
├── Rejected             RabbitMQ did not take a message (a full queue, or a queue that is down)
└── Unroutable           no queue is bound for a message
"""

from __future__ import annotations

from events.errors import SpeakingError

__all__ = ["BridgeError", "ChannelClosed", "ConnectionLost", "GivenBack", "Rejected", "Unroutable"]


class BridgeError(SpeakingError):
    """Something went wrong with RabbitMQ."""


class ConnectionLost(BridgeError):
    """The connection or the channel is gone."""


class ChannelClosed(ConnectionLost):
    """RabbitMQ closed the channel; `code` is its AMQP reply code (404 not found, 403 forbidden, 406 not the same)."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"RabbitMQ closed the channel: {text} ({code})")
        self.code = code


class GivenBack(BridgeError):
    """The message is to be delivered again, by whoever consumes the queue next."""


class Rejected(BridgeError):
    """RabbitMQ did not take the message: is a queue full, or down?"""


class Unroutable(BridgeError):
    """No queue is bound for the message."""
