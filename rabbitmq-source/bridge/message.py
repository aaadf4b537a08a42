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
from events.catalogue import FROM_RABBITMQ
from events.errors import Malformed
from events.wire import Envelope
from knative.delivery import sound

__all__ = ["from_message", "from_plain", "lasting_id", "to_message"]

_PERSISTENT = 2
# Go's zero time: what Knative writes for an event without one.
_NO_TIME = "0001-01-01T00:00:00Z"
_EPOCH, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), 253_402_300_799
_REQUIRED = ("id", "source", "type")
_VERSIONS = ("1.0", "0.3")
_FORMATS = ("application/cloudevents+json", "application/cloudevents-batch+json")
# What Knative understands; the prefixes of the AMQP protocol binding (section 3.1.3.1) are not among it.
_PREFIX = "ce-"
# RabbitMQ's own headers, which are no attributes.
_OF_RABBITMQ = "x-"


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


def from_message(properties: BasicProperties, body: bytes, *, source: str = "", id: str = "") -> Envelope | None:
    """The event in a message, in binary or structured mode; None when the message does not claim to be one.

    One in binary mode that has no id or no source gets these, as Knative does it.
    Raises: Malformed, for a message that claims to be an event but is none.
    """
    format = (properties.content_type or "").partition(";")[0].strip().lower()
    if format in _FORMATS:
        return sound(wire.read({"content-type": format}, body))
    attributes = {"id": id, "source": source, **dict(_attributes(properties.headers or {}))}
    if attributes.get("specversion") not in _VERSIONS:
        return None
    if properties.content_type:
        attributes.setdefault("datacontenttype", properties.content_type)
    if missing := [name for name in _REQUIRED if not attributes.get(name)]:
        raise Malformed(f"the event has no {', '.join(missing)}")
    return sound(Envelope({name: value for name, value in attributes.items() if value}, body))


def from_plain(properties: BasicProperties, body: bytes, *, source: str, id: str) -> Envelope:
    """The event that stands for a message that is none, as Knative's RabbitmqSource makes it.

    Raises: Malformed, when `id` is none.
    """
    attributes = {
        "specversion": "1.0",
        "id": id,
        "type": FROM_RABBITMQ,
        "source": source,
        "subject": id,
        "datacontenttype": _printable(properties.content_type) or _content_type(body),
    }
    if properties.timestamp:
        attributes["time"] = _text(_when(properties.timestamp))
    return sound(Envelope(attributes, body))


def lasting_id(queue: str, properties: BasicProperties, body: bytes) -> str:
    """The message_id, or, when no event can have that, an id that a redelivery keeps."""
    if usable := _printable(properties.message_id):
        return usable
    return hashlib.sha256(f"{queue}\0{properties.timestamp or ''}\0".encode() + body).hexdigest()


def _attributes(headers: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    for header, value in headers.items():
        name = str(header).lower().removeprefix(_PREFIX)
        if not name.startswith(_OF_RABBITMQ):
            yield "datacontenttype" if name == "content-type" else name, _text(value)


def _text(value: object) -> str:
    """As Go prints it, which is what Knative takes for the attribute's value."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, datetime):
        aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return aware.isoformat().replace("+00:00", "Z")
    return str(value).lower() if isinstance(value, bool) else str(value)


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


def _is_int32(text: str) -> bool:
    return re.fullmatch(r"-?\d{1,9}", text) is not None
