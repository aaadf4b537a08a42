"""JSON Schemas (draft 2020-12) and the AsyncAPI document, made from the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, get_args, get_origin, get_type_hints

from events.catalogue import CATALOGUE, FROM_OTHERS, FROM_RABBITMQ, EventType, VideoSubmitted, dataschema

__all__ = ["asyncapi", "example", "json_schema", "json_type"]

_PLAIN = "plainMessage"
_JSON_TYPES = {str: "string", int: "integer", float: "number"}


def json_type(hint: Any) -> str:
    """The JSON type of a field's Python type (str, int, float, a mapping, or one of them or None)."""
    inner = [part for part in get_args(hint) if part is not type(None)] if type(None) in get_args(hint) else [hint]
    return "object" if get_origin(inner[0]) is Mapping or get_origin(inner[0]) is not None else _JSON_TYPES[inner[0]]


def json_schema(event_type: type[EventType]) -> dict[str, Any]:
    """The JSON Schema of the data of one event type."""
    hints = get_type_hints(event_type)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": dataschema(event_type),
        "title": event_type.TYPE,
        "description": event_type.__doc__,
        "type": "object",
        "properties": {
            item.name: {"type": json_type(hints[item.name]), "description": item.metadata["description"]}
            for item in fields(event_type)
        },
        "required": [item.name for item in fields(event_type) if item.default is MISSING],
    }


def example(event_type: type[EventType]) -> dict[str, Any]:
    """One whole event in the structured JSON format (CloudEvents JSON event format 1.0.2)."""
    return {
        "specversion": "1.0",
        "id": "5b1d7f0e-6f0e-5d0a-9d43-0f3c2a9f7e11",
        "type": event_type.TYPE,
        "source": "/systems/cms" if event_type in FROM_OTHERS else event_type.SOURCE,
        "subject": event_type.EXAMPLE.get("job_id", "article-4711"),
        "time": "2026-11-21T09:30:00.000Z",
        "datacontenttype": "application/json",
        "dataschema": dataschema(event_type),
        "data": dict(event_type.EXAMPLE),
    }


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0.0 document of the catalogue: one channel, the broker, and one operation per type.

    What Knative makes of a message that is no event, and audiolift takes for video.submitted, has one too.
    """
    names = {event_type.__name__[0].lower() + event_type.__name__[1:]: event_type for event_type in CATALOGUE}
    operations = {name: _operation(event_type, name, event_type.__doc__) for name, event_type in names.items()}
    operations[_PLAIN] = _operation(VideoSubmitted, _PLAIN, "The same by a message in RabbitMQ that is no event.")
    messages = {name: _message(event_type, event_type.TYPE) for name, event_type in names.items()}
    messages[_PLAIN] = _message(VideoSubmitted, FROM_RABBITMQ)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "audiolift events",
            "version": "1",
            "description": "CloudEvents 1.0 over HTTP (binary or structured mode) through the Knative Broker.",
        },
        "channels": {
            "broker": {
                "address": "/",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": operations,
        "components": {"messages": messages},
    }


def _operation(event_type: type[EventType], name: str, summary: str | None) -> dict[str, Any]:
    return {
        "action": "receive" if event_type in FROM_OTHERS else "send",
        "channel": {"$ref": "#/channels/broker"},
        "messages": [{"$ref": f"#/channels/broker/messages/{name}"}],
        "summary": summary,
    }


def _message(event_type: type[EventType], sent_as: str) -> dict[str, Any]:
    return {
        "name": sent_as,
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "properties": {"ce-type": {"type": "string", "const": sent_as}},
            "required": ["ce-id", "ce-source", "ce-specversion", "ce-type"],
        },
        "payload": {"$ref": f"./schemas/{event_type.TYPE}.json"},
        "examples": [{"name": "data", "payload": dict(event_type.EXAMPLE)}],
    }
