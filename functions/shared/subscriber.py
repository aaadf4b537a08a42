"""Functions that are triggered by events.

A subscriber answers 204 (done, or recorded as failed for good), 503 (try later), or 500 (cannot be used, or a bug: let
the broker bring it to the dead letters), and nothing else: the dispatcher drops an event on every 3xx and most 4xx.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from events.catalogue import CATALOGUE, EventType
from events.codec import decode
from events.errors import EventError
from events.wire import Envelope, read
from functions.shared import logs, telemetry, trace
from functions.shared.bodies import read as read_body
from functions.shared.problems import Unavailable
from functions.shared.routing import Routes
from functions.shared.web import answer

__all__ = ["deliver", "on_event", "subscriber"]

log = logging.getLogger(__name__)

MAX_EVENT_BYTES = 1024 * 1024
# Of strangers' events there are too many types for a metric.
_TYPES = {event_type.TYPE for event_type in CATALOGUE}
Payload = TypeVar("Payload", bound=EventType)
Function = Callable[[Request], Coroutine[Any, Any, Response]]


def subscriber(
    *types: type[Payload], ready: tuple[Callable[[], None], ...] = ()
) -> Callable[[Callable[[Payload], None]], Function]:
    """Turn `handle(event)` into an HTTP function that takes events of these types at POST /.

    `handle` returns when the event has had its effect, and raises Unavailable when it should come again.
    """

    def decorate(handle: Callable[[Payload], None]) -> Function:
        routes = Routes(*ready)
        routes.add("POST", "/", takes_events=True)(on_event(*types)(handle))

        async def function(request: Request) -> Response:
            return await answer(routes, request)

        function.__name__ = handle.__name__
        functions_framework.aio.http(function)
        return function

    return decorate


def on_event(*types: type[Payload]) -> Callable[[Callable[[Payload], None]], Callable[[Request], Response]]:
    """Turn `handle(event)` into the handler of a route, for functions that have other routes too."""

    def decorate(handle: Callable[[Payload], None]) -> Callable[[Request], Response]:
        return lambda request: deliver(request, lambda envelope: handle(decode(envelope, *types)))

    return decorate


def deliver(
    request: Request,
    handle: Callable[[Envelope], None],
    cut_at: int | None = None,
    unreadable: Callable[[dict[str, str], bytes, str], None] | None = None,
) -> Response:
    """Hand the event in a request to `handle`; one of more than 1 MiB is refused, or cut at so many bytes of data.

    The event's own trace is the current one meanwhile, if it has one.
    Args: `unreadable(headers, body, why)` gets what is no event; without it, that is an error.
    Returns: 204; 503 when the handler raises Unavailable, 500 for all else.
    """
    try:
        body = read_body(request, cut_at or MAX_EVENT_BYTES + 1)
        if not cut_at and len(body) > MAX_EVENT_BYTES:
            raise EventError("the event is larger than 1 MiB")
        _hand_over(_headers(request), body, handle, unreadable)
        return Response(status_code=204)
    except Unavailable as error:
        log.warning("event put off: %s", error)
        return Response(str(error), 503, {"Content-Type": "text/plain", "Retry-After": "5"})
    except EventError as error:
        log.error("event refused: %s", error)
        return Response(str(error), 500, {"Content-Type": "text/plain"})
    except Exception:
        log.exception("event failed")
        return Response("the subscriber failed; its log says why", 500, {"Content-Type": "text/plain"})


def _hand_over(
    headers: dict[str, str],
    body: bytes,
    handle: Callable[[Envelope], None],
    unreadable: Callable[[dict[str, str], bytes, str], None] | None,
) -> None:
    try:
        envelope = read(headers, body)
    except EventError as error:
        if unreadable is None:
            raise
        return unreadable(headers, body, str(error))
    asking, its_own = trace.current(), trace.of(envelope.attributes)
    # Within the same trace, the request is the later step.
    followed = asking if its_own is None or (asking and asking.trace_id == its_own.trace_id) else its_own
    about: dict[str, Any] = {"cloudevents__event_id": envelope.id, "cloudevents__event_type": envelope.type}
    with (
        trace.following(followed),
        logs.about(event_id=envelope.id, job_id=envelope.subject),
        telemetry.span(f"process {envelope.type}", "consumer", asking if followed is its_own else None, **about),
    ):
        _note_age(envelope)
        return handle(envelope)


def _note_age(envelope: Envelope) -> None:
    if not telemetry.is_on() or envelope.type not in _TYPES:
        return
    with suppress(ValueError, TypeError):
        seconds = time.time() - datetime.fromisoformat(envelope.attributes.get("time", "")).timestamp()
        telemetry.record("audiolift.event.age", max(0.0, seconds), type=envelope.type)


def _headers(request: Request) -> dict[str, str]:
    """By name; those that come twice are one list (RFC 9110, section 5.3)."""
    joined: dict[str, str] = {}
    for name, value in request.headers.items():
        # An underscore is in no attribute of an event, and must not be what keeps the event from being read.
        if "_" not in name:
            joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined
