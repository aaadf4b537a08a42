"""Answers that come before the request's body is read: the rest is taken in and thrown away before the connection ends.

Closing a connection with unread bytes makes the kernel reset it, and the reset can overtake the answer: the client
would see an error instead of the 413 (RFC 9112, section 9.6).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["LINGER_SECONDS", "STALL_SECONDS", "Lingering"]

LINGER_SECONDS, STALL_SECONDS = 30, 5


class Lingering:
    """The same app, lingering. What was not even asked for (Expect: 100-continue) is not waited for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI side of it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        body = _Body(scope, receive)

        async def send_and_linger(message: Message) -> None:
            if message["type"] == "http.response.start" and body.not_asked_for:
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            if message["type"] == "http.response.body" and not message.get("more_body") and body.unread:
                await send({**message, "more_body": True})
                await body.drain()
                message = {"type": "http.response.body"}
            await send(message)

        return await self._app(scope, body.receive, send_and_linger)


class _Body:
    """What is known of a request's body."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = dict(scope["headers"])
        self._receive = receive
        self._ended = headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers
        self._expects = headers.get(b"expect", b"").lower() == b"100-continue"
        self._asked = False

    @property
    def not_asked_for(self) -> bool:
        return self._expects and not self._asked and not self._ended

    @property
    def unread(self) -> bool:
        return not self._ended and not self.not_asked_for

    async def receive(self) -> Message:
        self._asked = True
        message = await self._receive()
        self._ended = self._ended or message["type"] == "http.disconnect" or not message.get("more_body")
        return message

    async def drain(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while self.unread:
                    await asyncio.wait_for(self.receive(), STALL_SECONDS)
