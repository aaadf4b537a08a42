"""Who a request is from."""

from __future__ import annotations

from functions.shared import api_keys, credentials, tokens
from functions.shared.middleware import Call, Middleware, Route
from functions.shared.operations import Access
from functions.shared.scopes import FOR_KEYS, Caller, demand

__all__ = ["Identity"]


class Identity(Middleware):
    """Refuses requests that lack a token or a scope that their route asks for, and gives its handler the `user_id`.

    By itself it takes any API key that can be one: for the gateway, which has no database and answers nothing itself.
    """

    async def before(self, call: Call, route: Route) -> None:
        """Raises: Problem (401, 403)."""
        if route.access is Access.TOKEN:
            call.caller = await self._caller(call, route)
            # For handlers that have to know more than whose request it is.
            call.request.state.caller = call.caller
        if call.caller:
            demand(route.scope, call.caller.scopes)
            call.arguments["user_id"] = call.caller.user_id

    async def holder(self, key: str) -> Caller | None:
        """Who a request with a key of the right form is from; None when somebody else will see to that."""
        return None

    async def _caller(self, call: Call, route: Route) -> Caller | None:
        authorization = call.header(b"authorization")
        key = credentials.sent(authorization)
        if not api_keys.is_key(key):
            return tokens.bearer(authorization)
        api_keys.check_form(key)
        # Not looked up for what no key may: guesses do not even reach the functions that have it.
        demand(route.scope, FOR_KEYS)
        return await self.holder(key)
