"""The listener of one Service: passes each request on to a process of it, which the first request starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, suppress

from aiohttp import web

from functions.shared.proxy import Answer, Forwarder, NoAnswer, Unreachable
from knative.local.cluster import Service
from knative.local.errors import NoPlace
from knative.local.front import inward, outward, refusal, said, target
from knative.local.revision import Revision

__all__ = ["Activator"]

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_TIMED_OUT = "request timeout"
_LAST_WORDS_SECONDS = 3


class Activator:
    """Handles the requests of a listener, which are for one of `hosts`; None means any, at the edge to the outside."""

    def __init__(self, revision: Revision, forwarder: Forwarder, hosts: frozenset[str] | None) -> None:
        self._revision = revision
        self._forwarder = forwarder
        self._hosts = hosts

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Forward one request; answers like queue-proxy: 502 no answer, 503 queue full, 504 over a time limit.

        Waiting for a process counts against the limits. The slot is free as soon as the client has its answer or is
        gone, even if the process still works on the request.
        """
        try:
            return refusal(request, self._hosts) or await self._forward(request)
        except NoPlace as error:
            return said(503, f"{error}\n")
        except NoAnswer:
            return said(502, f"{self._revision.service.name} broke off without an answer\n")
        except TimeoutError:
            return said(504, _TIMED_OUT)

    async def _forward(self, request: web.BaseRequest) -> web.StreamResponse:
        relay = _Relay(request)
        try:
            async with asyncio.timeout(None) as deadline:
                limits = _Limits(self._revision.service, deadline)
                while True:
                    # A process that nobody reaches is taken out by its revision: the next slot is in another.
                    with suppress(Unreachable):
                        async with self._revision.slot() as process, self._send(request, process.url) as answer:
                            return await relay.pass_back(answer, limits)
        except TimeoutError:
            if not relay.response:
                raise
            return await relay.cut()

    def _send(self, request: web.BaseRequest, base: str) -> AbstractAsyncContextManager[Answer]:
        headers = inward(request, edge=self._hosts is None)
        return self._forwarder.send(request.method, base + target(request), headers, _body(request))


class _Limits:
    """The time limits of one request, as queue-proxy keeps them; `deadline` is moved to the nearest."""

    def __init__(self, service: Service, deadline: asyncio.Timeout) -> None:
        self._clock = asyncio.get_running_loop().time
        self._idle = service.idle_timeout
        self._deadline = deadline
        self._end = self._clock() + service.timeout
        self._move(min(self._end, self._clock() + service.response_start_timeout))

    def written(self) -> None:
        """The answer has begun, or gone on."""
        self._move(self._end)

    def _move(self, limit: float) -> None:
        self._deadline.reschedule(min(limit, self._clock() + self._idle) if self._idle else limit)


class _Relay:
    """The answer's way back. `response` is there once it has begun."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self.response: web.StreamResponse | None = None

    async def pass_back(self, answer: Answer, limits: _Limits) -> web.StreamResponse:
        """Give the client all of it. When it breaks off, so does the connection: a status has gone out already."""
        limits.written()
        self.response = web.StreamResponse(status=answer.status, headers=outward(answer.headers))
        await self.response.prepare(self._request)
        try:
            async for chunk in answer.body:
                await self.response.write(chunk)
                limits.written()
            await self.response.write_eof()
        except ConnectionResetError:
            pass  # the client has gone: there is nobody to tell
        except Exception:
            self._abort()
            raise
        return self.response

    async def cut(self) -> web.StreamResponse:
        """End an answer that took too long. As queue-proxy does it, one without a stated length ends in order."""
        assert self.response
        if self.response.content_length is not None:
            self._abort()
            return self.response
        try:
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await self.response.write(_TIMED_OUT.encode())
                await self.response.write_eof()
        except (TimeoutError, ConnectionResetError):
            self._abort()
        return self.response

    def _abort(self) -> None:
        if self._request.transport:
            self._request.transport.abort()


def _body(request: web.BaseRequest) -> AsyncIterator[bytes] | None:
    return _chunks(request) if request.body_exists else None


async def _chunks(request: web.BaseRequest) -> AsyncIterator[bytes]:
    """The body; 100 is sent when its first chunk is asked for (RFC 9110, section 10.1.1)."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
        request.transport.write(_CONTINUE)
    async for chunk in request.content.iter_any():
        yield chunk
