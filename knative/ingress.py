"""A broker's ingress: takes events in over HTTP, and answers as that of Knative's RabbitMQ broker does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from events import wire
from events.errors import Malformed
from knative.delivery import MAX_EVENT_BYTES, TRACE, acceptable

__all__ = ["CannotKeep", "Ingress"]

log = logging.getLogger(__name__)

_BODY_SECONDS = 10


class CannotKeep(Exception):
    """The broker cannot keep an event at the moment; its sender has to come again."""


class Ingress:
    """The handler of a listener. `publish` returns when the event is safe, or raises CannotKeep."""

    def __init__(self, publish: Callable[[wire.Envelope], Awaitable[None]]) -> None:
        self._publish = publish

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """202 once the event is safe; 4xx for what is no event; 500 when it cannot be kept, which may pass."""
        if request.method != "POST":
            return _refuse(405, "events are sent by POST", {"Allow": "POST"})
        if request.raw_path != "/":
            return _refuse(404, "events are sent to /")
        try:
            await self._publish(await _event(request))
        except web.HTTPRequestEntityTooLarge:
            return _refuse(413, f"an event may have {MAX_EVENT_BYTES} bytes; send what is larger by reference")
        except TimeoutError:
            return _refuse(408, f"the event did not arrive within {_BODY_SECONDS} seconds")
        except Malformed as error:
            return _refuse(400, str(error))
        except CannotKeep as error:
            log.error("the broker cannot keep an event: %s", error)
            return _refuse(500, "the event cannot be kept now; send it again, with the same id")
        return web.Response(status=202)


async def _event(request: web.BaseRequest) -> wire.Envelope:
    async with asyncio.timeout(_BODY_SECONDS):
        body = await _body(request)
    envelope = wire.read(request.headers, body)
    trace = {name: request.headers[name] for name in TRACE if name in request.headers}
    return acceptable(wire.Envelope({**trace, **envelope.attributes}, envelope.data))


async def _body(request: web.BaseRequest) -> bytes:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MAX_EVENT_BYTES:
            raise web.HTTPRequestEntityTooLarge(MAX_EVENT_BYTES, len(body))
    return bytes(body)


def _refuse(status: int, reason: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=f"{reason}\n", headers=headers)
