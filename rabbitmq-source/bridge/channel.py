"""One channel of pika, with futures in the place of callbacks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pika
from pika.channel import Channel as PikaChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker
from pika.spec import Basic, BasicProperties

from bridge.errors import ChannelClosed, ConnectionLost, Rejected, Unroutable

__all__ = ["Channel", "Delivery", "settle"]

_ANSWER_SECONDS = 30


@dataclass(frozen=True)
class Delivery:
    """A message that RabbitMQ gave us; `tag` acknowledges it on the channel that it came by."""

    tag: int
    properties: BasicProperties
    body: bytes


class Channel:
    """A channel in confirm mode. Once it is gone `closed` has the ConnectionLost that every method then raises."""

    def __init__(self, raw: PikaChannel) -> None:
        self.closed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._raw = raw
        self._published = 0
        self._unconfirmed: dict[int, tuple[str | None, asyncio.Future[None]]] = {}
        self._returned: set[str | None] = set()
        raw.add_on_close_callback(self._on_close)

    async def prepare(self, prefetch: int) -> None:
        """Ask for publisher confirms, and for no more than `prefetch` unacknowledged messages (0: any number)."""
        self._raw.add_on_return_callback(self._on_return)
        await self._ask(self._raw.confirm_delivery, ack_nack_callback=self._on_confirm)
        if prefetch:
            await self._ask(self._raw.basic_qos, prefetch_count=prefetch)

    async def declare_exchange(self, name: str, kind: str, arguments: Mapping[str, Any], *, passive: bool) -> None:
        """A durable exchange; `passive` only asks whether it is there (ChannelClosed with code 404 when it is not)."""
        given = None if passive else dict(arguments)
        about = {"exchange": name, "exchange_type": kind, "arguments": given}
        await self._ask(self._raw.exchange_declare, durable=not passive, passive=passive, **about)

    async def declare_queue(self, name: str, arguments: Mapping[str, Any], *, passive: bool) -> None:
        """A durable queue; `passive` only asks whether it is there (ChannelClosed with code 404 when it is not)."""
        given = None if passive else dict(arguments)
        await self._ask(self._raw.queue_declare, queue=name, durable=not passive, passive=passive, arguments=given)

    async def bind(self, queue: str, exchange: str, routing_key: str, arguments: Mapping[str, Any]) -> None:
        """Bind a queue to an exchange; the same binding twice is one."""
        await self._ask(
            self._raw.queue_bind, queue=queue, exchange=exchange, routing_key=routing_key, arguments=dict(arguments)
        )

    async def consume(self, queue: str, receive: Callable[[Delivery], None]) -> str:
        """Have each message of the queue handed to `receive`. Returns: the consumer's tag.

        The channel is lost when RabbitMQ ends the consumer, as it does when the queue is deleted.
        """
        self._raw.add_on_cancel_callback(lambda _: self.close())
        consumer: list[str] = []

        def start(callback: Callable[[Any], None]) -> None:
            consumer.append(self._raw.basic_consume(queue, _receiver(receive), callback=callback))

        await self._ask(start)
        return consumer[0]

    async def cancel(self, consumer: str) -> None:
        """Let no more messages come."""
        await self._ask(self._raw.basic_cancel, consumer_tag=consumer)

    async def publish(self, exchange: str, routing_key: str, properties: BasicProperties, body: bytes) -> None:
        """Publish a message; returns when RabbitMQ has confirmed that it has it in every queue that wants it.

        Raises: Unroutable when no queue does; Rejected; ConnectionLost, when nobody knows.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._attempt(self._raw.basic_publish, exchange, routing_key, body, properties, mandatory=True)
        self._published += 1
        tag = self._published
        self._unconfirmed[tag] = properties.message_id, future
        try:
            await future
        finally:
            self._unconfirmed.pop(tag, None)

    def acknowledge(self, delivery: Delivery) -> None:
        """RabbitMQ may forget the message."""
        self._attempt(self._raw.basic_ack, delivery.tag)

    def reject(self, delivery: Delivery, *, requeue: bool) -> None:
        """RabbitMQ is to deliver the message again, or to give it to the queue's dead-letter exchange."""
        self._attempt(self._raw.basic_nack, delivery.tag, requeue=requeue)

    def close(self) -> None:
        """Give the channel up: its unacknowledged messages are delivered again."""
        if self._raw.is_open:
            self._raw.close()

    async def _ask(self, method: Callable[..., object], **arguments: Any) -> None:
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._attempt(method, **arguments, callback=partial(settle, answered))
        ends = {answered, self.closed}
        await asyncio.wait(ends, timeout=_ANSWER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if self.closed.done() and not answered.done():
            raise self.closed.result()
        if not answered.done():
            raise ConnectionLost("RabbitMQ does not answer; if that stays so, see whether a quorum queue has no leader")

    def _attempt(self, method: Callable[..., object], *arguments: Any, **named: Any) -> None:
        if self.closed.done():
            raise self.closed.result()
        try:
            method(*arguments, **named)
        except AMQPError as error:
            raise ConnectionLost(f"the channel to RabbitMQ is gone: {error!r}") from error

    def _on_return(self, _channel: object, _method: object, properties: BasicProperties, _body: bytes) -> None:
        self._returned.add(properties.message_id)  # RabbitMQ returns a message before it confirms it

    def _on_confirm(self, frame: Any) -> None:
        last, many = frame.method.delivery_tag, frame.method.multiple
        for tag in [tag for tag in self._unconfirmed if tag == last or (many and tag <= last)]:
            message_id, future = self._unconfirmed.pop(tag)
            if future.done():
                continue
            if isinstance(frame.method, Basic.Nack):
                future.set_exception(Rejected())
            elif message_id in self._returned:
                future.set_exception(Unroutable(f"no queue is bound for the message {message_id}"))
            else:
                future.set_result(None)
            self._returned.discard(message_id)

    def _on_close(self, _channel: object, reason: BaseException) -> None:
        lost = ConnectionLost(f"the connection to RabbitMQ broke: {reason!r}")
        if isinstance(reason, ChannelClosedByBroker):
            lost = ChannelClosed(reason.reply_code, reason.reply_text)
        self.closed.set_result(lost)
        for _, future in self._unconfirmed.values():
            if not future.done():
                future.set_exception(lost)


def settle(future: asyncio.Future[Any], result: object) -> None:
    """Give a future its result, unless whoever waited has left. For pika's callbacks."""
    if not future.done():
        future.set_result(result)


def _receiver(receive: Callable[[Delivery], None]) -> Callable[..., None]:
    def on_message(_channel: object, method: Basic.Deliver, properties: pika.BasicProperties, body: bytes) -> None:
        receive(Delivery(method.delivery_tag, properties, body))

    return on_message
