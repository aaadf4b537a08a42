"""The plain pages as HTML, in the reader's language, by the words of the page."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from functions.gateway import assets, shell
from functions.shared.accepts import language
from functions.shared.problems import MARK, Problem

__all__ = ["page", "problem_page"]


def page(request: Request, name: str, status: int = 200, **about: Any) -> Response:
    """A page by the name of its template; `about` is what that asks for, and in how many seconds it looks again."""
    spoken = language(request.headers.get("Accept-Language", ""), shell.LANGUAGES, shell.LANGUAGES[0])
    said = {"refresh": 0, "language": spoken, "say": partial(_say, spoken), "knows": shell.words(spoken).__contains__}
    # Who it is may have changed with this very request.
    visit = getattr(request.state, "visit", None)
    text = _templates().get_template(f"{name}.html").render(visit=visit, assets=_assets(), **{**said, **about})
    headers = {"Cache-Control": "no-store", "Content-Language": spoken, "Vary": "Accept-Language, Cookie"}
    return HTMLResponse(text, status, headers)


def problem_page(request: Request, problem: Problem) -> Response:
    """The page about a problem that no other page tells of."""
    response = page(request, "problem", problem.status, problem=problem)
    kept = {name: value for name, value in problem.headers.items() if name in ("Retry-After", "Allow")}
    response.headers.update({MARK: problem.code, **kept})
    return response


def _say(spoken: str, key: str, **values: object) -> str:
    """The text of a key in that language, with what stands in braces in it."""
    text = shell.words(spoken)[key]
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def _assets() -> str:
    return f"/assets/{assets.version()}"


@cache
def _templates() -> Environment:
    folder = FileSystemLoader(Path(__file__).with_name("templates"))
    return Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
