"""The limits: one table. Each counts something of somebody in a window of time, and refuses what is beyond.

The words are those of draft-ietf-httpapi-ratelimit-headers-10. Windows begin at whole multiples of their length, so
that a process need not ask when one began; around the end of one, twice the quota may come.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from functions.shared import settings
from functions.shared.settings import SettingError
from functions.shared.starting import CannotStart, before_serving

__all__ = ["POLICIES", "By", "Policy", "in_force"]

_QUOTA = re.compile(r"([0-9]{1,15})/([0-9]{1,7})")
_SIGN_INS = (
    ("POST", "/v1/session"),
    ("POST", "/plain/sign-in"),
    ("POST", "/plain/verify"),
    # Each has us ask the identity provider.
    ("POST", "/v1/oidc/device"),
    ("POST", "/v1/oidc/device/token"),
)
READING = ("GET", "HEAD", "OPTIONS")


class By(Enum):
    """Whose requests are counted together."""

    # The client's address; of IPv6 the /64, which one subscriber has.
    ADDRESS = "address"
    # The account of the access token, or the API key.
    CALLER = "account or key"


@dataclass(frozen=True)
class Policy:
    """A limit: `quota` of `unit` in `window` seconds; 0 for none.

    `counts` says of which methods and routes; without it, every request counts, those that lead nowhere too.
    """

    name: str
    by: By
    quota: int
    window: int
    counts: Callable[[str, str], bool] | None
    what: str
    unit: str = "requests"

    def concerns(self, method: str, path: str) -> bool:
        """Whether it counts requests of a route."""
        return self.counts is None or self.counts(method, path)


POLICIES = (
    Policy("address", By.ADDRESS, 1200, 60, None, "Requests of any kind."),
    Policy(
        "sign-in",
        By.ADDRESS,
        20,
        60,
        lambda method, path: (method, path) in _SIGN_INS or path == "/v1/token",
        "Sign-ins, and their renewal by programs.",
    ),
    Policy(
        "registration",
        By.ADDRESS,
        20,
        3600,
        lambda method, path: path in ("/v1/users", "/plain/register"),
        "New accounts.",
    ),
    Policy("reads", By.CALLER, 600, 60, lambda method, _path: method in READING, "Requests that change nothing."),
    Policy(
        "writes", By.CALLER, 300, 60, lambda method, _path: method not in READING, "Requests that change something."
    ),
    Policy(
        "bytes",
        By.CALLER,
        107_374_182_400,
        86_400,
        lambda method, _path: method not in READING,
        "Bytes of request bodies.",
        "content-bytes",
    ),
)


def in_force() -> tuple[Policy, ...]:
    """The limits with what RATE_LIMITS says instead. Raises: SettingError."""
    return _in_force(settings.text("RATE_LIMITS"))


@functools.lru_cache(1)
def _in_force(_text: str) -> tuple[Policy, ...]:
    said = settings.mapping("RATE_LIMITS")
    if unknown := said.keys() - {policy.name for policy in POLICIES}:
        raise SettingError(f"RATE_LIMITS names no limit: {', '.join(sorted(unknown))}")
    every = (_instead(policy, said[policy.name]) if policy.name in said else policy for policy in POLICIES)
    return tuple(policy for policy in every if policy.quota)


def _instead(policy: Policy, text: str) -> Policy:
    found = _QUOTA.fullmatch(text)
    if text == "0":
        return replace(policy, quota=0)
    if not found or not int(found[1]) or not int(found[2]):
        raise SettingError(f'RATE_LIMITS: {policy.name} must be "QUOTA/SECONDS" or "0"')
    return replace(policy, quota=int(found[1]), window=int(found[2]))


@before_serving
def _check() -> None:
    try:
        in_force()
    except SettingError as error:
        raise CannotStart(str(error)) from error
