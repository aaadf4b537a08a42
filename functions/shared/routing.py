"""From method and path to a handler."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule

from functions.shared.health import Health
from functions.shared.middleware import Middleware, Route
from functions.shared.operations import Access
from functions.shared.problems import Problem
from functions.shared.scopes import Scope

__all__ = ["Routes", "loggable"]

Handler = TypeVar("Handler", bound=Callable[..., Any])
_SIGNED = re.compile(r"^(/+(?:v1/files|v1/unsubscribe|verify|reset)/).+", re.DOTALL)


def loggable(path: str) -> str:
    """The path as a log may have it: a signed link works for whoever reads it there."""
    return _SIGNED.sub(r"\1…", path)


class Routes:
    """The routes of one function, its own middleware, and its health.

    `ready` are checks that raise Unavailable when it is not ready.
    """

    def __init__(self, *ready: Callable[[], None], middleware: tuple[Middleware, ...] = ()) -> None:
        self.health = Health(*ready)
        self.middleware = middleware
        self._map = Map(merge_slashes=False)

    def add(
        self,
        method: str,
        path: str,
        access: Access = Access.PUBLIC,
        takes_events: bool = False,
        scope: Scope | None = None,
    ) -> Callable[[Handler], Handler]:
        """Decorate the handler of a method and a path such as /v1/jobs/<job_id>: handler(request, job_id=…).

        It is a coroutine function when it only waits; a plain one, which may block, runs in a thread.
        """

        def decorate(handler: Handler) -> Handler:
            route = Route(method, path, handler, access, takes_events, scope)
            self._map.add(Rule(path, methods=[method], endpoint=route))
            return handler

        return decorate

    def find(self, method: str, path: str) -> tuple[Route, dict[str, Any]]:
        """The route of a request, and the path's parts. Raises: Problem (404 or 405)."""
        try:
            route, parts = self._map.bind("").match(path, method)
        except MethodNotAllowed as error:
            allowed = ", ".join(sorted(error.valid_methods or ()))
            raise Problem("method-not-allowed", f"Use {allowed}.", {"Allow": allowed}) from None
        except NotFound:
            raise Problem("not-found", "There is no such address. The API is described at /v1/docs.") from None
        return route, dict(parts)
