"""Takes messages from one queue, a bounded number at a time, and gives each a safe end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from bridge.channel import Channel, Delivery
from bridge.connection import Connection, keep_connected
from bridge.errors import ConnectionLost, GivenBack, Rejected, Unroutable

__all__ = ["Consumer", "Message"]

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 2


class Message:
    """A message in the hands of a worker, who ends it by `acknowledge` or `reject`; else it is delivered again."""

    def __init__(self, channel: Channel, delivery: Delivery, stopping: asyncio.Future[Any]) -> None:
        self.properties = delivery.properties
        self.body = delivery.body
        self.channel = channel
        self._delivery = delivery
        self._stopping = stopping

    def acknowledge(self) -> None:
        """It is done, or safe elsewhere. Raises: ConnectionLost."""
        self.channel.acknowledge(self._delivery)

    def reject(self) -> None:
        """It cannot be used: it goes to the dead-letter exchange of its queue. Raises: ConnectionLost."""
        self.channel.reject(self._delivery, requeue=False)

    def give_back(self) -> None:
        """It is to be delivered again. Raises: ConnectionLost."""
        self.channel.reject(self._delivery, requeue=True)

    async def pause(self, seconds: float) -> None:
        """Wait. Raises: ConnectionLost or GivenBack as soon as there is no more use in waiting."""
        ends = {self.channel.closed, self._stopping}
        await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if self.channel.closed.done():
            raise self.channel.closed.result()
        if self._stopping.done():
            raise GivenBack


class Consumer:
    """Consumes a queue over a connection of its own, which comes back when it breaks.

    `prepare` declares what is needed; `work` handles one message. RabbitMQ bounds the work: the prefetch count is the
    parallelism, so that nothing waits here, where no other consumer could take it and the consumer timeout ran.
    """

    def __init__(
        self,
        queue: str,
        parallelism: int,
        prepare: Callable[[Connection], Awaitable[None]],
        work: Callable[[Message], Awaitable[None]],
    ) -> None:
        self._queue = queue
        self._parallelism = parallelism
        self._prepare = prepare
        self._work = work
        self._stopping: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._workers: set[asyncio.Task[None]] = set()
        self._grace = 0.0

    async def run(self, url: str, name: str) -> None:
        """Consume until `stop`, which makes this return once everything has its end."""
        await keep_connected(url, name, self._serve)

    def stop(self, seconds: float) -> None:
        """Take no more messages; what is being worked on has so many seconds, all else is given back."""
        self._grace = seconds
        if not self._stopping.done():
            self._stopping.set_result(None)

    async def _serve(self, connection: Connection) -> None:
        if self._stopping.done():
            return
        await self._prepare(connection)
        channel = await connection.channel(prefetch=self._parallelism)
        consumer = await channel.consume(self._queue, lambda delivery: self._begin(channel, delivery))
        log.debug("consuming %s", self._queue)
        await asyncio.wait({channel.closed, self._stopping}, return_when=asyncio.FIRST_COMPLETED)
        if channel.closed.done():
            raise channel.closed.result()
        await channel.cancel(consumer)
        await self._finish()

    async def _finish(self) -> None:
        if self._workers:
            await asyncio.wait(self._workers, timeout=self._grace)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def _begin(self, channel: Channel, delivery: Delivery) -> None:
        worker = asyncio.create_task(self._handle(Message(channel, delivery, self._stopping)))
        self._workers.add(worker)
        worker.add_done_callback(partial(self._ended, channel))

    def _ended(self, channel: Channel, worker: asyncio.Task[None]) -> None:
        """A worker that ended by a bug holds a message that nobody works on: RabbitMQ is to deliver it again."""
        self._workers.discard(worker)
        if not worker.cancelled() and (error := worker.exception()):
            log.error("%s: a worker has ended; connecting again", self._queue, exc_info=error)
            channel.close()

    async def _handle(self, message: Message) -> None:
        try:
            await self._work_on(message)
        except (GivenBack, asyncio.CancelledError):
            self._give_back(message)
        except ConnectionLost as error:
            log.debug("%s: %s; RabbitMQ delivers the message again", self._queue, error)

    async def _work_on(self, message: Message) -> None:
        if self._stopping.done():
            raise GivenBack
        try:
            await self._work(message)
        except (ConnectionLost, GivenBack):
            raise
        except Unroutable as error:
            log.error("%s: %s; looking after the queues again", self._queue, error)
            message.channel.close()
        except Rejected as error:
            log.error("%s: %s; again in %d s", self._queue, error, _PAUSE_SECONDS)
            await message.pause(_PAUSE_SECONDS)
            message.give_back()
        except Exception:  # a bug must not end the consumer, nor lose the message
            log.exception("%s: a delivery went wrong here; it is tried again", self._queue)
            await message.pause(_PAUSE_SECONDS)
            message.give_back()

    def _give_back(self, message: Message) -> None:
        try:
            message.give_back()
        except ConnectionLost as error:
            log.debug("%s: %s; RabbitMQ delivers the message again", self._queue, error)
