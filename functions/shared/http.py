"""What the synchronous functions answer requests with (Flask's request and response, by functions-framework)."""

from __future__ import annotations

import json
import logging
from typing import Any

from flask import Request, Response

from functions.shared import trace
from functions.shared.problems import Problem, Unavailable
from functions.shared.routing import Routes, loggable

__all__ = ["answer", "json_body", "json_response"]

log = logging.getLogger(__name__)

MAX_JSON_BYTES = 64 * 1024
# What proxies commonly take. The server takes more, for events: see server.py.
MAX_HEADER_BYTES, MAX_HEADERS = 64 * 1024, 100


def answer(routes: Routes, request: Request) -> Response:
    """The response to any request: the handler's, the function's health, or problem details. Never raises.

    The request's trace is the current one meanwhile.
    """
    with trace.following(trace.parse(request.headers.get("traceparent"), request.headers.get("tracestate"))):
        return _answer(routes, request)


def _answer(routes: Routes, request: Request) -> Response:
    try:
        if request.path in ("/healthz", "/readyz"):
            return _health(routes, request)
        handler, parts = routes.find(request.method, request.path)
        if request.path != "/":
            _check_headers(request)
        response: Response = handler(request, **parts)
        return response
    except Problem as problem:
        return _problem(problem)
    except Unavailable as error:
        log.warning("%s %s: %s", request.method, loggable(request.path), error)
        return _problem(error.problem())
    except Exception:
        log.exception("%s %s failed", request.method, loggable(request.path))
        return _problem(Problem("internal", "The error has been logged. Try again later."))


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response that no cache keeps."""
    always = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return Response(json.dumps(value, ensure_ascii=False), status, {**always, **(headers or {})})


def json_body(request: Request) -> dict[str, Any]:
    """The request's body as a JSON object of at most 64 KiB. Raises: Problem."""
    if request.mimetype != "application/json":
        raise Problem("unsupported-media-type", "Send the body as application/json.")
    body = request.stream.read(MAX_JSON_BYTES + 1)
    try:
        value = json.loads(body) if len(body) <= MAX_JSON_BYTES else None
        # Half of a surrogate pair is no character (RFC 7493, section 2.1): no database and no hash would take it.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Problem("bad-request", "The body must be a JSON object of at most 64 KiB.")
    return value


def _health(routes: Routes, request: Request) -> Response:
    try:
        if request.path == "/readyz":
            routes.health.ready()
    except Unavailable as error:
        return _problem(error.problem())
    return json_response({"status": "ok"})


def _check_headers(request: Request) -> None:
    sizes = [len(name) + len(value) for name, value in request.headers]
    if len(sizes) > MAX_HEADERS or sum(sizes) > MAX_HEADER_BYTES:
        raise Problem("headers-too-large", f"Send at most {MAX_HEADERS} headers, of 64 KiB together.")


def _problem(problem: Problem) -> Response:
    return Response(problem.body(), problem.status, problem.headers)
