"""What a route of the HTTP API says of itself: who may, what it takes, and all that it may answer.

The OpenAPI document is made from these (docs/openapi.py), and the gateway routes and checks by that document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from starlette.requests import Request

from functions.shared.scopes import Scope

__all__ = [
    "ANSWER_SECONDS",
    "JSON",
    "Access",
    "Operation",
    "Parameter",
    "Schema",
    "Shape",
    "Success",
    "Taken",
    "header",
    "part",
    "text",
]

Schema: TypeAlias = "dict[str, Any]"
# What a body is: the class whose JSON it is, or a JSON Schema (draft 2020-12); {} stands for any bytes.
Shape: TypeAlias = "type | Schema"

JSON = "application/json"
# A start from nothing, a wait for the database, and as much again.
ANSWER_SECONDS = 60


class Access(StrEnum):
    """Who may."""

    # Anybody.
    PUBLIC = "public"
    # Anybody; email address and password may come by HTTP Basic.
    BASIC = "basic"
    # Whoever has an access token, or an API key, with the operation's scope; the handler gets its `user_id`.
    TOKEN = "token"
    # Whoever has the signed link, which is part of the path; the handler checks it.
    LINK = "link"
    # Whoever's browser brings the cookie of a session along; the handler reads it.
    COOKIE = "cookie"


@dataclass(frozen=True)
class Parameter:
    """A part of the path or of the query, or a header. Its schema has a `description`."""

    place: Literal["path", "query", "header"]
    name: str
    schema: Schema


@dataclass(frozen=True)
class Taken:
    """What a request brings along: as which parameters, and in which bodies (media type → what it is).

    `problems` are the codes of PROBLEMS that it can lead to. `read` gives arguments of the handler, or raises Problem;
    without it, the handler reads it itself. `optional` says that there need not be a body.
    """

    parameters: tuple[Parameter, ...] = ()
    content: Mapping[str, Shape] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    query: type | None = None
    read: Callable[[Request], dict[str, Any]] | None = None
    optional: bool = False


@dataclass(frozen=True)
class Success:
    """A successful response. `shape` is None when it has no body. `headers` are those that it always has."""

    description: str
    shape: Shape | None = None
    media_types: tuple[str, ...] = (JSON,)
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operation:
    """One method of one path. `problems` are codes of PROBLEMS; `wakes` the functions that are needed next.

    `scope` is None unless access is by token. `seconds` is how long the gateway waits for the answer to begin, once the
    request is sent. `own_page` says that our own page alone may ask for it, which the gateway sees to: it takes the
    cookie of a browser's session, or sets it.
    """

    method: str
    path: str
    tag: str
    handler: Callable[..., Any]
    access: Access
    scope: Scope | None
    takes: tuple[Taken, ...]
    answers: Mapping[int, Success]
    problems: tuple[str, ...]
    wakes: tuple[str, ...]
    seconds: int = ANSWER_SECONDS
    own_page: bool = False


def text(description: str, **more: Any) -> Schema:
    """The schema of a string; `more` are further keywords."""
    return {"type": "string", "description": description, **more}


def header(name: str, description: str, **more: Any) -> Taken:
    """A header that the handler reads."""
    return Taken((Parameter("header", name, text(description, **more)),))


def part(name: str, description: str, **more: Any) -> Taken:
    """A part of the path: <name> in it. The handler gets it by that name."""
    return Taken((Parameter("path", name, text(description, **more)),))
