"""The OpenAPI 3.1 document of the HTTP API, made from what the functions' routes declare (https://spec.openapis.org/oas/v3.1.1).

`make docs` writes it to functions/gateway/openapi.json. The gateway routes by it: `x-function` names the function that
answers an operation, `x-wakes` those that are needed after it, `x-seconds` how long its answer may take to begin, and
`x-own-page` that our own page alone may ask for it.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from docs.examples import example, of_content
from functions.shared.api import Api
from functions.shared.cookies import SESSION
from functions.shared.operations import Access, Operation, Parameter, Schema, Shape, Success, text
from functions.shared.problems import PROBLEMS, Problem

__all__ = ["PATH", "document", "operations", "written"]

ROOT = Path(__file__).parents[1]
PATH = ROOT / "functions" / "gateway" / "openapi.json"
REFERENCE = "#/components/schemas/{name}"
# In the order in which people need them.
TAGS = ("Accounts", "Jobs", "Uploads", "Files", "Notices", "Administration")
# What any request may be answered with.
ALWAYS = (
    *("too-slow", "too-many-requests", "headers-too-large", "internal", "bad-gateway", "unavailable", "timed-out"),
    "loop-detected",
)
SECURITY: dict[Access, list[Schema]] = {
    Access.PUBLIC: [],
    Access.LINK: [],
    Access.BASIC: [{}, {"basic": []}],
    Access.COOKIE: [{"session": []}],
}
SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token, which POST /v1/token gives, or an API key (`al_…`) of POST /v1/api-keys.",
    },
    "basic": {"type": "http", "scheme": "basic", "description": "Email address and password; for POST /v1/token."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION,
        "description": "The cookie of a browser's session, for our own page; by TLS, `__Host-` goes before its name.",
    },
}
# It is made by functions/shared/problems.py, also in functions that have no part of the API.
PROBLEM: Schema = {
    "title": "Problem",
    "description": "Problem details (RFC 9457).",
    "type": "object",
    "properties": {
        "type": text("A page about it.", format="uri", examples=["http://localhost:8080/v1/problems/not-found"]),
        "title": text("The same for each code.", examples=["There is nothing here"]),
        "status": {"type": "integer", "description": "The HTTP status.", "examples": [404]},
        "detail": text("What went wrong here, and what to do.", examples=["You have no such job."]),
        "code": {"enum": list(PROBLEMS), "description": "For programs; listed in docs/api.md."},
    },
    "required": ["type", "title", "status", "detail", "code"],
}


@cache
def operations() -> tuple[tuple[str, Operation], ...]:
    """Every operation of every function, with the function's name."""
    # The gateway has none; it is made by the document.
    names = sorted({path.parent.name for path in (ROOT / "functions").glob("*/main.py")} - {"gateway"})
    found = ((name, getattr(import_module(f"functions.{name}.main"), "routes", None)) for name in names)
    all_of_them = ((name, each) for name, routes in found if isinstance(routes, Api) for each in routes.operations)
    return tuple(sorted(all_of_them, key=lambda pair: _place(*pair)))


def _place(function: str, operation: Operation) -> tuple[int, str, str, int]:
    """Where an operation stands: as its module has it, whichever of a function's modules was imported first."""
    code = inspect.unwrap(operation.handler).__code__
    return TAGS.index(operation.tag), function, operation.handler.__module__, code.co_firstlineno


@cache
def document() -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    for function, operation in operations():
        path = re.sub(r"<(\w+)>", r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(function, operation)
    about = "Upload a video, get an MP3. Every error is a problem document (RFC 9457) with a `code`."
    return {
        "openapi": "3.1.0",
        "info": {"title": "audiolift", "version": "1", "description": about, "license": {"name": "MIT"}},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in TAGS],
        "paths": paths,
        "components": {
            "schemas": {**_schemas(), "Problem": PROBLEM},
            "examples": _examples(),
            "securitySchemes": SCHEMES,
        },
    }


def written() -> str:
    """The document as it is committed."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def _operation(function: str, operation: Operation) -> Schema:
    first, *more = re.findall(r"[a-z]+", operation.handler.__name__)
    summary, _, description = (inspect.getdoc(operation.handler) or "").partition("\n\n")
    content = {kind: _content(kind, shape) for each in operation.takes for kind, shape in each.content.items()}
    made: Schema = {
        "operationId": first + "".join(word.capitalize() for word in more),
        "tags": [operation.tag],
        "summary": summary.rstrip("."),
        "description": " ".join(description.split()),
        "parameters": list(_parameters(operation)),
        "responses": {str(status): _success(each) for status, each in operation.answers.items()}
        | _problems(_codes(operation)),
        # Scopes may stand beside a scheme that is not OAuth's (OpenAPI 3.1.1, Security Requirement Object).
        "security": [{"token": [operation.scope]}] if operation.scope else SECURITY[operation.access],
        "x-function": function,
        "x-seconds": operation.seconds,
    }
    if content:
        optional = all(each.optional for each in operation.takes if each.content)
        made["requestBody"] = {"required": not optional, "content": content}
    if operation.wakes:
        made["x-wakes"] = list(operation.wakes)
    if operation.own_page:
        made["x-own-page"] = True
    return made


def _codes(operation: Operation) -> list[str]:
    """The problems of an operation, in the order of PROBLEMS."""
    taken = (code for each in operation.takes for code in each.problems)
    by_token = (
        ("unauthenticated", "insufficient-scope", "account-suspended") if operation.access is Access.TOKEN else ()
    )
    by_page = ("wrong-origin",) if operation.own_page else ()
    by_cookie = ("no-session",) if operation.access is Access.COOKIE else ()
    named = {*taken, *by_token, *by_page, *by_cookie, *operation.problems, *ALWAYS}
    assert named <= PROBLEMS.keys(), f"{operation.path}: {named - PROBLEMS.keys()}"
    return [code for code in PROBLEMS if code in named]


def _parameters(operation: Operation) -> Iterator[Schema]:
    for taken in operation.takes:
        yield from map(_parameter, taken.parameters)
        if taken.query:
            yield from map(_parameter, _of_query(taken.query))


def _parameter(parameter: Parameter) -> Schema:
    schema = dict(parameter.schema)
    made = {
        "in": parameter.place,
        "name": parameter.name,
        "description": schema.pop("description"),
        "example": example(schema, _schemas(), parameter.name),
        "schema": schema,
    }
    return made | ({"required": True} if parameter.place == "path" else {})


def _of_query(shape: type) -> Iterator[Parameter]:
    for name, schema in _components([shape])[shape.__name__]["properties"].items():
        # A parameter that is not there is left out, and not null.
        kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
        default = {} if schema.get("default", 0) is None else {"default": schema["default"]}
        schema.pop("default", None)
        yield Parameter("query", name, {**schema, **(kinds[0] if kinds else {}), **default})


def _success(success: Success) -> Schema:
    made: Schema = {"description": success.description}
    if success.shape is not None:
        made["content"] = {kind: _content(kind, success.shape) for kind in success.media_types}
    if success.headers:
        made["headers"] = {name: {"schema": {"type": "string"}} for name in success.headers}
    return made


def _content(media_type: str, shape: Shape) -> Schema:
    schema = _schema(shape)
    return {"schema": schema, **of_content(media_type, schema, _schemas())}


def _schema(shape: Shape) -> Schema:
    return shape if isinstance(shape, dict) else {"$ref": REFERENCE.format(name=shape.__name__)}


@cache
def _schemas() -> dict[str, Schema]:
    """Those of all classes that are bodies, or members of bodies, by their names."""
    taken = (shape for _, each in operations() for taken in each.takes for shape in taken.content.values())
    answered = (success.shape for _, each in operations() for success in each.answers.values())
    queries = [taken.query for _, each in operations() for taken in each.takes if taken.query]
    used = _components([*(shape for shape in (*taken, *answered) if isinstance(shape, type)), *queries])
    return {name: used[name] for name in sorted(used) if name not in {query.__name__ for query in queries}}


def _components(shapes: Iterable[type]) -> dict[str, Schema]:
    return msgspec.json.schema_components(shapes, ref_template=REFERENCE)[1]


def _examples() -> dict[str, Schema]:
    return {code: {"value": json.loads(Problem(code, kind.advice).body())} for code, kind in PROBLEMS.items()}


def _problems(codes: list[str]) -> dict[str, Schema]:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    return {str(status): _problem(same) for status, same in by_status.items()}


def _problem(codes: list[str]) -> Schema:
    schema = {"allOf": [{"$ref": REFERENCE.format(name="Problem")}], "properties": {"code": {"enum": codes}}}
    described = "; ".join(f"`{code}`: {PROBLEMS[code].title}" for code in codes)
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
    content = {"application/problem+json": {"schema": schema, "examples": examples}}
    return {"description": described, "content": content}
