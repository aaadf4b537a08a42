"""The page /v1/docs: the OpenAPI document in plain HTML, without a script."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from functions.gateway.contract import document, scope_of
from functions.shared.layout import laid_out, prose, table

__all__ = ["page"]

_CONTENT = """<h1>The API</h1>
<p>{description} The same for programs: <a href="/v1/openapi.json">/v1/openapi.json</a>.</p>
<nav aria-labelledby="contents"><h2 id="contents">Contents</h2>{contents}</nav>
{operations}
<section aria-labelledby="schemas"><h2 id="schemas">Schemas</h2>{schemas}</section>"""


@cache
def page() -> str:
    """The whole page."""
    api = document()
    found = [(method, path, item) for path, methods in api["paths"].items() for method, item in sorted(methods.items())]
    content = _CONTENT.format(
        description=prose(api["info"]["description"]),
        contents=_list(_entry(method, path, item) for method, path, item in found),
        operations="".join(_operation(method, path, item) for method, path, item in found),
        schemas="".join(_schema(name, schema) for name, schema in api["components"]["schemas"].items()),
    )
    return laid_out("the API", content)


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def _title(method: str, path: str) -> str:
    return f"<code>{method.upper()} {html.escape(path)}</code>"


def _entry(method: str, path: str, item: Mapping[str, Any]) -> str:
    return f'<a href="#{item["operationId"]}">{_title(method, path)}</a> {prose(item["summary"])}'


def _operation(method: str, path: str, item: Mapping[str, Any]) -> str:
    name = item["operationId"]
    scope = scope_of(item)
    token = f"Needs the scope `{scope}`." if scope else "Needs no access token."
    return (
        f'<section aria-labelledby="{name}"><h2 id="{name}">{_title(method, path)}</h2>'
        f"<p>{prose(item['summary'])}. {prose(item['description'])} {prose(token)}</p>"
        f"{_parameters(item['parameters'])}{_body(item.get('requestBody'))}{_answers(item['responses'])}</section>"
    )


def _parameters(parameters: list[dict[str, Any]]) -> str:
    rows = [
        (f"<code>{html.escape(each['name'])}</code>", each["in"], _type(each["schema"]), prose(each["description"]))
        for each in parameters
    ]
    return table("Parameters", ("Name", "In", "Value", "Meaning"), rows) if rows else ""


def _body(body: Mapping[str, Any] | None) -> str:
    if body is None:
        return ""
    rows = [(f"<code>{media_type}</code>", _type(content["schema"])) for media_type, content in body["content"].items()]
    return table("Body", ("Media type", "Value"), rows)


def _answers(responses: Mapping[str, Any]) -> str:
    rows = [
        (
            status,
            prose(answer["description"]),
            ", ".join(_content(*pair) for pair in answer.get("content", {}).items()),
        )
        for status, answer in sorted(responses.items())
    ]
    return table("Answers", ("Status", "Meaning", "Body"), rows)


def _content(media_type: str, content: Mapping[str, Any]) -> str:
    schema = content["schema"].get("allOf", [content["schema"]])[0]
    return f"<code>{media_type}</code> {_type(schema)}"


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    rows = [
        (f"<code>{html.escape(field)}</code>", _type(value), prose(value.get("description", "")))
        for field, value in schema.get("properties", {}).items()
    ]
    return f'<div id="schema-{name}">{table(name, ("Member", "Value", "Meaning"), rows)}</div>'


def _type(schema: Mapping[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "const" in schema:
        return f"<code>{html.escape(str(schema['const']))}</code>"
    if "enum" in schema:
        return "one of " + ", ".join(f"<code>{html.escape(str(value))}</code>" for value in schema["enum"])
    if "items" in schema:
        return f"array of {_type(schema['items'])}"
    kinds = schema.get("type", "bytes")
    return " or ".join(kinds) if isinstance(kinds, list) else f"{kinds}{_bounds(schema)}"


def _bounds(schema: Mapping[str, Any]) -> str:
    low = schema.get("minimum", schema.get("minLength"))
    high = schema.get("maximum", schema.get("maxLength"))
    unit = " characters" if "maxLength" in schema else ""
    return f", {low or 0} to {high}{unit}" if high is not None else ""
