"""What is behind a Broker's ingress: an event goes to the Broker's exchange, and is safe when RabbitMQ confirms it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bridge.channel import Channel
from bridge.connection import Connection, keep_connected
from bridge.errors import BridgeError, Unroutable
from bridge.message import to_message
from events.wire import Envelope
from knative.ingress import CannotKeep

__all__ = ["Publisher"]

log = logging.getLogger(__name__)

# Below the ten seconds that the functions wait for the ingress.
_CONNECT_SECONDS = 2
_CONFIRM_SECONDS = 5


class Publisher:
    """Publishes to one exchange, over a connection that comes back when it breaks; `prepare` declares it."""

    def __init__(self, exchange: str, prepare: Callable[[Connection], Awaitable[None]]) -> None:
        self._exchange = exchange
        self._prepare = prepare
        self._channel: Channel | None = None
        self._connected = asyncio.Event()

    async def run(self, url: str, name: str) -> None:
        """Stay connected until cancelled."""
        await keep_connected(url, name, self._serve)

    async def publish(self, envelope: Envelope) -> None:
        """Returns once RabbitMQ has confirmed the event. One that no Trigger wants is gone, as with Knative.

        Raises: CannotKeep, after which the event may or may not be in RabbitMQ.
        """
        properties, body = to_message(envelope)
        try:
            channel = await self._open_channel()
            async with asyncio.timeout(_CONFIRM_SECONDS):
                await channel.publish(self._exchange, "", properties, body)
        except Unroutable:
            log.warning("no Trigger wants %s of %s: it is gone", envelope.type, envelope.source)
        except TimeoutError:
            raise CannotKeep("RabbitMQ does not answer: is its disk or its memory full?") from None
        except BridgeError as error:
            raise CannotKeep(str(error)) from error

    async def _serve(self, connection: Connection) -> None:
        await self._prepare(connection)
        self._channel = await connection.channel()
        self._connected.set()
        try:
            raise await self._channel.closed
        finally:
            self._connected.clear()

    async def _open_channel(self) -> Channel:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await self._connected.wait()
        except TimeoutError:
            raise CannotKeep("RabbitMQ cannot be reached") from None
        assert self._channel
        return self._channel
