"""The other side of the measuring of events (events.py), as a process of its own: who sends them, and takes them."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid

import aiohttp
from aiohttp import web

__all__ = ["Peer"]

CONNECTIONS = 50
HEADERS = {"ce-source": "/test", "ce-type": "numbers", "ce-specversion": "1.0", "content-type": "application/json"}
# As large as most of ours are.
BODY = json.dumps({"job_id": "0" * 32, "filename": "holiday.mp4", "size_bytes": 123_456_789}).encode()


class Peer:
    """Sends events to an ingress, and is the subscriber that takes them. Its orders are lines of standard input."""

    def __init__(self) -> None:
        self._left = 0
        self._done = asyncio.Event()

    async def serve(self) -> None:
        """For each order, [ingress, count], a line: the seconds until all were taken, and until all were delivered."""
        runner = web.ServerRunner(web.Server(self._take, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(json.dumps(f"http://127.0.0.1:{runner.addresses[0][1]}"), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            ingress, self._left = json.loads(line)
            self._done.clear()
            begun = time.monotonic()
            await self._send(ingress, self._left)
            sent = time.monotonic() - begun
            await self._done.wait()
            print(json.dumps([sent, time.monotonic() - begun]), flush=True)
        await runner.cleanup()

    async def _send(self, ingress: str, count: int) -> None:
        ids = iter([uuid.uuid4().hex for _ in range(count)])
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def send() -> None:
                for event_id in ids:
                    async with session.post(f"{ingress}/", data=BODY, headers={**HEADERS, "ce-id": event_id}) as answer:
                        answer.raise_for_status()

            await asyncio.gather(*(send() for _ in range(CONNECTIONS)))

    async def _take(self, request: web.BaseRequest) -> web.Response:
        await request.read()
        self._left -= 1
        if self._left == 0:
            self._done.set()
        return web.Response(status=204)


if __name__ == "__main__":
    asyncio.run(Peer().serve())
