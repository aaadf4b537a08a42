"""The broker's ingress: takes events in over HTTP, and puts each into the queue of every Trigger that it matches."""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence

from aiohttp import web

from events import wire
from events.errors import Malformed
from knative.local.cluster import Trigger
from knative.local.queues import Queues

__all__ = ["Broker"]

log = logging.getLogger(__name__)

_LARGEST_EVENT = 1024 * 1024
_BODY_SECONDS = 10
# CloudEvents 1.0, section 3.1: what an attribute may be called; and no control characters in its value.
_NAME = re.compile(r"[a-z0-9]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Broker:
    """Answers as Knative's RabbitMQ broker does. `wake` is called with the name of each Trigger that got an event."""

    def __init__(self, triggers: Sequence[Trigger], queues: Queues, wake: Callable[[str], None]) -> None:
        self._triggers = triggers
        self._queues = queues
        self._wake = wake

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """202 once the event is on the disk; 4xx for what is no event; 503 when it cannot be kept."""
        if request.method != "POST":
            return _refuse(405, "events are sent by POST")
        if request.path != "/":
            return _refuse(404, "events are sent to /")
        try:
            envelope = _checked(wire.read(request.headers, await _body(request)))
            await self.publish(envelope)
        except web.HTTPRequestEntityTooLarge:
            return _refuse(413, f"an event may have {_LARGEST_EVENT} bytes; send what is larger by reference")
        except TimeoutError:
            return _refuse(408, f"the event did not arrive within {_BODY_SECONDS} seconds")
        except Malformed as error:
            return _refuse(400, str(error))
        except sqlite3.Error as error:
            log.error("the broker cannot keep an event: %s", error)
            return _refuse(503, "the event cannot be kept now")
        return web.Response(status=202)

    async def publish(self, envelope: wire.Envelope) -> None:
        """Keep an event for the Triggers that it matches; one that matches none is gone. Raises: sqlite3.Error."""
        matching = [trigger for trigger in self._triggers if _matches(trigger.attributes, envelope)]
        if not matching:
            log.warning("no Trigger wants %s of %s: it is gone", envelope.type, envelope.source)
            return
        await self._queues.put([trigger.name for trigger in matching], envelope)
        for trigger in matching:
            self._wake(trigger.name)


def _matches(wanted: Mapping[str, str], envelope: wire.Envelope) -> bool:
    """Every attribute of the filter is in the event, exactly so."""
    return wanted.items() <= envelope.attributes.items()


async def _body(request: web.BaseRequest) -> bytes:
    body = bytearray()
    async with asyncio.timeout(_BODY_SECONDS):
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > _LARGEST_EVENT:
                raise web.HTTPRequestEntityTooLarge(_LARGEST_EVENT, len(body))
    return bytes(body)


def _checked(envelope: wire.Envelope) -> wire.Envelope:
    """The same event, when its attributes can travel as headers. Raises: Malformed."""
    for name, value in envelope.attributes.items():
        if not _NAME.fullmatch(name) or _CONTROL.search(value):
            raise Malformed(f"the attribute {name!r} has a name or a value that CloudEvents does not allow")
    return envelope


def _refuse(status: int, reason: str) -> web.Response:
    return web.Response(status=status, text=f"{reason}\n")
