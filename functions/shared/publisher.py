"""Posts events to K_SINK, and says what became of each: the only way by which events leave a function."""

from __future__ import annotations

import http.client
import logging
import re
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from events.wire import Envelope, write
from functions.shared import settings, telemetry, trace

__all__ = ["Outcome", "Receipt", "post", "publish"]

log = logging.getLogger(__name__)

SEND_SECONDS = 10
# Neither a proxy (the sink is beside us, whatever http_proxy says) nor a redirect, which would make a GET of the POST.
_SINK = urllib.request.OpenerDirector()
for _handler in (urllib.request.HTTPHandler, urllib.request.HTTPSHandler, urllib.request.UnknownHandler):
    _SINK.add_handler(_handler())
# RFC 9110, sections 5.1 and 5.5; bytes beyond ASCII are written as Latin-1.
_NAME, _VALUE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"), re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# What may go well later, as Knative's dispatcher and source see it; and 5xx.
_LATER = {404, 408, 409, 425, 429}
# What is said of this event, not of the sink or of who sends: no later try goes better.
_FOR_GOOD = {400, 406, 411, 412, 413, 414, 415, 416, 417, 422, 431}


class Outcome(Enum):
    """What became of an event that was posted."""

    SENT = "the sink took it"
    AWAY = "the sink takes nothing now: no other event would fare better"
    REFUSED = "the sink does not take this event; another one it may take"


@dataclass(frozen=True)
class Receipt:
    """The outcome, and in words why the event was not taken. `for_good`: no sink would ever take this very event."""

    outcome: Outcome
    reason: str = ""
    for_good: bool = False


def publish(envelope: Envelope) -> Receipt:
    """Post an event in binary mode, its trace in the HTTP headers too. Never raises."""
    try:
        headers, body = write(envelope)
    except Exception as error:  # the envelope may hold whatever another system has sent
        log.exception("event %r cannot be written down as an HTTP request", envelope.attributes.get("id"))
        return Receipt(Outcome.REFUSED, f"it cannot be sent by HTTP: {error}", for_good=True)
    about: dict[str, Any] = {"cloudevents__event_id": envelope.id, "cloudevents__event_type": envelope.type}
    with (
        trace.following(trace.of(envelope.attributes)),
        telemetry.span(f"send {envelope.type}", "producer", **about) as step,
    ):
        followed = trace.current()
        receipt = post({**headers, **(followed.headers() if followed else {})}, body)
        if receipt.outcome is not Outcome.SENT:
            step.fail(receipt.outcome.name.lower())
        return receipt


def post(headers: Mapping[str, str], body: bytes) -> Receipt:
    """Post headers and body as they are. Never raises."""
    if not all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in headers.items()):
        return Receipt(Outcome.REFUSED, "its headers cannot be sent by HTTP", for_good=True)
    sink = settings.text("K_SINK")
    if not sink:
        return Receipt(Outcome.AWAY, "K_SINK is not set")
    try:
        request = urllib.request.Request(sink, data=body, headers=dict(headers), method="POST")
        with _SINK.open(request, timeout=SEND_SECONDS) as response:
            return _judged(response.status)
    except (http.client.HTTPException, OSError, ValueError) as error:
        return Receipt(Outcome.AWAY, f"the sink does not answer: {error}")


def _judged(status: int) -> Receipt:
    if 200 <= status < 300:
        return Receipt(Outcome.SENT)
    reason = f"the sink answers {status}"
    if status in _LATER or status >= 500:
        return Receipt(Outcome.AWAY, reason)
    return Receipt(Outcome.REFUSED, reason, for_good=status in _FOR_GOOD)
