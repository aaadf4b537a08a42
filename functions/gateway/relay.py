"""A response that another function gives: the bodies of request and answer are passed on as they come, both at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from functions.gateway.hop import homeward, onward
from functions.shared.headers import Headers
from functions.shared.middleware.problems import problem_response
from functions.shared.problems import MARK, Problem
from functions.shared.proxy import Answer, Forwarder, NoAnswer
from functions.shared.routing import loggable

__all__ = ["Relay", "forwarder"]

log = logging.getLogger(__name__)


_SET_BY_OUR_SERVER = (b"date", b"server")
_shared: Forwarder | None = None


async def forwarder() -> Forwarder:
    """The connections of this process, which has one event loop, for its life."""
    global _shared
    if _shared is None:
        _shared = await Forwarder().__aenter__()
    return _shared


class Relay(Response):
    """Forwards a request to the function at `base` (http://host), and becomes its answer. Ends when the client goes.

    The headers that are set on it go before those of the answer, which must begin within `seconds` after the request
    has been sent.
    """

    def __init__(self, request: Request, base: str, seconds: float) -> None:
        super().__init__()
        self._method = request.method
        self._base = base
        self._url = base + _target(request)
        self._body_read = asyncio.Event()
        # Who wants to know how many bytes came, of a body whose length is not stated.
        self._tell: Callable[[int], None] | None = getattr(request.state, "on_received", None)
        self._seconds = seconds
        # Until the answer begins; it runs from when the request has been sent.
        self._limit: asyncio.Timeout | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI side of it."""
        forwarding = asyncio.ensure_future(self._forward(scope, receive, send))
        gone = asyncio.ensure_future(self._client_gone(receive))
        await asyncio.wait((forwarding, gone), return_when=asyncio.FIRST_COMPLETED)
        for task in (forwarding, gone):
            task.cancel()
        ended, _ = await asyncio.gather(forwarding, gone, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended

    @property
    def _ours(self) -> Headers:
        # A Response without a body says so by itself.
        return [pair for pair in self.raw_headers if pair[0] != b"content-length"]

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        connections, begun = await forwarder(), False
        try:
            async with asyncio.timeout(None) as self._limit, self._sending(connections, scope, receive) as answer:
                self._limit.reschedule(None)
                self._limit = None
                if _no_function(answer):
                    raise NoAnswer(f"{self._base}: {answer.status}")
                begun = True
                await self._pass_back(answer, send)
        except (NoAnswer, TimeoutError) as error:
            log.warning("%s %s: %s", self._method, loggable(scope["path"]), error or "no answer in time")
            if begun:
                # A status has gone out: only a connection that breaks tells the client that the body is not whole.
                raise
            await self._refuse(error, scope, receive, send)

    def _sending(self, connections: Forwarder, scope: Scope, receive: Receive) -> AbstractAsyncContextManager[Answer]:
        return connections.send(self._method, self._url, onward(scope), self._body(scope, receive))

    async def _refuse(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        code = "timed-out" if isinstance(error, TimeoutError) else "bad-gateway"
        refusal = self._told(Problem(code, "Try again in a moment.", {"Retry-After": "5"}))
        refusal.raw_headers.extend(self._ours)
        await refusal(scope, receive, send)

    def _told(self, problem: Problem) -> Response:
        """How the client is told of a problem."""
        return problem_response(problem)

    async def _pass_back(self, answer: Answer, send: Send) -> None:
        not_theirs = {*_SET_BY_OUR_SERVER, *(name for name, _ in self._ours)}
        theirs = [(name, value) for name, value in homeward(answer.headers) if name not in not_theirs]
        await send({"type": "http.response.start", "status": answer.status, "headers": [*theirs, *self._ours]})
        async for chunk in answer.body:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _body(self, scope: Scope, receive: Receive) -> AsyncIterator[bytes] | None:
        names = {name for name, _ in scope["headers"]}
        if names & {b"content-length", b"transfer-encoding"}:
            return self._chunks(receive)
        self._sent()
        return None

    async def _chunks(self, receive: Receive) -> AsyncIterator[bytes]:
        more, size = True, 0
        try:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                more = message.get("more_body", False)
                if message.get("body"):
                    size += len(message["body"])
                    yield message["body"]
        finally:
            if self._tell:
                self._tell(size)
        self._sent()

    def _sent(self) -> None:
        self._body_read.set()
        if self._limit:
            self._limit.reschedule(asyncio.get_running_loop().time() + self._seconds)

    async def _client_gone(self, receive: Receive) -> None:
        # While the body is being read, its reader is the one to notice.
        await self._body_read.wait()
        while (await receive())["type"] != "http.disconnect":
            pass


def _target(request: Request) -> str:
    query = request.scope["query_string"].decode("latin-1")
    path: str = request.scope["raw_path"].decode("latin-1")
    return f"{path}?{query}" if query else path


def _no_function(answer: Answer) -> bool:
    """Whether the answer is not the function's but of what stands in front of it: no such host, queue full, crash.

    A function tells of every error by problem details, or by a page that is marked as such.
    """
    headers = dict(answer.headers)
    failed = answer.status == 404 or answer.status >= 500
    told = headers.get(b"content-type", b"").startswith(b"application/problem+json")
    return failed and not told and MARK.lower().encode() not in headers
