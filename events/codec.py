"""Between the catalogue's dataclasses and the envelopes that travel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import datetime
from typing import Any, TypeVar, get_type_hints

from events.catalogue import CATALOGUE, EventType, dataschema
from events.errors import Malformed, UnknownType
from events.schema import json_type
from events.wire import Envelope

__all__ = ["decode", "encode"]

# The context attributes (CloudEvents 1.0, section "Context Attributes"): they say nothing of what is asked for.
_CONTEXT = {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"}
# Of a name that is none, so much is repeated, in characters.
_MAX_NAME = 40
Payload = TypeVar("Payload", bound=EventType)

_BY_TYPE = {event_type.TYPE: event_type for event_type in CATALOGUE}
_PYTHON = {"string": (str,), "integer": (int,), "number": (int, float), "object": (dict,)}


def encode(
    event_type: type[EventType], data: Mapping[str, Any], *, id: str, source: str, subject: str, time: datetime
) -> Envelope:
    """The envelope of one event. `time` is an aware datetime; `data` a JSON object of `event_type`."""
    attributes = {
        "specversion": "1.0",
        "id": id,
        "type": event_type.TYPE,
        "source": source,
        "subject": subject,
        "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "dataschema": dataschema(event_type),
    }
    return Envelope(attributes, json.dumps(data).encode())


def decode(envelope: Envelope, *accepted: type[Payload], strict: bool = False) -> Payload:
    """The typed data of an event that must be one of `accepted`. Fields that are not in the catalogue are ignored.

    Raises: UnknownType, or Malformed when the data breaks the type's schema; if it is `strict`, also for such a field.
    """
    event_type = _BY_TYPE.get(envelope.type)
    if event_type is None or not issubclass(event_type, accepted):
        raise UnknownType(f"events of type {envelope.type!r} are not handled here")
    data = _json_object(envelope.data)
    if strict:
        _refuse_unknown(event_type, data)
    return event_type(**_checked(event_type, data))


def _refuse_unknown(event_type: type[EventType], data: Mapping[str, Any]) -> None:
    for name in sorted(data.keys() - {item.name for item in fields(event_type)} - _CONTEXT):
        raise Malformed(f"{event_type.TYPE} has no {name[:_MAX_NAME]!r}")


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
        # Half of a surrogate pair is no character (RFC 7493, section 2.1): no database would take it.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Malformed("the event's data is not JSON") from error
    if not isinstance(value, dict):
        raise Malformed("the event's data is not a JSON object")
    return value


def _checked(event_type: type[EventType], data: Mapping[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(event_type)
    known = {}
    for item in fields(event_type):
        value = data.get(item.name)
        if value is None and item.default is MISSING:
            raise Malformed(f"{event_type.TYPE} needs {item.name}")
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, _PYTHON[json_type(hints[item.name])])
        ):
            raise Malformed(f"{event_type.TYPE}: {item.name} must be of type {json_type(hints[item.name])}")
        known[item.name] = value
    return known
