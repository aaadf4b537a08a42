"""Who a request is from."""

from __future__ import annotations

from functions.shared import tokens
from functions.shared.middleware import Call, Middleware, Route
from functions.shared.operations import Access

__all__ = ["Identity"]


class Identity(Middleware):
    """Gives the handlers of routes that take an access token its `user_id`."""

    async def before(self, call: Call, route: Route) -> None:
        """Raises: Problem (401)."""
        if route.access is Access.TOKEN:
            call.arguments["user_id"] = tokens.bearer(call.request.headers.get("Authorization"))
