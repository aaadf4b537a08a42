"""Asks processes how they are, in the rhythm of queue-proxy, activator and kubelet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from functions.shared.proxy import Forwarder, NoAnswer
from knative.local.cluster import Probe
from knative.local.process import LOCALHOST, Process

__all__ = ["Prober"]

# queue-proxy's own rhythm, for a probe that has no period: each question is given up after a tenth of a second, and a
# verdict is sought for ten seconds at most.
_RETRY_SECONDS = 0.05
_IMPATIENT_SECONDS = 0.1
_POLL_SECONDS = 10
# With a period, the activator asks so often until the process has been ready once.
_ACTIVATOR_SECONDS = 0.2
# kubelet's rhythm, where a probe has none.
_KUBELET_SECONDS = 10
# What is asked is known by this name; kubelet puts its version behind it.
_HEADERS = [(b"User-Agent", b"kube-probe/")]


class Prober:
    """Asks over `forwarder`, with a connection for each question, as kubelet does."""

    def __init__(self, forwarder: Forwarder) -> None:
        self._forwarder = forwarder

    async def until_ready(self, process: Process, probe: Probe) -> None:
        """Ask until there were enough good answers in a row, many times a second: also while the last is worked on."""
        row = 0
        while True:
            good = await self._asked(process, probe, probe.timeout if probe.period else _IMPATIENT_SECONDS)
            row = row + 1 if good else 0
            if row >= probe.successes:
                return
            await asyncio.sleep(_ACTIVATOR_SECONDS if probe.period else _RETRY_SECONDS)

    async def readiness(self, process: Process, probe: Probe) -> AsyncIterator[bool]:
        """Whether a process that was ready still is, each time that this changes."""
        ready, row = True, 0
        while True:
            await asyncio.sleep(probe.period or _KUBELET_SECONDS)
            row = row + 1 if await self._still_ready(process, probe) != ready else 0
            if row >= (probe.failures if ready else probe.successes):
                ready, row = not ready, 0
                yield ready

    async def until_unwell(self, process: Process, probe: Probe) -> None:
        """Ask until there were too many bad answers in a row: kubelet then restarts the container."""
        row = 0
        await asyncio.sleep(probe.delay)
        while True:
            row = 0 if await self._asked(process, probe, probe.timeout) else row + 1
            if row >= probe.failures:
                return
            await asyncio.sleep(probe.period)

    async def _still_ready(self, process: Process, probe: Probe) -> bool:
        if probe.period:
            return await self._asked(process, probe, probe.timeout)
        clock = asyncio.get_running_loop().time
        began = clock()
        with suppress(TimeoutError):
            async with asyncio.timeout(_POLL_SECONDS):
                await self.until_ready(process, probe)
        # kubelet waits for queue-proxy no longer than this; queue-proxy goes on asking.
        return clock() - began <= probe.timeout

    async def _asked(self, process: Process, probe: Probe, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._answered(process, probe)
        except (NoAnswer, OSError):  # a TimeoutError is an OSError
            return False

    async def _answered(self, process: Process, probe: Probe) -> bool:
        if probe.path is None:
            _, writer = await asyncio.open_connection(LOCALHOST, process.port)
            writer.close()
            return True
        async with self._forwarder.send("GET", process.url + probe.path, _HEADERS) as answer:
            return 200 <= answer.status < 400
