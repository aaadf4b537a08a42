"""A function called in this process: as its server would, without the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive

from functions.shared import server
from functions.shared.routing import Routes
from functions.shared.web import answer

__all__ = ["Answered", "answered", "app_of", "call", "received", "scope_of"]


@dataclass(frozen=True)
class Answered:
    """A response: its status, its headers by their names in lower case, its body, and the cookies that it sets."""

    status: int
    headers: dict[str, str]
    body: bytes
    cookies: tuple[str, ...] = ()


def app_of(name: str) -> ASGIApp:
    """The app of a function."""
    app: ASGIApp = server.app_of(name)
    return app


def call(app: ASGIApp, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answered:
    """What an app answers a request. Returns when it has also done what comes after the answer."""
    sent: list[Any] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope_of(method, path, headers), received([body]), send))  # type: ignore[arg-type]
    start, *rest = sent
    pairs = [(name.decode().lower(), value.decode("latin-1")) for name, value in start["headers"]]
    cookies = tuple(value for name, value in pairs if name == "set-cookie")
    return Answered(start["status"], dict(pairs), b"".join(message.get("body", b"") for message in rest), cookies)


def answered(
    handler: Callable[..., Any], method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Answered:
    """What a function answers whose only route, at /, has this handler."""
    routes = Routes()
    routes.add(method, "/", takes_events=True)(handler)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        response = await answer(routes, Request(scope, receive))
        await response(scope, receive, send)

    return call(app, method, "/", headers or {}, body)


def scope_of(method: str, path: str, headers: Mapping[str, str], query: str = "") -> dict[str, Any]:
    """A request's head."""
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    target = {"path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": ""}
    ends = {"scheme": "http", "http_version": "1.1", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80)}
    return {"type": "http", "method": method, "headers": pairs, **target, **ends}


def received(pieces: Iterable[bytes], *, whole: bool = True) -> Receive:
    """A body that comes in these pieces; unless it is whole, the client goes before its end."""
    coming = iter(pieces)

    async def receive() -> Message:
        for piece in coming:
            return {"type": "http.request", "body": piece, "more_body": True}
        return {"type": "http.request"} if whole else {"type": "http.disconnect"}

    return receive
