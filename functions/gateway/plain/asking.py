"""Requests of the gateway's own to the functions, in the name of whoever's browser asks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from functions.gateway.hop import protocol_of
from functions.gateway.relay import forwarder
from functions.shared import settings
from functions.shared.headers import Headers
from functions.shared.operations import ANSWER_SECONDS, JSON
from functions.shared.problems import PROBLEMS, Problem
from functions.shared.proxy import Answer, NoAnswer

__all__ = ["Told", "ask", "read"]

# What a function is to know of the browser.
_PASSED_ON = ("user-agent", "x-request-id", "traceparent", "tracestate")


@dataclass(frozen=True)
class Told:
    """What a function answered: status, JSON, and the cookies that it sets."""

    status: int
    body: dict[str, Any]
    cookies: tuple[str, ...]


async def ask(
    request: Request, function: str, method: str, path: str, body: object = None, token: str = "", cookie: str = ""
) -> Told:
    """The answer of a function. Raises: Problem, its own, or that it gives none."""
    data = b"" if body is None else json.dumps(body).encode()
    headers = [*_headers(request, token, cookie), (b"content-length", str(len(data)).encode())]
    url = settings.text(f"{function.upper()}_URL") + path
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            async with (await forwarder()).send(method, url, headers, _once(data)) as answer:
                return await read(answer)
    except (NoAnswer, TimeoutError):
        raise Problem("bad-gateway", "Try again in a moment.", {"Retry-After": "5"}) from None


async def read(answer: Answer) -> Told:
    """An answer in JSON, or without a body. Raises: Problem, if it tells of one."""
    body = b"".join([chunk async for chunk in answer.body])
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        value = {}
    if answer.status >= 400:
        code = value.get("code")
        about = {"reason": value["reason"]} if "reason" in value else {}
        said = str(value.get("detail", "Try again in a moment."))
        raise Problem(code if code in PROBLEMS else "bad-gateway", said, **about)
    cookies = tuple(text.decode("latin-1") for name, text in answer.headers if name == b"set-cookie")
    return Told(answer.status, value, cookies)


def _headers(request: Request, token: str, cookie: str) -> Headers:
    kept = [(name, request.headers[name]) for name in _PASSED_ON if name in request.headers]
    ours = {"accept": JSON, "content-type": JSON, "cookie": cookie, "authorization": token and f"Bearer {token}"}
    pairs = [*kept, *((name, value) for name, value in ours.items() if value)]
    by = (b"x-forwarded-proto", protocol_of(request.scope))
    return [by, *((name.encode(), value.encode("latin-1")) for name, value in pairs)]


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
