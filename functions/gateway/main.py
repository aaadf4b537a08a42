"""The single way in: each request goes to its function, after the checks that spare that function a start."""

from __future__ import annotations

from pathlib import Path

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from functions.gateway import waking
from functions.gateway.checks import check_size, protected
from functions.gateway.hop import refuse_loop
from functions.gateway.table import TABLE
from functions.shared import settings, tokens
from functions.shared.problems import Problem
from functions.shared.routing import Routes
from functions.shared.web import answer, json_response

routes = Routes()

PAGE = Path(__file__).with_name("page")


@functions_framework.aio.http
async def gateway(request: Request) -> Response:
    """Answer any request of the outside world."""
    return protected(await answer(routes, request))


@routes.add("GET", "/")
async def page(_request: Request) -> Response:
    """The web page."""
    return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})


@routes.add("GET", "/assets/<name>")
async def asset(_request: Request, name: str) -> Response:
    """A file of the web page."""
    if name not in {path.name for path in PAGE.iterdir()}:
        raise Problem("not-found", "The page has no such file.")
    return FileResponse(PAGE / name, headers={"Cache-Control": "no-cache"})


@routes.add("GET", "/v1/openapi.json")
async def openapi(_request: Request) -> Response:
    """The API, as an OpenAPI 3.1 document."""
    from functions.gateway.openapi import document

    return json_response(document())


@routes.add("GET", "/v1/docs")
async def reference(_request: Request) -> Response:
    """The API, for people."""
    from functions.gateway.reference import page

    return HTMLResponse(page(), headers={"Cache-Control": "no-cache"})


async def forward(request: Request, service: str, signed_in: bool) -> Response:
    """Check what can be told from the headers, then pass the request on."""
    refuse_loop(request.scope["headers"])
    if signed_in:
        tokens.bearer(request.headers.get("Authorization"))
    check_size(request.headers)
    # Late: aiohttp is most of a cold start, and the page and refusals do without it.
    from functions.gateway.relay import Relay

    return Relay(request, settings.text(f"{service.upper()}_URL"))


def _add(method: str, path: str, service: str, signed_in: bool) -> None:
    async def handler(request: Request, **_parts: str) -> Response:
        response = await forward(request, service, signed_in)
        waking.expect(method, path)
        return response

    routes.add(method, path)(handler)


for _entry in TABLE:
    _add(*_entry)
