"""What the ASGI functions answer requests with (Starlette's request and response, by functions-framework)."""

from __future__ import annotations

import logging
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from functions.shared.problems import Problem, Unavailable
from functions.shared.routing import Routes, loggable

__all__ = ["answer", "json_response", "problem_response"]

log = logging.getLogger(__name__)


async def answer(routes: Routes, request: Request) -> Response:
    """The response to any request: the handler's, the function's health, or problem details. Never raises."""
    try:
        if request.url.path in ("/healthz", "/readyz"):
            return await _health(routes, request)
        handler, parts = routes.find(request.method, request.url.path)
        response: Response = await handler(request, **parts)
        return response
    except Problem as problem:
        return problem_response(problem)
    except Unavailable as error:
        log.warning("%s %s: %s", request.method, loggable(request.url.path), error)
        return problem_response(error.problem())
    except Exception:
        log.exception("%s %s failed", request.method, loggable(request.url.path))
        return problem_response(Problem("internal", "The error has been logged. Try again later."))


def json_response(value: Any, status: int = 200) -> Response:
    """A JSON response that no cache keeps."""
    return JSONResponse(value, status, {"Cache-Control": "no-store"})


def problem_response(problem: Problem) -> Response:
    """The response that tells of a problem."""
    return Response(problem.body(), problem.status, problem.headers)


async def _health(routes: Routes, request: Request) -> Response:
    try:
        if request.url.path == "/readyz":
            await routes.health.ready_async()
    except Unavailable as error:
        return problem_response(error.problem())
    return json_response({"status": "ok"})
