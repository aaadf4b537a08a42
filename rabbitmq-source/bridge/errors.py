"""What can go wrong with RabbitMQ.

BridgeError
├── Lost             the connection or the channel is gone; what was not confirmed or acknowledged has to be done again
│   └── Refused      RabbitMQ closed the channel because of what we asked for
├── Rejected         RabbitMQ did not take a message (a full queue, or a queue that is down)
└── Unroutable       no queue is bound for a message
"""

from __future__ import annotations

__all__ = ["BridgeError", "Lost", "Refused", "Rejected", "Unroutable"]


class BridgeError(Exception):
    """Something went wrong with RabbitMQ."""


class Lost(BridgeError):
    """The connection or the channel is gone."""


class Refused(Lost):
    """RabbitMQ closed the channel; `code` is its AMQP reply code (404 not found, 403 forbidden, 406 not the same)."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"RabbitMQ refused: {text} ({code})")
        self.code = code


class Rejected(BridgeError):
    """RabbitMQ did not take a message."""


class Unroutable(BridgeError):
    """No queue is bound for a message."""
