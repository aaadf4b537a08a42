"""The processes of one Service: none while idle, more when requests queue, up to max-scale.

Does the work of Knative's autoscaler and of the queue in front of each container (queue-proxy).
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from functions.shared.proxy import NoAnswer, Unreachable
from knative.local.cluster import Service
from knative.local.errors import NoProcess, Overloaded, ProcessError
from knative.local.health import Health
from knative.local.pods import Pods
from knative.local.prober import Prober
from knative.local.process import Process

__all__ = ["Revision"]

log = logging.getLogger(__name__)

# queue-proxy lets ten times containerConcurrency wait for each container.
_WAITING_PER_SLOT = 10
_MAX_BACKOFF = 30
_DYING_SECONDS = 0.1


@dataclass(eq=False)
class _Instance:
    process: Process
    health: Health
    in_flight: int = 0
    idle_since: float = field(default_factory=time.monotonic)


class Revision:
    """Starts, shares out and stops the processes of `service`.

    `launch` starts a process; it is used as soon as `prober` finds it ready.
    """

    def __init__(self, service: Service, launch: Callable[[], Awaitable[Process]], prober: Prober) -> None:
        self.service = service
        self.pods = Pods(service.name, service.max_scale)
        self._launch = launch
        self._prober = prober
        self._instances: list[_Instance] = []
        self._waiting: deque[asyncio.Future[_Instance]] = deque()
        self._starting: set[asyncio.Task[None]] = set()
        self._restarting = 0
        self._background: set[asyncio.Task[None]] = set()
        self._deaths = 0
        self._start_again_at = 0.0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Process]:
        """A place in a process for one request; waits for one, and starts processes as needed.

        Raises: Overloaded, NoProcess.
        """
        instance = self._claim() or await self._queue()
        try:
            yield instance.process
            self._deaths = 0
        except NoAnswer as error:
            await self._examine(instance, error)
            raise
        finally:
            self._release(instance)

    def tick(self) -> None:
        """Called every second: stop what was idle for long enough, start what min-scale wants."""
        self._scale_up()
        oldest = time.monotonic() - self.service.idle_seconds
        idle = [each for each in self._instances if not each.in_flight and each.idle_since < oldest]
        for instance in idle[: max(0, len(self._instances) - self.service.min_scale)]:
            self._instances.remove(instance)
            instance.health.close()
            self.pods.ending(instance.process)
            log.info("%s: idle, process %d is stopped", self.service.name, instance.process.pid)
            self._in_background(instance, instance.process.stop(self.service.timeout))

    async def close(self, seconds: float) -> None:
        """Stop all processes, those with requests in flight too: SIGTERM, and SIGKILL after `seconds`."""
        self._refuse_waiting("audiolift is being stopped")
        stopped, self._instances = self._instances, []
        for instance in stopped:
            instance.health.close()
        for task in (*self._starting, *self._background):
            task.cancel()
        await asyncio.gather(*self._starting, *self._background, return_exceptions=True)
        await asyncio.gather(*(instance.process.stop(seconds) for instance in stopped))

    def _claim(self) -> _Instance | None:
        # The first that has room, so that the last ones fall idle when there is less to do. One that was ready once is
        # used when no other is: so does the activator.
        for instance in sorted(self._instances, key=lambda each: not each.health.ready):
            if instance.in_flight < self.service.concurrency:
                instance.in_flight += 1
                return instance
        return None

    def _release(self, instance: _Instance) -> None:
        instance.in_flight -= 1
        instance.idle_since = time.monotonic()
        self._hand_out()

    async def _queue(self) -> _Instance:
        self._refuse_when_hopeless()
        ticket: asyncio.Future[_Instance] = asyncio.get_running_loop().create_future()
        self._waiting.append(ticket)
        self._scale_up()
        try:
            return await ticket
        except asyncio.CancelledError:
            if ticket.done() and not ticket.cancelled() and not ticket.exception():  # our turn, in the same moment
                self._release(ticket.result())
            raise
        finally:
            with suppress(ValueError):
                self._waiting.remove(ticket)

    def _refuse_when_hopeless(self) -> None:
        if len(self._waiting) >= _WAITING_PER_SLOT * self.service.concurrency * self.service.max_scale:
            raise Overloaded
        if not self._instances and time.monotonic() < self._start_again_at:
            raise NoProcess(f"{self.service.name} does not start; its log says why")

    def _hand_out(self) -> None:
        while self._waiting and (instance := self._claim()):
            ticket = self._waiting.popleft()
            if ticket.done():
                instance.in_flight -= 1
            else:
                ticket.set_result(instance)

    def _refuse_waiting(self, reason: str) -> None:
        while self._waiting:
            ticket = self._waiting.popleft()
            if not ticket.done():
                ticket.set_exception(NoProcess(reason))

    def _scale_up(self) -> None:
        if time.monotonic() < self._start_again_at:
            return
        load = len(self._waiting) + sum(instance.in_flight for instance in self._instances)
        wanted = max(self.service.min_scale, math.ceil(load / self.service.concurrency))
        there = len(self._instances) + len(self._starting) + self._restarting
        for _ in range(min(wanted, self.service.max_scale) - there):
            task = asyncio.create_task(self._start())
            self._starting.add(task)
            task.add_done_callback(self._started)

    def _started(self, task: asyncio.Task[None]) -> None:
        self._starting.discard(task)
        if not task.cancelled():
            self._scale_up()

    async def _start(self) -> None:
        began = time.monotonic()
        try:
            instance = await self._ready_instance()
        except (ProcessError, OSError) as error:  # OSError: no memory or no disk to start one
            self._died(f"{self.service.name}: {error}")
            return
        except Exception as error:  # those who wait for a process must not wait for ever
            log.exception("%s: no process was started", self.service.name)
            self._died(f"{self.service.name}: {error!r}")
            return
        self._instances.append(instance)
        log.info(
            "%s: process %d of at most %d is ready after %.1f s",
            *(self.service.name, len(self._instances), self.service.max_scale, time.monotonic() - began),
        )
        self._hand_out()
        self._in_background(instance, self._watch(instance))

    async def _ready_instance(self) -> _Instance:
        """Raises: ProcessError, OSError, or what a bug raises; the process is gone then, as when this is cancelled."""
        process = await self._launch()
        health = Health(process, self.service, self._prober)
        self.pods.began(process, health)
        try:
            await health.until_ready()
        except BaseException:
            health.close()
            await process.stop(0)
            raise
        return _Instance(process, health)

    async def _watch(self, instance: _Instance) -> None:
        await asyncio.wait({instance.health.ended})
        await (self._restart(instance) if instance.health.unwell else self._lost(instance))

    async def _restart(self, instance: _Instance) -> None:
        """As kubelet does with a container whose liveness probe fails: what is in flight has its grace period."""
        if instance not in self._instances:
            return
        message = f"{self.service.name}: process {instance.process.pid} failed its liveness probe"
        log.error("%s; it is stopped, and another takes its place", message)
        self._instances.remove(instance)
        instance.health.close()
        self._restarting += 1
        try:
            await instance.process.stop(self.service.timeout)
        finally:
            self._restarting -= 1
        self._died(f"{message} and was stopped")
        self._scale_up()

    async def _examine(self, instance: _Instance, error: NoAnswer) -> None:
        """Most often its process is dying: see that before the next request is sent there."""
        if isinstance(error, Unreachable) and instance in self._instances:
            instance.process.kill()
        await asyncio.wait({instance.process.exited}, timeout=_DYING_SECONDS)
        if instance.process.exited.done():
            await self._lost(instance)

    async def _lost(self, instance: _Instance) -> None:
        if instance not in self._instances:
            return
        process = instance.process
        self._instances.remove(instance)
        instance.health.close()
        process.kill()
        self._died(f"{self.service.name}: process {process.pid} died: {await process.how_it_ended()}")
        self._scale_up()

    def _died(self, message: str) -> None:
        """One death is met by a new process at once; those that follow without a success between, later and later."""
        log.error("%s", message)
        self._deaths += 1
        if self._deaths < 2:
            return
        backoff = min(2 ** (self._deaths - 2), _MAX_BACKOFF)
        self._start_again_at = time.monotonic() + backoff
        log.error("%s: died %d times in a row; not started for %d s", self.service.name, self._deaths, backoff)
        if not self._instances:
            self._refuse_waiting(f"{self.service.name} does not start; its log says why")

    def _in_background(self, instance: _Instance, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        task.add_done_callback(partial(self._ended, instance))

    def _ended(self, instance: _Instance, task: asyncio.Task[None]) -> None:
        """What looked after a process has ended: by a bug, and the process that nobody looks after has to go too."""
        if task.cancelled() or not (error := task.exception()):
            return
        log.error("%s: process %d is given up", self.service.name, instance.process.pid, exc_info=error)
        instance.health.close()
        instance.process.kill()
        if instance in self._instances:
            self._instances.remove(instance)
            self._died(f"{self.service.name}: process {instance.process.pid} was given up")
        self._scale_up()
