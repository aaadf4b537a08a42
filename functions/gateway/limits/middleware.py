"""Refuses what is beyond the limits, and tells how it stands with them."""

from __future__ import annotations

import asyncio
import functools
import hashlib

from starlette.responses import Response

from functions.gateway.limits.limiter import Standing, blocked, note, spend
from functions.gateway.limits.policies import POLICIES, By, Policy, in_force
from functions.shared.clients import client_of
from functions.shared.middleware import Call, Middleware, Route, put
from functions.shared.middleware.resumable import PATH
from functions.shared.problems import Problem

__all__ = ["RateLimits"]


class RateLimits(Middleware):
    """The limits by address, or by caller: those after it is known who that is."""

    def __init__(self, by: By) -> None:
        self._by = by
        self._later: set[asyncio.Task[None]] = set()

    def received(self, call: Call) -> None:
        """Refuse an address that has nothing left, whatever it asks for. Raises: Problem (429)."""
        if self._by is By.ADDRESS:
            every = (policy for policy in in_force() if policy.by is By.ADDRESS and policy.counts is None)
            for standing in filter(None, (blocked(policy, _client(call)) for policy in every)):
                _note(call, standing)

    async def before(self, call: Call, route: Route) -> None:
        """Raises: Problem (429)."""
        who = _client(call) if self._by is By.ADDRESS else _caller(call)
        for policy in in_force() if who else ():
            if policy.by is self._by and policy.concerns(call.request.method, route.path):
                await self._spend(call, policy, who)

    def after(self, call: Call, response: Response) -> None:
        """As draft-ietf-httpapi-ratelimit-headers-10 says, sections 3 and 4; of the limits by caller, too."""
        standings = _standings(call)
        # What a browser keeps for good comes by the dozen, and tells nobody who counts.
        is_kept = "immutable" in response.headers.get("Cache-Control", "")
        if standings and self._by is By.ADDRESS and not is_kept:
            policies = ", ".join([_policy(each.policy) for each in standings])
            left = ", ".join([_left(each) for each in standings])
            put(response, {b"ratelimit-policy": policies.encode(), b"ratelimit": left.encode()})

    async def _spend(self, call: Call, policy: Policy, who: str) -> None:
        amount = 1 if policy.unit == "requests" else _length(call)
        if amount is None:
            # Counted when it has come.
            call.request.state.on_received = lambda size: self._afterwards(policy, who, size)
        _note(call, await spend(policy, who, amount or 0))

    def _afterwards(self, policy: Policy, who: str, size: int) -> None:
        task = asyncio.ensure_future(note(policy, who, size))
        self._later.add(task)
        task.add_done_callback(self._later.discard)


def _note(call: Call, standing: Standing) -> None:
    _standings(call).append(standing)
    if standing.refused:
        raise _too_many(standing)


def _standings(call: Call) -> list[Standing]:
    found: list[Standing] = call.request.scope.setdefault("audiolift.standings", [])
    return found


def _client(call: Call) -> str:
    scope = call.request.scope
    if "audiolift.client" not in scope:
        scope["audiolift.client"] = client_of(scope)
    client: str = scope["audiolift.client"]
    return client


def _caller(call: Call) -> str:
    """The account, or the API key: a bearer that is no JWT, which has two dots. "" for neither."""
    if user_id := call.arguments.get("user_id"):
        return f"account:{user_id}"
    scheme, _, token = call.header(b"authorization").partition(" ")
    if scheme.lower() != "bearer" or token.count(".") == 2:
        return ""
    return f"key:{hashlib.sha256(token.strip().encode()).hexdigest()}"


def _length(call: Call) -> int | None:
    """The bytes of the body that are stated; None when there is one of any length, or of which not all may come.

    A resumable upload that breaks off is sent on from where it was: what never came must not count again and again.
    """
    if call.header(b"transfer-encoding") or call.request.scope["path"].startswith(PATH):
        return None
    length = call.header(b"content-length")
    return int(length) if length.isascii() and length.isdigit() else 0


def _too_many(standing: Standing) -> Problem:
    policy = standing.policy
    detail = f"There may be {policy.quota:,} {policy.unit} ({policy.name}) in {policy.window:,} seconds."
    # The member's name is that of the draft's own problem types.
    names = {"violated-policies": [policy.name]}
    return Problem("too-many-requests", detail, {"Retry-After": str(standing.seconds)}, **names)


@functools.lru_cache(len(POLICIES))
def _policy(policy: Policy) -> str:
    unit = "" if policy.unit == "requests" else f';qu="{policy.unit}"'
    return f'"{policy.name}";q={policy.quota};w={policy.window}{unit}'


def _left(standing: Standing) -> str:
    return f'"{standing.policy.name}";r={standing.left};t={standing.seconds}'
