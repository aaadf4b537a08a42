"""Events as HTTP messages (CloudEvents 1.0, HTTP protocol binding). The only module that imports cloudevents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cloudevents.exceptions import GenericException
from cloudevents.http import CloudEvent, from_http, to_binary

from events.errors import Malformed

__all__ = ["Envelope", "read", "write"]

_REQUIRED = ("id", "source", "type", "specversion")


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
    if lowered.get("content-type", "").startswith("application/cloudevents-batch"):
        raise Malformed("batches of events are not accepted")
    try:
        event = from_http(lowered, body, data_unmarshaller=_as_bytes)
    except (GenericException, ValueError, TypeError, AttributeError) as error:
        raise Malformed(f"not a CloudEvent: {error}") from error
    return _envelope(event)


def write(envelope: Envelope) -> tuple[dict[str, str], bytes]:
    """The headers and body of an HTTP request that carries the event in binary mode."""
    event = CloudEvent(dict(envelope.attributes), envelope.data)
    headers, body = to_binary(event, data_marshaller=_as_bytes)
    return dict(headers), body


def _envelope(event: CloudEvent) -> Envelope:
    attributes = {name: str(value) for name, value in event.get_attributes().items() if value is not None}
    missing = [name for name in _REQUIRED if not attributes.get(name)]
    if missing:
        raise Malformed(f"the event has no {', '.join(missing)}")
    if attributes["specversion"] != "1.0":
        raise Malformed(f"CloudEvents {attributes['specversion']} is not spoken here, only 1.0")
    data = event.get_data() or b""
    if data:
        attributes.setdefault("datacontenttype", "application/json")
    return Envelope(attributes, data)


def _as_bytes(data: object) -> bytes:
    if data is None:
        return b""
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return data.encode()
    raise Malformed("the event's data is neither text nor bytes")
