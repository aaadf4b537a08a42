"""The types of the Python client (knative/client/models.py), made from the schemas of the OpenAPI document."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docs.openapi import document
from functions.shared.jobs.states import ENDED, State

__all__ = ["PATH", "written"]

PATH = Path(__file__).parent.parent / "knative" / "client" / "models.py"
# What the client takes apart; each brings what it refers to.
ROOTS = (
    *("Job", "JobPage", "Token", "Account", "ApiKey", "ApiKeyList", "MadeApiKey", "Problem"),
    *("OidcDevice", "OidcPending", "OidcProvider", "OidcStart"),
)
HEAD = '''"""What the API answers with. Made from functions/gateway/openapi.json by `make docs`.

What an answer may lack is None; a field that this release does not know is left out.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct

'''
SIMPLE = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None", "object": "Any"}
_REFERENCE = "#/components/schemas/"


def written() -> str:
    """The module, as it ought to be."""
    schemas = document()["components"]["schemas"]
    names = sorted(_with_referred(schemas))
    listed = "".join(f"    {json.dumps(name)},\n" for name in ("ENDED", *sorted([*names, "State"])))
    return HEAD + f"__all__ = [\n{listed}]\n" + _states() + "".join(_class(name, schemas) for name in names)


def _states() -> str:
    members = "".join(f'    {state.name} = "{state}"\n' for state in State)
    ended = ", ".join(f"State.{state.name}" for state in State if state in ENDED)
    about = '    """The states of a job that this release knows."""\n\n'
    enum = f"\n\nclass State(StrEnum):\n{about}{members}"
    return f"{enum}\n\n# In these nothing more happens by itself.\nENDED = ({ended})\n"


def _with_referred(schemas: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    left = list(ROOTS)
    while left:
        name = left.pop()
        if name not in found and "properties" in schemas[name]:
            found.add(name)
            left += _referred(schemas[name])
    return found


def _referred(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if str(schema.get("$ref", "")).startswith(_REFERENCE):
            yield schema["$ref"].removeprefix(_REFERENCE)
        for value in schema.values():
            yield from _referred(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _referred(value)


def _class(name: str, schemas: dict[str, Any]) -> str:
    schema = schemas[name]
    about = schema.get("description") or f"{name}."
    required = set(schema.get("required", ()))
    fields = [_field(each, member, schemas, each in required) for each, member in schema["properties"].items()]
    body = "\n\n".join(fields)
    return f'\n\nclass {name}(Struct, kw_only=True):\n    """{_line(about)}"""\n\n{textwrap.indent(body, "    ")}\n'


def _field(name: str, schema: dict[str, Any], schemas: dict[str, Any], required: bool) -> str:
    kind = _type(schema, schemas)
    optional = kind if required else f"{kind.removesuffix(' | None')} | None"
    default = "" if required else " = None"
    about = f'\n"""{_line(schema["description"])}"""' if schema.get("description") else ""
    return f"{name}: {optional}{default}{about}"


def _type(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    # A value that this release does not know is no reason to refuse an answer: enums are plain texts.
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REFERENCE)
        return name if "properties" in schemas[name] else "str"
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(each, schemas) for each in schema["anyOf"]))
    kind = schema.get("type", "string" if "enum" in schema else "object")
    if isinstance(kind, list):
        return " | ".join(SIMPLE[each] for each in kind)
    if kind == "array":
        return f"list[{_type(schema.get('items', {}), schemas)}]"
    return "dict[str, Any]" if kind == "object" else SIMPLE[kind]


def _line(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace('"""', "'''")
