"""Connections and channels of pika as awaitables, and a connection that comes back whenever it breaks.

Everything runs in one event loop, so that heartbeats go on however long a delivery takes.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pika
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.exceptions import AMQPError

from bridge.channel import Channel, settle
from bridge.errors import ConnectionLost

__all__ = ["Connection", "connected", "keep_connected"]

log = logging.getLogger(__name__)
# It reports as errors what is reported here, with what is done about it.
logging.getLogger("pika").setLevel(logging.CRITICAL)

_HEARTBEAT_SECONDS = 15
_OPEN_SECONDS = 15
_CLOSE_SECONDS = 3
_MIN_WAIT = 0.2
_MAX_WAIT = 10.0


class Connection:
    """An open connection. `version` is RabbitMQ's, for example (3, 10)."""

    def __init__(self, pika_connection: AsyncioConnection, closed: asyncio.Future[BaseException]) -> None:
        self._connection = pika_connection
        self._closed = closed
        version = str((pika_connection.server_properties or {}).get("version", "0.0"))
        self.version = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())

    async def channel(self, *, prefetch: int = 0) -> Channel:
        """A channel with publisher confirms; a consumer holds `prefetch` messages at most. Raises: ConnectionLost."""
        opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            raw = self._connection.channel(on_open_callback=partial(settle, opened))
        except AMQPError as error:
            raise ConnectionLost(f"the connection to RabbitMQ is gone: {error!r}") from error
        channel = Channel(raw)
        await asyncio.wait({opened, channel.closed}, timeout=_OPEN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not opened.done():
            raise ConnectionLost("RabbitMQ does not open a channel")
        await channel.prepare(prefetch)
        return channel

    async def close(self) -> None:
        """Say goodbye to RabbitMQ, which then has all that was sent before."""
        with suppress(AMQPError):
            self._connection.close()
        await asyncio.wait({self._closed}, timeout=_CLOSE_SECONDS)
        if not self._closed.done():  # RabbitMQ does not answer
            self._connection._adapter_disconnect_stream()  # pika has no public way to hang up
            await asyncio.wait({self._closed}, timeout=_CLOSE_SECONDS)


@asynccontextmanager
async def connected(url: str, name: str) -> AsyncIterator[Connection]:
    """A connection to an amqp:// or amqps:// URL; RabbitMQ lists it under `name`. Raises: ConnectionLost."""
    connection = await _open(url, name)
    try:
        yield connection
    finally:
        await connection.close()


async def keep_connected(url: str, name: str, serve: Callable[[Connection], Awaitable[None]]) -> None:
    """Await `serve(connection)`, and again on a new connection each time it raises ConnectionLost, until it returns.

    Waits in between, longer each time (exponential backoff with full jitter).
    """
    failures = 0
    while True:
        since = time.monotonic()
        try:
            async with connected(url, name) as connection:
                return await serve(connection)
        except ConnectionLost as error:
            failures = 0 if time.monotonic() - since > _MAX_WAIT else failures + 1
            wait = random.uniform(_MIN_WAIT, min(_MAX_WAIT, _MIN_WAIT * 2.0**failures))
            log.warning("%s: %s; connecting again in %.1f s", name, error, wait)
        await asyncio.sleep(wait)


async def _open(url: str, name: str) -> Connection:
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[BaseException | None] = loop.create_future()
    closed: asyncio.Future[BaseException] = loop.create_future()
    raw = AsyncioConnection(
        _parameters(url, name),
        on_open_callback=lambda _: settle(opened, None),
        on_open_error_callback=lambda _, error: settle(opened, error),
        on_close_callback=lambda _, error: settle(closed, error),
        custom_ioloop=loop,
    )
    try:
        async with asyncio.timeout(_OPEN_SECONDS):
            failed = await opened
    except TimeoutError as error:
        failed = error
    except asyncio.CancelledError:
        _abandon(raw)
        raise
    if failed is None:
        return Connection(raw, closed)
    _abandon(raw)
    raise _lost(url, failed) from failed


def _abandon(raw: AsyncioConnection) -> None:
    with suppress(AMQPError):
        raw.close()


def _parameters(url: str, name: str) -> pika.URLParameters:
    parameters = pika.URLParameters(url)
    if "heartbeat=" not in url:
        parameters.heartbeat = _HEARTBEAT_SECONDS
    parameters.client_properties = {"connection_name": name}
    return parameters


def _lost(url: str, error: BaseException) -> ConnectionLost:
    parts = urlsplit(url)
    return ConnectionLost(f"RabbitMQ at {parts.hostname}:{parts.port or 5672} cannot be reached: {error!r}")
