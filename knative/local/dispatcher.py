"""Delivers a Trigger's events to its subscriber, with the status contract of Knative's RabbitMQ dispatcher.

One difference: a retry waits in the queue, not in the worker, so that one failing event does not hold up the others;
the order of events is then not kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from functions.shared.proxy import Forwarder
from knative.delivery import Reply, Verdict, dead_letter, post, verdict
from knative.local.cluster import Sink, Trigger
from knative.local.queues import QueuedEvent, Queues

__all__ = ["Dispatcher"]

log = logging.getLogger(__name__)

_MAX_DEAD_LETTER_WAIT = 60.0
_PAUSE_SECONDS = 1


class Dispatcher:
    """The workers of one Trigger: `parallelism` deliveries at a time.

    `resolve` gives a sink's address on this machine; `destination` is the subscriber's address in a cluster, for the
    knativeerrordest of dead letters.
    """

    def __init__(
        self, trigger: Trigger, queues: Queues, forwarder: Forwarder, resolve: Callable[[Sink], str], destination: str
    ) -> None:
        self._trigger = trigger
        self._queues = queues
        self._forwarder = forwarder
        self._resolve = resolve
        self._destination = destination
        self._claimed: set[int] = set()
        self._turn = asyncio.Lock()
        self._news = asyncio.Event()
        self._stopping = False
        self._workers: set[asyncio.Task[None]] = set()
        self._busy: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to deliver, also what an earlier run left behind."""
        self._workers = {asyncio.create_task(self._work()) for _ in range(self._trigger.parallelism)}

    def wake(self) -> None:
        """There is a new event in the queue."""
        self._news.set()

    async def stop(self, seconds: float) -> None:
        """Deliver nothing new; what is being delivered has so many seconds. What is cut off is delivered again."""
        self._stopping = True
        for worker in self._workers - self._busy:
            worker.cancel()
        if self._busy:
            await asyncio.wait(self._busy, timeout=seconds)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def _work(self) -> None:
        while not self._stopping:
            try:
                await self._deliver_one()
            except Exception:  # a full disk or a bug must not end this Trigger's deliveries for good
                log.exception("%s: a delivery went wrong here; it is tried again", self._trigger.name)
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _deliver_one(self) -> None:
        worker = cast(asyncio.Task[None], asyncio.current_task())
        message = await self._take()
        self._busy.add(worker)
        try:
            await self._deliver(message)
        finally:
            self._claimed.discard(message.id)
            self._busy.discard(worker)
            self._news.set()

    async def _take(self) -> QueuedEvent:
        async with self._turn:
            while True:
                self._news.clear()
                message, due_at = await self._queues.next(self._trigger.name, self._claimed)
                if message:
                    self._claimed.add(message.id)
                    return message
                with suppress(TimeoutError):
                    async with asyncio.timeout(None if due_at is None else max(0.0, due_at - self._queues.now())):
                        await self._news.wait()

    async def _deliver(self, message: QueuedEvent) -> None:
        sink = self._trigger.delivery.dead_letter_sink if message.dead else self._trigger.subscriber
        if sink is None:  # the overlay had one when the event died
            await self._queues.acknowledge(message)
            return
        timeout = self._trigger.delivery.timeout
        reply = await post(self._forwarder, self._resolve(sink), message.envelope, timeout)
        await (self._settle_dead if message.dead else self._settle)(message, reply)

    async def _settle(self, message: QueuedEvent, reply: Reply) -> None:
        decision = verdict(reply.status)
        if decision is Verdict.RETRY:
            await self._retry(message, reply)
            return
        if decision is Verdict.DROPPED:
            log.error("%s answered %d: %s is lost", self._route, reply.status, message.envelope.id)
        await self._queues.acknowledge(message)

    async def _retry(self, message: QueuedEvent, reply: Reply) -> None:
        delivery, retry = self._trigger.delivery, message.attempts + 1
        if retry <= delivery.retry:
            wait = delivery.wait_before(retry)
            log.info("%s: %s; retry %d of %d in %g s", self._route, reply, retry, delivery.retry, wait)
            await self._queues.postpone(message, wait)
        elif delivery.dead_letter_sink:
            log.error("%s: %s; %s goes to the dead letters", self._route, reply, message.envelope.id)
            await self._queues.bury(message, dead_letter(message.envelope, reply, self._destination))
        else:
            log.error("%s: %s; %s is lost", self._route, reply, message.envelope.id)
            await self._queues.acknowledge(message)

    async def _settle_dead(self, message: QueuedEvent, reply: Reply) -> None:
        # Knative's dispatcher drops what its dead-letter sink does not take; here it is kept until it does.
        if verdict(reply.status) is Verdict.DONE:
            await self._queues.acknowledge(message)
            return
        wait = min(self._trigger.delivery.wait_before(message.attempts + 1), _MAX_DEAD_LETTER_WAIT)
        log.error("%s: the dead-letter sink: %s; again in %g s", self._trigger.name, reply, wait)
        await self._queues.postpone(message, wait)

    @property
    def _route(self) -> str:
        return f"{self._trigger.name} → {self._trigger.subscriber.name}"
