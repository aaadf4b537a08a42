"""What every function answers requests with (Starlette's request and response, by functions-framework's `aio`).

A handler is a coroutine function, or a plain one, which runs in a thread (threads.py) and reads its body by bodies.py.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from functions.shared import logs
from functions.shared.middleware import Call, Middleware, Route
from functions.shared.middleware.head import HeadSize
from functions.shared.middleware.problems import Problems, problem_response
from functions.shared.middleware.telemetry import RequestId, Tracing
from functions.shared.problems import Problem, Unavailable
from functions.shared.routing import Routes
from functions.shared.threads import in_thread

__all__ = ["afterwards", "answer"]

# Problems tells of every error.
EVERY_FUNCTION: tuple[Middleware, ...] = (RequestId(), Tracing(), Problems(), HeadSize())


async def answer(routes: Routes, request: Request) -> Response:
    """The response to any request: the handler's, the function's health, or problem details. Never raises."""
    path = request.scope["path"]
    if path in ("/healthz", "/readyz"):
        return await _health(routes, path)
    chain, call = (*EVERY_FUNCTION, *routes.middleware), Call(request)
    try:
        for each in chain:
            each.received(call)
        response = await _handled(routes, chain, call)
    except Exception as error:
        response = next(filter(None, (each.failed(call, error) for each in reversed(chain))))
    for each in reversed(chain):
        each.after(call, response)
    return response


def afterwards(function: Callable[..., object], *args: Any) -> BackgroundTask:
    """What a response's `background` is when a plain function is to run after it: also when the client has gone.

    A process that is told to stop waits for it.
    """
    return BackgroundTask(in_thread, function, *args)


async def _handled(routes: Routes, chain: tuple[Middleware, ...], call: Call) -> Response:
    call.route, parts = _route(routes, call.request)
    if "job_id" in parts:
        logs.note(job_id=parts["job_id"])
    for each in chain:
        await each.before(call, call.route)
    handler, arguments = call.route.handler, parts | call.arguments
    if iscoroutinefunction(handler):
        response: Response = await handler(call.request, **arguments)
    else:
        response = await in_thread(handler, call.request, **arguments)
    return response


def _route(routes: Routes, request: Request) -> tuple[Route, dict[str, Any]]:
    """The route, and the path's parts. What leads nowhere has a route that says so: it is limited as all others are."""
    try:
        # Not request.url: that has the Host in it, which may be anything.
        return routes.find(request.method, request.scope["path"])
    except Problem as problem:
        return Route(request.method, "", _refusing(problem)), {}


def _refusing(problem: Problem) -> Callable[..., Any]:
    async def handler(_request: Request, **_arguments: Any) -> Response:
        raise problem

    return handler


async def _health(routes: Routes, path: str) -> Response:
    # An expected state: whoever probes is told, and the check itself has logged it.
    try:
        if path == "/readyz":
            await routes.health.ready()
    except Unavailable as error:
        return problem_response(error.problem())
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})
