"""Who a request is from, by the database: in functions, which answer for what they do."""

from __future__ import annotations

from functions.shared import keyring, roles, suspension
from functions.shared.middleware import Call, Route
from functions.shared.middleware.identity import Identity
from functions.shared.scopes import Caller, Scope
from functions.shared.threads import in_thread

__all__ = ["Verified"]


class Verified(Identity):
    """Looks up API keys, whether the account is suspended or deleted, and whether an operator still is one."""

    async def before(self, call: Call, route: Route) -> None:
        """Raises: Problem (401, 403), Unavailable."""
        await super().before(call, route)
        if call.caller:
            await in_thread(_check, call.caller.user_id, route.scope)

    async def holder(self, key: str) -> Caller:
        """Raises: Problem (401), Unavailable."""
        return await in_thread(keyring.holder, key)


def _check(user_id: str, scope: Scope | None) -> None:
    """What a token says was true when it was made. Raises: Problem (401, 403), Unavailable."""
    suspension.check(user_id)
    if scope is Scope.ADMIN:
        roles.check_operator(user_id)
