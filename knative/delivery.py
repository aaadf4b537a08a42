"""The delivery contract of Knative's RabbitMQ dispatcher: what an answer means, and what a dead letter says.

Held by both brokers of this machine: the one inside the local runner, and the bridge over a real RabbitMQ.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from events import wire
from events.errors import Malformed
from functions.shared.headers import header_text
from functions.shared.proxy import Answer, Forwarder, NoAnswer

__all__ = [
    "MAX_EVENT_BYTES",
    "NO_ANSWER",
    "TRACE",
    "Reply",
    "Verdict",
    "acceptable",
    "checked",
    "dead_letter",
    "post",
    "sound",
    "verdict",
]

log = logging.getLogger(__name__)

NO_ANSWER = -1
MAX_EVENT_BYTES = 1024 * 1024
TRACE = ("traceparent", "tracestate")
# CloudEvents 1.0, section 3.1: what an attribute may be called; and no control characters in its value.
_NAME = re.compile(r"[a-z0-9]+")
# RFC 3339, section 5.6, in capitals: the SDK that Knative's ingress has takes no others.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# What servers take as a header, with room for those that are no attributes.
_MAX_VALUE = 8000
_MAX_ATTRIBUTES = 64
_RETRIED = {404, 408, 409, 429}
_ERROR_DATA_BYTES = 1024


class Verdict(Enum):
    """What the dispatcher makes of a subscriber's answer."""

    DONE = "done"
    DROPPED = "dropped"
    RETRY = "retry"


@dataclass(frozen=True)
class Reply:
    """A subscriber's answer: its status, NO_ANSWER for none, its headers, and its body up to the largest event."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def __str__(self) -> str:
        return "no answer" if self.status == NO_ANSWER else f"answered {self.status}"

    @property
    def event(self) -> wire.Envelope | None:
        """The event that a good answer carries, which goes to the broker; None when it carries none."""
        if verdict(self.status) is not Verdict.DONE or not self._claims_an_event:
            return None
        try:
            if len(self.body) > MAX_EVENT_BYTES:
                raise Malformed(f"it has more than {MAX_EVENT_BYTES} bytes")
            return acceptable(wire.read(self.headers, self.body))
        except Malformed as error:
            log.error("a subscriber replied with what is no event, which is lost: %s", error)
            return None

    @property
    def _claims_an_event(self) -> bool:
        structured = self.headers.get("content-type", "").startswith("application/cloudevents")
        return structured or "ce-specversion" in self.headers


def verdict(status: int) -> Verdict:
    """2xx is done. 404, 408, 409, 429, 5xx and no answer are retried. All others are acknowledged, and lost."""
    if 200 <= status < 300:
        return Verdict.DONE
    if status in _RETRIED or status >= 500 or status == NO_ANSWER:
        return Verdict.RETRY
    return Verdict.DROPPED


def sound(envelope: wire.Envelope) -> wire.Envelope:
    """The same event, when its attributes are such as CloudEvents allows. Raises: Malformed."""
    for name, value in envelope.attributes.items():
        if not _NAME.fullmatch(name) or _CONTROL.search(value):
            raise Malformed(f"the attribute {name!r} has a name or a value that CloudEvents does not allow")
    return envelope


def checked(envelope: wire.Envelope) -> wire.Envelope:
    """The same event, when it can travel as an HTTP message in binary mode. Raises: Malformed."""
    for name, value in sound(envelope).attributes.items():
        if len(value) > _MAX_VALUE:
            raise Malformed(f"the attribute {name!r} is longer than {_MAX_VALUE} characters")
    if len(envelope.attributes) > _MAX_ATTRIBUTES:
        raise Malformed(f"the event has more than {_MAX_ATTRIBUTES} attributes")
    return envelope


def acceptable(envelope: wire.Envelope) -> wire.Envelope:
    """As `checked`, when a broker takes it in, too: its time, if it has one, is a time. Raises: Malformed."""
    moment = envelope.attributes.get("time")
    if moment is not None and not _is_time(moment):
        raise Malformed("the attribute 'time' is not such as 2026-11-21T09:30:00Z (RFC 3339)")
    return checked(envelope)


def _is_time(text: str) -> bool:
    try:
        # There is no 30th of February.
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return _TIME.fullmatch(text) is not None


def dead_letter(envelope: wire.Envelope, reply: Reply, destination: str) -> wire.Envelope:
    """The event as it goes to the dead letters: with the last answer, and the address that gave it.

    Of one that is too large for its sink to take, the beginning.
    """
    reasons = {"knativeerrorcode": str(reply.status), "knativeerrordest": destination}
    if reply.body:
        reasons["knativeerrordata"] = base64.b64encode(reply.body[:_ERROR_DATA_BYTES]).decode()
    return wire.Envelope({**envelope.attributes, **reasons}, envelope.data[:MAX_EVENT_BYTES])


async def post(forwarder: Forwarder, url: str, envelope: wire.Envelope, seconds: float | None) -> Reply:
    """POST an event in binary mode; one attempt, of so many seconds (None: as long as it takes)."""
    try:
        headers, body = wire.write(envelope)
        async with asyncio.timeout(seconds), forwarder.send("POST", url, _pairs(headers, body), _once(body)) as answer:
            return await _reply(answer)
    except (NoAnswer, TimeoutError):
        return Reply(NO_ANSWER)


def _pairs(headers: Mapping[str, str], body: bytes) -> list[tuple[bytes, bytes]]:
    pairs = [(name.encode("ascii"), value.encode()) for name, value in headers.items()]
    # Knative's brokers carry the trace in the HTTP header of W3C Trace Context, not as an attribute only.
    pairs += [(name.encode(), headers[f"ce-{name}"].encode()) for name in TRACE if f"ce-{name}" in headers]
    return [*pairs, (b"content-length", str(len(body)).encode())]


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _reply(answer: Answer) -> Reply:
    headers = {name.decode("ascii").lower(): header_text(value) for name, value in answer.headers}
    body = b""
    async for chunk in answer.body:
        body = (body + chunk)[: MAX_EVENT_BYTES + 1]
    return Reply(answer.status, headers, body)
