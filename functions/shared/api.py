"""The routes of a function that has a part of the HTTP API: each declares itself where its handler is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from functions.shared.middleware import Middleware
from functions.shared.middleware.verified import Verified
from functions.shared.operations import ANSWER_SECONDS, JSON, Access, Operation, Success, Taken
from functions.shared.routing import Routes
from functions.shared.scopes import Scope
from functions.shared.starting import needs
from functions.shared.threads import in_thread

__all__ = ["Api", "json_response"]

Handler = TypeVar("Handler", bound=Callable[..., Any])


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response that no cache keeps, unless `headers` say otherwise. `value` may be of a class of msgspec."""
    body = msgspec.json.encode(value)
    return Response(body, status, {"Cache-Control": "no-store", **(headers or {})}, media_type=JSON)


class Api(Routes):
    """Routes, some of which are `operations` of the API."""

    def __init__(self, *ready: Callable[[], None], middleware: tuple[Middleware, ...] = ()) -> None:
        super().__init__(*ready, middleware=(*middleware, Verified()))
        self.operations: list[Operation] = []

    def operation(
        self,
        method: str,
        path: str,
        *,
        tag: str,
        access: Access,
        answers: Mapping[int, Success],
        scope: Scope | None = None,
        takes: tuple[Taken, ...] = (),
        problems: tuple[str, ...] = (),
        settings: tuple[str, ...] = (),
        wakes: tuple[str, ...] = (),
        seconds: int = ANSWER_SECONDS,
        own_page: bool = False,
    ) -> Callable[[Handler], Handler]:
        """Decorate the handler of an operation: handler(request, …), with an argument for each part of the path.

        With access by token it gets `user_id` too, and what `takes` read. The first line of its docstring is the
        operation's summary, what follows its description, and its name becomes the operation's id.

        Args: `scope` is what the token must have, with access by token; `problems` are the codes of PROBLEMS beyond
        those that access and `takes` imply; `settings` the settings without which the function does not start; `wakes`
        the functions that will be needed next; `seconds` how long its answer may take to begin, once the request is
        there; `own_page` that the gateway takes it from our own page alone, and passes its cookies on.
        """

        def decorate(handler: Handler) -> Handler:
            needs(*settings, *(("JWKS",) if access is Access.TOKEN else ()))
            if (scope is not None) is not (access is Access.TOKEN):
                raise TypeError(f"{method} {path}: a route has a scope if it takes a token, and only then")
            about = (takes, answers, problems, wakes, seconds, own_page)
            found = Operation(method, path, tag, handler, access, scope, *about)
            self.operations.append(found)
            self.add(method, path, access, scope=scope)(_reading(handler, takes))
            return handler

        return decorate


def _reading(handler: Handler, takes: tuple[Taken, ...]) -> Callable[..., Any]:
    readers = [each.read for each in takes if each.read]

    def read(request: Request) -> dict[str, Any]:
        return {name: value for each in readers for name, value in each(request).items()}

    if not readers:
        return handler
    if iscoroutinefunction(handler):
        # What reads a body blocks.
        async def read_and_await(request: Request, **arguments: Any) -> Any:
            return await handler(request, **arguments, **await in_thread(read, request))

        return read_and_await

    def read_and_handle(request: Request, **arguments: Any) -> Any:
        return handler(request, **arguments, **read(request))

    return read_and_handle
