"""The single way in: each request goes to its function, after the checks that spare that function a start."""

from __future__ import annotations

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

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

_HTML = "text/html; charset=utf-8"

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
async def openapi(request: Request) -> Response:
    """The API, as an OpenAPI 3.1 document."""
    return assets.document(request, contract.text(), "application/json")


@routes.add("GET", "/v1/docs")
async def reference(request: Request) -> Response:
    """The API, for people."""
    from functions.gateway.reference import page

    return assets.document(request, page().encode(), _HTML)


@routes.add("GET", "/v1/problems")
async def problems(request: Request) -> Response:
    """What can go wrong, for people."""
    from functions.gateway import problem_pages

    return assets.document(request, problem_pages.index().encode(), _HTML)


@routes.add("GET", "/v1/problems/<code>")
async def problem(request: Request, code: str) -> Response:
    """What one problem means: its `type` leads here."""
    from functions.gateway import problem_pages

    return assets.document(request, problem_pages.page(code).encode(), _HTML)


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
