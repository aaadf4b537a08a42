"""Whether somebody has anything left of a limit, and when it begins anew."""

from __future__ import annotations

import time
from dataclasses import dataclass

from functions.gateway.limits.counters import counters
from functions.gateway.limits.policies import Policy

__all__ = ["Standing", "blocked", "note", "spend"]

# Who is blocked, by key, until when (Unix time): a flood costs no counter more than the requests that may pass.
_blocked: dict[str, float] = {}
MAX_BLOCKED = 10_000


@dataclass(frozen=True)
class Standing:
    """How it stands with one limit: what is left of it, and the seconds until it begins anew."""

    policy: Policy
    left: int
    seconds: int
    refused: bool


def blocked(policy: Policy, who: str) -> Standing | None:
    """How it stands with somebody who is known to have nothing left; None when that is not known."""
    key, seconds = _window(policy, who)
    return Standing(policy, 0, seconds, True) if key in _blocked else None


async def spend(policy: Policy, who: str, amount: int = 1) -> Standing:
    """Take so much of somebody's limit. What is refused is not taken."""
    if known := blocked(policy, who):
        return known
    key, seconds = _window(policy, who)
    used = await counters().add(key, policy.window, amount)
    if used <= policy.quota:
        return Standing(policy, policy.quota - used, seconds, False)
    if amount > 1:
        # A smaller one may still pass.
        used = await counters().add(key, policy.window, -amount)
    if used >= policy.quota:
        _block(key, time.time() + seconds)
    return Standing(policy, max(0, policy.quota - used), seconds, True)


async def note(policy: Policy, who: str, amount: int) -> None:
    """Take what has come already, even if it is more than was left."""
    key, _ = _window(policy, who)
    await counters().add(key, policy.window, amount)


def _window(policy: Policy, who: str) -> tuple[str, int]:
    """The key of the window that is now, and the seconds until the next one."""
    moment = time.time()
    window = int(moment // policy.window)
    return f"{policy.name}/{who}/{window}", int((window + 1) * policy.window - moment) + 1


def _block(key: str, until: float) -> None:
    if len(_blocked) >= MAX_BLOCKED:
        over = [each for each, ends in _blocked.items() if ends < time.time()]
        for each in over or list(_blocked):
            del _blocked[each]
    _blocked[key] = until
