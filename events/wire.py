"""Events as HTTP messages (CloudEvents 1.0, HTTP protocol binding). The only module that imports cloudevents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from cloudevents.conversion import to_binary
from cloudevents.exceptions import GenericException
from cloudevents.http import CloudEvent, from_http

from events.errors import Malformed

__all__ = ["Envelope", "read", "write"]

_REQUIRED = ("id", "source", "type", "specversion")
# CloudEvents 1.0.2, section 3.1: the names of attributes, and of what a string must not hold, that which neither a
# header nor a database can carry.
_NAME = re.compile(r"[a-z0-9]+")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
# HTTP binding 1.0.2, section 3.1.3.2: all that is printable ASCII, but for space, quotation mark and percent sign.
_PLAIN = "".join(map(chr, range(0x21, 0x7F))).translate({ord('"'): None, ord("%"): None})


@dataclass(frozen=True)
class Envelope:
    """One event as it travels: context attributes by name (extensions too, without prefix), and the data as bytes.

    `attributes` always holds id, source, type and specversion; `data` is b"" when the event has none.
    """

    attributes: Mapping[str, str]
    data: bytes

    @property
    def id(self) -> str:
        """The event's id: with `source`, what tells one event from another (CloudEvents 1.0, section 3.1.1)."""
        return self.attributes["id"]

    @property
    def type(self) -> str:
        """The event's type, what Triggers filter on."""
        return self.attributes["type"]

    @property
    def source(self) -> str:
        """Who emitted the event."""
        return self.attributes["source"]

    @property
    def subject(self) -> str:
        """What the event is about (audiolift: the job's id), or ""."""
        return self.attributes.get("subject", "")

    def with_attributes(self, **extra: str) -> Envelope:
        """The same event with more context attributes, for example knativeerrorcode."""
        return Envelope({**self.attributes, **extra}, self.data)


def read(headers: Mapping[str, str], body: bytes) -> Envelope:
    """The event in an HTTP request, in binary or structured mode (CloudEvents HTTP binding 1.0.2, section 3).

    Args: header names in any case; the whole body.
    Raises: Malformed when it is no single CloudEvent 1.0 (batches are not accepted).
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    lowered |= {name: unquote(value) for name, value in lowered.items() if name.startswith("ce-")}
    kind = lowered.get("content-type", "")
    if kind.startswith("application/cloudevents-batch"):
        raise Malformed("batches of events are not accepted")
    if not kind.startswith("application/cloudevents"):
        _check_binary(lowered)
    try:
        event = from_http(lowered, body, data_unmarshaller=_as_bytes)
    except (GenericException, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Malformed(f"not a CloudEvent: {_short(error)}") from error
    return _envelope(event)


def _check_binary(headers: Mapping[str, str]) -> None:
    """Name what a request in binary mode lacks: the library would take it for structured mode, and blame the body."""
    missing = [name for name in _REQUIRED if f"ce-{name}" not in headers]
    if missing and any(name.startswith("ce-") for name in headers):
        raise Malformed(f"the event has no {', '.join(missing)}")


def write(envelope: Envelope) -> tuple[dict[str, str], bytes]:
    """The headers and body of an HTTP request that carries the event in binary mode."""
    event = CloudEvent(dict(envelope.attributes), envelope.data)
    headers, body = to_binary(event, data_marshaller=_as_bytes)
    plain = {name: quote(value, _PLAIN) if name.startswith("ce-") else value for name, value in headers.items()}
    return plain, body


def _envelope(event: CloudEvent) -> Envelope:
    attributes = {name: _text(name, value) for name, value in event.get_attributes().items() if value is not None}
    missing = [name for name in _REQUIRED if not attributes.get(name)]
    if missing:
        raise Malformed(f"the event has no {', '.join(missing)}")
    if attributes["specversion"] != "1.0":
        raise Malformed(f"CloudEvents {attributes['specversion']} is not spoken here, only 1.0")
    data = event.get_data() or b""
    if data:
        attributes.setdefault("datacontenttype", "application/json")
    return Envelope(attributes, data)


def _text(name: str, value: object) -> str:
    """An attribute's value in its canonical string form (CloudEvents 1.0.2, section 3.1)."""
    if isinstance(value, bool):
        return str(value).lower()
    if not _NAME.fullmatch(name) or not isinstance(value, str | int) or _FORBIDDEN.search(str(value)):
        raise Malformed(f"the attribute {name!r} is not one that an event can have")
    return str(value)


def _short(error: Exception) -> str:
    # The library quotes all of the body, and values as they are: not for a log, nor for an answer.
    said = str(error).partition(" The following ")[0][:200]
    return "".join(character if character.isprintable() else "\ufffd" for character in said)


def _as_bytes(data: object) -> bytes:
    if data is None:
        return b""
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return data.encode()
    raise Malformed("the event's data is neither text nor bytes")
