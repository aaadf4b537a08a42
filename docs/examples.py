"""Examples for the OpenAPI document: put together from those of the members, so that each value stands once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.shared.operations import Schema

__all__ = ["example", "of_content"]

EVENT_STREAM = "text/event-stream"
JOB, USER = "0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01", "3f0c1a5e9d7b4c2f8e6a0b1d2c3e4f50"
# Of members that mean the same wherever they are, and of kinds of texts.
BY_NAME = {
    **{"job_id": JOB, "user_id": USER, "actor": USER, "email": "anna@example.com", "filename": "talk.mp4"},
    **{"id": "5a1e0b9c6f6e3d5a4f0d9f5c1e2a7b8c", "event_id": "7d0f5c2e-2a63-5f5e-9a49-6c1a5b7d2e40"},
    **{"type": "dev.audiolift.video.uploaded.v1", "source": "/audiolift/upload", "reason": "the sink answered 500"},
    **{"cursor": "MjAyNi0xMS0yNg", "next_cursor": "MjAyNi0xMS0yNg", "password": "a long pass phrase"},
}
BY_KIND = {"date-time": "2026-11-26T12:00:00.000Z", "base64": "e30=", "^[0-9a-f]{32}$": JOB}


def example(schema: Schema, schemas: Mapping[str, Schema], name: str = "") -> Any:
    """A value that fits the schema of what has this name: the first of its own `examples`, or what its keywords allow.

    Of an object it has the members that are required, and the others that have examples of their own.
    """
    if "$ref" in schema:
        return example(schemas[schema["$ref"].rpartition("/")[2]], schemas, name)
    if "examples" in schema:
        return schema["examples"][0]
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if "anyOf" in schema:
        return example(next(each for each in schema["anyOf"] if each != {"type": "null"}), schemas, name)
    return _of_type(schema, schemas, name)


def of_content(media_type: str, schema: Schema, schemas: Mapping[str, Schema]) -> Schema:
    """The `example` of a body, as a keyword; none for one of bytes."""
    if not schema:
        return {}
    value = example(schema, schemas)
    return {"example": _event(value) if media_type == EVENT_STREAM else value}


def _of_type(schema: Schema, schemas: Mapping[str, Schema], name: str) -> Any:
    match schema.get("type"):
        case "object":
            members = schema.get("properties", {}).items()
            wanted = [pair for pair in members if pair[0] in schema.get("required", ()) or "examples" in pair[1]]
            return {member: example(inner, schemas, member) for member, inner in wanted}
        case "array":
            return [example(schema["items"], schemas, name)]
        case "integer" | "number":
            return schema.get("default", schema.get("minimum", 0))
        case "boolean":
            return True
        case "string":
            kinds = (schema.get(keyword) for keyword in ("format", "contentEncoding", "pattern"))
            of_kind = next((BY_KIND[kind] for kind in kinds if kind in BY_KIND), None)
            return of_kind or BY_NAME.get(name) or schema.get("description", "text").partition(".")[0].lower()
    raise ValueError(f"{name}: {schema} needs examples")


def _event(value: dict[str, Any]) -> str:
    """As in a stream of server-sent events (WHATWG HTML, section 9.2)."""
    return "".join(f"{name}: {text}\n" for name, text in value.items()) + "\n"
