"""What requests bring along as typed classes (msgspec.Struct): read, checked, and handed to the handler."""

from __future__ import annotations

import json
import re
from enum import Enum
from functools import partial
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request

from functions.shared import bodies
from functions.shared.operations import JSON, Taken
from functions.shared.problems import Problem

__all__ = ["checked", "form", "json_body", "json_object", "no_query", "query"]

FORM = "application/x-www-form-urlencoded"
MAX_JSON_BYTES, MAX_FORM_BYTES = 64 * 1024, 16 * 1024
# Of a name that is none, so much is repeated, in characters.
_MAX_NAME = 40
Made = TypeVar("Made", bound=msgspec.Struct)
_once = partial(bodies.once, where="the body")
_OBJECT = msgspec.json.Decoder(dict[str, Any])
# How msgspec puts it: "Object missing required field `email`", and "Expected `str`, got `int` - at `$.email`".
_MISSING = re.compile("Object missing required field `(.+)`")
_AT_MEMBER = re.compile(r"(.*) - at `\$\.(\w+)(.*)`", re.DOTALL)
# And of words: "Invalid enum value 'x'", "Expected `str` matching regex '^[0-9a-f]+$'".
_NO_CHOICE, _NO_FORM = "Invalid enum value ", "Expected `str` matching regex "


def json_body(
    shape: type[msgspec.Struct], invalid: str = "bad-request", *, optional: bool = False, most: int = MAX_JSON_BYTES
) -> Taken:
    """A JSON object (RFC 8259) of at most `most` bytes; the handler gets it as `body`, an object of that class.

    `invalid` is the problem when it is JSON, and not of the class. `optional`, no body is an object without members.
    """

    def read(request: Request) -> dict[str, Any]:
        given = {} if optional and not bodies.has_body(request) else json_object(request, most)
        return {"body": checked(given, shape, invalid)}

    problems = ("bad-request", "too-large", "unsupported-media-type", invalid)
    return Taken(content={JSON: shape}, problems=problems, read=read, optional=optional)


def form(shape: type[msgspec.Struct]) -> Taken:
    """A form of at most 16 KiB; the handler gets it as `form`. No body is a form without fields.

    Programs that speak OAuth find `error` in what is refused (RFC 6749, section 5.2).
    """

    def read(request: Request) -> dict[str, Any]:
        try:
            return {"form": checked(_fields(request, shape), shape, "bad-request", strict=False)}
        except Problem as problem:
            raise Problem(problem.code, problem.detail, error="invalid_request") from None

    return Taken(content={FORM: shape}, problems=("bad-request", "too-large"), read=read)


def query(shape: type[msgspec.Struct]) -> Taken:
    """What is asked for after the question mark; the handler gets it as `query`.

    Other names are refused, and a name that comes twice: who has misspelled a filter must not get everything.
    """

    def read(request: Request) -> dict[str, Any]:
        asked = bodies.query(request)
        for name in sorted(asked.keys() - set(shape.__struct_fields__)):
            raise Problem("bad-request", f"There is no `{name[:_MAX_NAME]}` in the query. See /v1/docs.")
        return {"query": checked(asked, shape, "bad-request", strict=False)}

    return Taken(problems=("bad-request",), query=shape, read=read)


def no_query(request: Request, instead: str) -> None:
    """Refuse, by its name, what is in the query where nobody looks for it; `instead` says where it is to be.

    Raises: Problem (400).
    """
    for name in bodies.query(request):
        raise Problem("bad-option", f"`{name[:_MAX_NAME]}` in the address: {instead}.")


def checked(given: Any, shape: type[Made], invalid: str, strict: bool = True) -> Made:
    """The object of that class that these values make. Raises: Problem, of the code `invalid`, when they do not.

    Not `strict`, a text stands for a number too, as in forms and queries.
    """
    try:
        return msgspec.convert(given, shape, strict=strict)
    except msgspec.ValidationError as error:
        raise Problem(invalid, _sentence(str(error), shape)) from None


def json_object(request: Request, most: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """The body, a JSON object of at most `most` bytes, in which no object has a name twice (RFC 8259, section 4).

    Raises: Problem (400, 415).
    """
    if bodies.content_type(request)[0] != JSON:
        raise Problem("unsupported-media-type", "Send the body as application/json.")
    body = bodies.read(request, most + 1)
    try:
        if len(body) <= most:
            read = _OBJECT.decode(body)
            # Numbers are not made: of thousands of digits they would take long, and what they are is known by `read`.
            json.loads(body, object_pairs_hook=_once, parse_int=str, parse_float=str)
            return read
    except (ValueError, RecursionError):
        pass
    raise Problem("bad-request", f"The body must be a JSON object of at most {most // 1024} KiB.")


def _fields(request: Request, shape: type[msgspec.Struct]) -> dict[str, str]:
    """Those of the class. Others are passed over, however often they come (RFC 6749, section 3.2)."""
    body = bodies.read(request, MAX_FORM_BYTES + 1)
    if body and bodies.content_type(request)[0] != FORM:
        raise Problem("bad-request", f"Send the body as {FORM}.")
    if len(body) > MAX_FORM_BYTES:
        raise Problem("bad-request", "The body must be a form of at most 16 KiB.")
    pairs = parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
    return bodies.once([pair for pair in pairs if pair[0] in shape.__struct_fields__], "the form")


def _sentence(message: str, shape: type[msgspec.Struct]) -> str:
    """What msgspec says of a value, for people."""
    if missing := _MISSING.fullmatch(message):
        return f"`{missing[1]}` is missing. The API is described at /v1/docs."
    if not (found := _AT_MEMBER.fullmatch(message)):
        return f"{message}."
    said, member, inside = found.groups()
    if said.startswith(_NO_CHOICE) and (words := _words(shape, member)):
        said = f"Expected one of {', '.join(words)}"
    elif said.startswith(_NO_FORM):
        said = "It has not the form that it must have"
    return f"`{member}{inside}`: {said}. The API is described at /v1/docs."


def _words(shape: type[msgspec.Struct], member: str) -> list[str]:
    """The words that a member of the class, or each of a list that it is, may be; none if it may be others, too."""
    hints, words = [get_type_hints(shape).get(member)], list[str]()
    while hints:
        hint = hints.pop()
        if get_origin(hint) is Literal:
            words += (each if isinstance(each, str) else msgspec.json.encode(each).decode() for each in get_args(hint))
        elif isinstance(hint, type) and issubclass(hint, Enum):
            words += [str(each.value) for each in hint]
        else:
            hints += get_args(hint)
    return words
