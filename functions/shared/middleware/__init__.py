"""What concerns every request of a function, whatever its route: classes with hooks around the handlers.

web.py has those of every function, and calls them; a function's Routes have its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from functions.shared.operations import Access
from functions.shared.scopes import Caller, Scope

__all__ = ["Call", "Middleware", "Route"]


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


class Middleware:
    """Hooks around every handler; those that a class does not need do nothing."""

    def received(self, call: Call) -> None:
        """A request is here; its route is not known yet. Must not raise."""

    async def before(self, call: Call, route: Route) -> None:
        """The handler is about to be called. May add to its arguments, and refuse by raising Problem or Unavailable."""

    def failed(self, call: Call, error: Exception) -> Response | None:
        """The response that tells of an error; None when that is for another class. The last class is asked first."""

    def after(self, call: Call, response: Response) -> None:
        """The response is about to be sent, whatever became of the request. The last class is called first."""
