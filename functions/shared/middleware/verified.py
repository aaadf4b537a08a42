"""Who a request is from, by the database: in functions, which answer for what they do."""

from __future__ import annotations

from functions.shared import keyring, roles
from functions.shared.middleware import Call, Route
from functions.shared.middleware.identity import Identity
from functions.shared.scopes import Caller, Scope
from functions.shared.threads import in_thread

__all__ = ["Verified"]


class Verified(Identity):
    """Looks API keys up, and whether an operator still is one."""

    async def before(self, call: Call, route: Route) -> None:
        """Raises: Problem (401, 403), Unavailable."""
        await super().before(call, route)
        if call.caller and route.scope is Scope.ADMIN:
            # What a token says of it was true when the token was made.
            await in_thread(roles.check_operator, call.caller.user_id)

    async def holder(self, key: str) -> Caller:
        """Raises: Problem (401), Unavailable."""
        return await in_thread(keyring.holder, key)
