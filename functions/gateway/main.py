"""The single way in: each request goes to its function, after the checks that spare that function a start."""

from __future__ import annotations

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from functions.gateway import assets, contract, cors, own_page, shell, waking
from functions.gateway.cors import Cors
from functions.gateway.hop import Loops
from functions.gateway.limits.middleware import RateLimits
from functions.gateway.limits.policies import By
from functions.gateway.missing import Missing
from functions.gateway.plain import routes as plain_routes
from functions.gateway.plain.visits import Visits
from functions.gateway.protection import Protection
from functions.shared import settings
from functions.shared.middleware.identity import Identity
from functions.shared.middleware.resumable import Resumable
from functions.shared.routing import Routes
from functions.shared.starting import before_serving, needs
from functions.shared.web import answer

needs("JWKS")
before_serving(cors.check)
# By address before a signature is checked, which costs more than anything else here.
routes = Routes(
    middleware=(
        *(Resumable(), Loops(), RateLimits(By.ADDRESS), Identity(), Visits(), Protection(), RateLimits(By.CALLER)),
        *(Missing(), Cors()),
    )
)


@functions_framework.aio.http
async def gateway(request: Request) -> Response:
    """Answer any request of the outside world."""
    return await answer(routes, request)


@routes.add("GET", "/")
@routes.add("GET", "/account")
@routes.add("GET", "/operator")
@routes.add("GET", "/jobs/<_job_id>")
async def page(request: Request, **_arguments: str) -> Response:
    """The web page: what it shows at which of these addresses, its script knows."""
    return shell.page(request)


@routes.add("GET", "/assets/<version>/<path:name>")
async def asset(request: Request, version: str, name: str) -> Response:
    """A file of the web page."""
    return assets.file(request, version, name)


@routes.add("GET", "/v1/openapi.json")
async def openapi(_request: Request) -> Response:
    """The API, as an OpenAPI 3.1 document."""
    return FileResponse(contract.DOCUMENT, headers={"Cache-Control": "no-store"})


@routes.add("GET", "/v1/docs")
async def reference(_request: Request) -> Response:
    """The API, for people."""
    from functions.gateway.reference import page

    return HTMLResponse(page(), headers={"Cache-Control": "no-cache"})


@routes.add("GET", "/v1/problems")
async def problems(_request: Request) -> Response:
    """What can go wrong, for people."""
    from functions.gateway import problem_pages

    return HTMLResponse(problem_pages.index(), headers={"Cache-Control": "no-cache"})


@routes.add("GET", "/v1/problems/<code>")
async def problem(_request: Request, code: str) -> Response:
    """What one problem means: its `type` leads here."""
    from functions.gateway import problem_pages

    return HTMLResponse(problem_pages.page(code), headers={"Cache-Control": "no-cache"})


async def forward(request: Request, operation: contract.Target) -> Response:
    """Pass a request on to its function, and wake those that are needed after it."""
    own_page.see_to_cookies(request, operation)
    # Late: aiohttp is most of a cold start, and the page and refusals do without it.
    from functions.gateway.relay import Relay

    relay = Relay(request, settings.text(f"{operation.function.upper()}_URL"), operation.seconds)
    waking.expect(*operation.wakes)
    return relay


def _add(operation: contract.Target) -> None:
    @routes.add(operation.method, operation.path, operation.access, scope=operation.scope)
    async def handler(request: Request, **_arguments: str) -> Response:
        return await forward(request, operation)


for _operation in contract.operations():
    _add(_operation)

plain_routes.add_to(routes)
