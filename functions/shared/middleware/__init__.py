"""What concerns every request of a function, whatever its route: classes with hooks around the handlers.

web.py has those of every function, and calls them; a function's Routes have its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from functions.shared.operations import Access
from functions.shared.scopes import Caller, Scope

__all__ = ["Call", "Middleware", "Route", "put"]


@dataclass(frozen=True)
class Route:
    """Where requests of one method and path go. `takes_events` says that other programs, not people, send them.

    `scope` is what their token must have, with access by token.
    """

    method: str
    path: str
    handler: Callable[..., Any]
    access: Access = Access.PUBLIC
    takes_events: bool = False
    scope: Scope | None = None


@dataclass
class Call:
    """A request on its way to its handler: the route and who it is from, once known, and the handler's arguments."""

    request: Request
    route: Route | None = None
    caller: Caller | None = None
    arguments: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # For many looks, one pass: of those that come twice, the first one counts, as Starlette has it.
        self._headers = dict(reversed(self.request.scope["headers"]))

    def header(self, name: bytes) -> str:
        """A header of the request as it came, by its name in lower case; "" without it."""
        value: bytes = self._headers.get(name, b"")
        return value.decode("latin-1")


class Middleware:
    """Hooks around every handler; those that a class does not need do nothing."""

    def received(self, call: Call) -> None:
        """A request is here; its route is not known yet. May refuse it by raising Problem: nothing is cheaper."""

    async def before(self, call: Call, route: Route) -> None:
        """The handler is about to be called. May add to its arguments, and refuse by raising Problem or Unavailable."""

    def failed(self, call: Call, error: Exception) -> Response | None:
        """The response that tells of an error; None when that is for another class. The last class is asked first."""

    def after(self, call: Call, response: Response) -> None:
        """The response is about to be sent, whatever became of the request. The last class is called first."""


def put(response: Response, headers: Mapping[bytes, bytes]) -> None:
    """Set headers of a response, by their names in lower case: all at once, for each look at a response takes time."""
    kept = [pair for pair in response.raw_headers if pair[0] not in headers]
    # In place: the response's `headers` are a view of this list.
    response.raw_headers[:] = [*kept, *headers.items()]
