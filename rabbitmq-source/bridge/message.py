"""Events as AMQP messages, in the form that Knative's RabbitMQ Broker gives them, and messages of others as events.

An event's attributes are AMQP headers without a prefix; its data is the body, unchanged.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pika.spec import BasicProperties

from events import wire
from events.errors import Malformed
from events.wire import Envelope
from knative.delivery import checked

__all__ = ["from_message", "from_plain", "to_message"]

PLAIN_TYPE = "dev.knative.rabbitmq.event"
_PERSISTENT = 2
# Go's zero time: what Knative writes for an event without one.
_NO_TIME = "0001-01-01T00:00:00Z"
_EPOCH, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), 253_402_300_799
_REQUIRED = ("id", "source", "type")
# Unprefixed and ce- is what Knative understands; the others are the AMQP protocol binding's (section 3.1.3.1).
_PREFIX = re.compile(r"^(?:ce-|cloudevents[:_])")
_ATTRIBUTE = re.compile(r"[a-z0-9]+")


def to_message(envelope: Envelope) -> tuple[BasicProperties, bytes]:
    """The properties and the body of the message for an event."""
    content_type = envelope.attributes.get("datacontenttype", "")
    headers: dict[str, Any] = {"time": _NO_TIME, **envelope.attributes, "content-type": content_type}
    headers.pop("datacontenttype", None)
    if _is_int32(headers.get("knativeerrorcode", "")):
        headers["knativeerrorcode"] = int(headers["knativeerrorcode"])
    properties = BasicProperties(
        headers=headers, message_id=envelope.id, content_type=content_type, delivery_mode=_PERSISTENT
    )
    return properties, envelope.data


def from_message(properties: BasicProperties, body: bytes, *, source: str = "") -> Envelope | None:
    """The event in a message, in binary or structured mode; None when the message does not claim to be one.

    `source` is for an event that has none, as Knative does it.
    Raises: Malformed, for a message that claims to be an event but is none.
    """
    if (properties.content_type or "").startswith("application/cloudevents"):
        return checked(wire.read({"content-type": properties.content_type}, body))
    attributes = {"source": source, **dict(_attributes(properties.headers or {}))}
    if "specversion" not in attributes:
        return None
    if properties.content_type:
        attributes.setdefault("datacontenttype", properties.content_type)
    return checked(_valid(Envelope({name: value for name, value in attributes.items() if value}, body)))


def from_plain(properties: BasicProperties, body: bytes, *, source: str, queue: str) -> Envelope:
    """The event that stands for a message that is none, as Knative's RabbitmqSource makes it.

    One difference: without a message_id the id is a hash of queue, time and body, so that a redelivery keeps it.
    """
    event_id = _printable(properties.message_id) or _fingerprint(queue, properties.timestamp, body)
    attributes = {
        "specversion": "1.0",
        "id": event_id,
        "type": PLAIN_TYPE,
        "source": source,
        "subject": event_id,
        "datacontenttype": _printable(properties.content_type) or _content_type(body),
    }
    if properties.timestamp:
        attributes["time"] = _text(_when(properties.timestamp))
    return Envelope(attributes, body)


def _attributes(headers: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    for header, value in headers.items():
        name = _PREFIX.sub("", str(header).lower())
        if name == "content-type":
            name = "datacontenttype"
        # RabbitMQ's own headers begin with x-; what else is no attribute cannot be one of an event.
        if _ATTRIBUTE.fullmatch(name) and isinstance(value, str | bytes | bool | int | float | datetime):
            yield name, _text(value)


def _text(value: str | bytes | bool | int | float | datetime) -> str:
    """As Go prints it, which is what Knative takes for the attribute's value."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, datetime):
        aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return aware.isoformat().replace("+00:00", "Z")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _valid(envelope: Envelope) -> Envelope:
    missing = [name for name in _REQUIRED if not envelope.attributes.get(name)]
    if missing:
        raise Malformed(f"the event has no {', '.join(missing)}")
    if envelope.attributes["specversion"] != "1.0":
        raise Malformed(f"CloudEvents {envelope.attributes['specversion']} is not spoken here, only 1.0")
    return envelope


def _printable(text: str | None) -> str:
    """The text, when it can be an attribute; else ""."""
    return text if text and text.isascii() and text.isprintable() else ""


def _when(timestamp: int) -> datetime:
    """AMQP's timestamp, seconds since 1970, but for one beyond what a date can be."""
    return _EPOCH + timedelta(seconds=min(timestamp, _LATEST))


def _content_type(body: bytes) -> str:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return "application/octet-stream"
    return "application/json"


def _fingerprint(queue: str, timestamp: int | None, body: bytes) -> str:
    return hashlib.sha256(f"{queue}\0{timestamp or ''}\0".encode() + body).hexdigest()


def _is_int32(text: str) -> bool:
    return re.fullmatch(r"-?\d{1,9}", text) is not None
