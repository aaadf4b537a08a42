"""Examples for the OpenAPI document: put together from those of the members, so that each value stands once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.shared.operations import Schema

__all__ = ["example", "of_content"]

EVENT_STREAM = "text/event-stream"


def example(schema: Schema, schemas: Mapping[str, Schema]) -> Any:
    """A value that fits a schema: the first of its own `examples`, or else what its keywords allow.

    Of an object it has the members that are required, and the others that have examples of their own.
    """
    if "$ref" in schema:
        return example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "examples" in schema:
        return schema["examples"][0]
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if "anyOf" in schema:
        return example(next(each for each in schema["anyOf"] if each != {"type": "null"}), schemas)
    return _of_type(schema, schemas)


def of_content(media_type: str, schema: Schema, schemas: Mapping[str, Schema]) -> Schema:
    """The `example` of a body, as a keyword; none for one of bytes."""
    if not schema:
        return {}
    value = example(schema, schemas)
    return {"example": _event(value) if media_type == EVENT_STREAM else value}


def _of_type(schema: Schema, schemas: Mapping[str, Schema]) -> Any:
    match schema.get("type"):
        case "object":
            members = schema.get("properties", {}).items()
            wanted = [pair for pair in members if pair[0] in schema.get("required", ()) or "examples" in pair[1]]
            return {name: example(member, schemas) for name, member in wanted}
        case "array":
            return [example(schema["items"], schemas)]
        case "integer" | "number":
            return schema.get("default", schema.get("minimum", 0))
        case "boolean":
            return True
    raise ValueError(f"{schema} needs examples")


def _event(value: dict[str, Any]) -> str:
    """As in a stream of server-sent events (WHATWG HTML, section 9.2)."""
    return "".join(f"{name}: {text}\n" for name, text in value.items()) + "\n"
