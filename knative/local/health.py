"""How one process is: not yet ready, ready, not ready for the moment, ended."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from knative.local.cluster import Probe, Service
from knative.local.errors import ProcessError
from knative.local.prober import Prober
from knative.local.process import Process
from knative.supervision import supervised

__all__ = ["Health"]

log = logging.getLogger(__name__)

# Knative's progress-deadline; queue-proxy says every ten seconds that it still asks.
_START_SECONDS = 600
_COMPLAINT_SECONDS = 10


class Health:
    """Watches a process from its start. `ended` is done when it is of no more use: dead, or `unwell` for good.

    `ready` says whether its readiness probe is content at the moment.
    """

    def __init__(self, process: Process, service: Service, prober: Prober) -> None:
        self.ready = False
        self.unwell = False
        self._process = process
        self._service = service
        self._prober = prober
        self.ended = asyncio.create_task(self._until_ended())
        self._readiness: asyncio.Task[None] | None = None

    async def until_ready(self) -> None:
        """Wait until the process is ready. Raises: ProcessError when it will not be; it may still run then."""
        asking = asyncio.create_task(self._prober.until_ready(self._process, self._service.readiness))
        try:
            await self._either(asking)
        finally:
            asking.cancel()
        self.ready = True
        name = f"{self._service.name}: the readiness of process {self._process.pid}"
        self._readiness = asyncio.create_task(supervised(name, self._follow))

    def close(self) -> None:
        """Ask nothing more."""
        self.ended.cancel()
        if self._readiness:
            self._readiness.cancel()

    async def _either(self, asking: asyncio.Task[None]) -> None:
        for _ in range(_START_SECONDS // _COMPLAINT_SECONDS):
            await asyncio.wait({asking, self.ended}, timeout=_COMPLAINT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if self.ended.done():
                raise ProcessError(await self._why_ended())
            if asking.done():
                return asking.result()
            log.warning("%s: process %d is not ready yet", self._service.name, self._process.pid)
        raise ProcessError(f"was not ready within {_START_SECONDS} seconds{self._process.last_lines}")

    async def _why_ended(self) -> str:
        if self.unwell:
            return f"failed its liveness probe before it was ready{self._process.last_lines}"
        return f"does not start: {await self._process.how_it_ended()}"

    async def _until_ended(self) -> None:
        liveness = self._service.liveness
        asking = asyncio.create_task(self._until_unwell(liveness) if liveness else asyncio.Event().wait())
        try:
            await asyncio.wait({asking, self._process.exited}, return_when=asyncio.FIRST_COMPLETED)
            self.unwell = not self._process.exited.done()
        finally:
            asking.cancel()

    async def _until_unwell(self, liveness: Probe) -> None:
        name = f"{self._service.name}: the liveness of process {self._process.pid}"
        await supervised(name, partial(self._prober.until_unwell, self._process, liveness))

    async def _follow(self) -> None:
        self.ready = True  # what is told from here on are the changes
        async for ready in self._prober.readiness(self._process, self._service.readiness):
            self.ready = ready
            state = "ready again" if ready else "not ready"
            log.warning("%s: process %d is %s", self._service.name, self._process.pid, state)
