"""What every function answers requests with (Starlette's request and response, by functions-framework's `aio`).

A handler is a coroutine function, or a plain one, which runs in a thread (threads.py) and reads its body by bodies.py.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from functions.shared import trace
from functions.shared.problems import Problem, Unavailable
from functions.shared.routing import Routes, loggable
from functions.shared.threads import in_thread

__all__ = ["afterwards", "answer", "json_response", "problem_response"]

log = logging.getLogger(__name__)

# What proxies commonly take. The server takes more, for events: see protocol.py.
MAX_HEADER_BYTES, MAX_HEADERS = 64 * 1024, 100


async def answer(routes: Routes, request: Request) -> Response:
    """The response to any request: the handler's, the function's health, or problem details. Never raises.

    The request's trace is the current one meanwhile.
    """
    # Not request.url: that has the Host in it, which may be anything.
    method, path = request.method, request.scope["path"]
    try:
        with trace.following(trace.parse(request.headers.get("traceparent"), request.headers.get("tracestate"))):
            return await _answer(routes, request, method, path)
    except Problem as problem:
        return problem_response(problem)
    except Unavailable as error:
        log.warning("%s %s: %s", method, loggable(path), error)
        return problem_response(error.problem())
    except Exception:
        log.exception("%s %s failed", method, loggable(path))
        return problem_response(Problem("internal", "The error has been logged. Try again later."))


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response that no cache keeps, unless `headers` say otherwise."""
    return JSONResponse(value, status, {"Cache-Control": "no-store", **(headers or {})})


def problem_response(problem: Problem) -> Response:
    """The response that tells of a problem."""
    return Response(problem.body(), problem.status, problem.headers)


def afterwards(function: Callable[..., object], *args: Any) -> BackgroundTask:
    """What a response's `background` is when a plain function is to run after it: also when the client has gone.

    A process that is told to stop waits for it.
    """
    return BackgroundTask(in_thread, function, *args)


async def _answer(routes: Routes, request: Request, method: str, path: str) -> Response:
    if path in ("/healthz", "/readyz"):
        return await _health(routes, path)
    handler, parts = routes.find(method, path)
    if path != "/":
        _check_headers(request)
    if iscoroutinefunction(handler):
        response: Response = await handler(request, **parts)
    else:
        response = await in_thread(handler, request, **parts)
    return response


async def _health(routes: Routes, path: str) -> Response:
    # An expected state: whoever probes is told, and the check itself has logged it.
    try:
        if path == "/readyz":
            await routes.health.ready()
    except Unavailable as error:
        return problem_response(error.problem())
    return json_response({"status": "ok"})


def _check_headers(request: Request) -> None:
    sizes = [len(name) + len(value) for name, value in request.headers.raw]
    if len(sizes) > MAX_HEADERS or sum(sizes) > MAX_HEADER_BYTES:
        raise Problem("headers-too-large", f"Send at most {MAX_HEADERS} headers, of 64 KiB together.")
