"""The listener of one Service: passes each request on to a process of it, which the first request starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, suppress

from aiohttp import web
from multidict import CIMultiDict

from functions.shared.proxy import Answer, Forwarder, Headers, NoAnswer, Unreachable, header_text
from knative.local.revision import Overloaded, Revision, Unavailable

__all__ = ["Activator"]

_FORWARDED = {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Activator:
    """Handles the requests of a listener. `edge` is for the one that the outside world talks to: it says who called."""

    def __init__(self, revision: Revision, forwarder: Forwarder, *, edge: bool) -> None:
        self._revision = revision
        self._forwarder = forwarder
        self._edge = edge

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Forward one request; answers like queue-proxy: 502 no answer, 503 queue full, 504 over timeoutSeconds.

        Waiting for a process counts against the timeout. The slot is free as soon as the client has its answer or is
        gone, even if the process still works on the request.
        """
        try:
            return await self._forward(request)
        except (Overloaded, Unavailable) as error:
            return web.Response(status=503, text=f"{error}\n", headers={"Retry-After": "1"})
        except NoAnswer:
            return web.Response(status=502, text=f"{self._revision.service.name} broke off without an answer\n")
        except TimeoutError:
            return web.Response(status=504, text=f"{self._revision.service.name} did not answer in time\n")

    async def _forward(self, request: web.BaseRequest) -> web.StreamResponse:
        service = self._revision.service
        end = asyncio.get_running_loop().time() + service.timeout
        async with asyncio.timeout(service.response_start_timeout) as deadline:
            while True:
                # A process that nobody reaches is taken out by its revision: the next slot is in another.
                with suppress(Unreachable):
                    async with self._revision.slot() as process, self._send(request, process.url) as answer:
                        deadline.reschedule(end)
                        return await _relay(request, answer)

    def _send(self, request: web.BaseRequest, base: str) -> AbstractAsyncContextManager[Answer]:
        url = base + _target(request)
        return self._forwarder.send(request.method, url, self._headers(request), _body(request))

    def _headers(self, request: web.BaseRequest) -> Headers:
        headers = list(request.raw_headers)
        if not self._edge:
            return headers
        known = [(name, value) for name, value in headers if name.lower() not in _FORWARDED]
        return [
            *known,
            (b"X-Forwarded-For", (request.remote or "").encode()),
            (b"X-Forwarded-Host", next((value for name, value in headers if name.lower() == b"host"), b"")),
            (b"X-Forwarded-Proto", request.scheme.encode()),
        ]


def _target(request: web.BaseRequest) -> str:
    """Path and query as they came, also from the absolute form (RFC 9112, section 3.2.2)."""
    path = request.raw_path if request.raw_path.startswith("/") else request.rel_url.raw_path_qs
    return path if path.startswith("/") else f"/{path}"


def _body(request: web.BaseRequest) -> AsyncIterator[bytes] | None:
    return _chunks(request) if request.body_exists else None


async def _chunks(request: web.BaseRequest) -> AsyncIterator[bytes]:
    """The body; 100 is sent when its first chunk is asked for (RFC 9110, section 10.1.1)."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
        request.transport.write(_CONTINUE)
    async for chunk in request.content.iter_any():
        yield chunk


async def _relay(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    headers = CIMultiDict((name.decode("ascii"), header_text(value)) for name, value in answer.headers)
    response = web.StreamResponse(status=answer.status, headers=headers)
    await response.prepare(request)
    try:
        async for chunk in answer.body:
            await response.write(chunk)
        await response.write_eof()
    except ConnectionResetError:
        return response  # the client has gone: there is nobody to tell
    except BaseException:
        # A status has gone out: only a connection that breaks tells the client that the body is not whole.
        if request.transport:
            request.transport.abort()
        raise
    return response
