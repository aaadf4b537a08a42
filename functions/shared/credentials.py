"""What a request proves with who it is from: `Authorization: Bearer …` (RFC 6750, section 2.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from functions.shared.problems import Problem

__all__ = ["ACCOUNT_GONE", "AccountGone", "no_session", "sent", "unauthenticated"]


ACCOUNT_GONE = "account-gone"


class AccountGone(Problem):
    """The problem (401) of an account that its owner has deleted, whose token or key is good as such."""

    def __init__(self) -> None:
        detail, challenge = "This account does not exist any more.", _challenge("invalid_token")
        super().__init__("unauthenticated", detail, challenge, reason=ACCOUNT_GONE)


def sent(authorization: str | None) -> str:
    """The credential in an Authorization header: an access token or an API key. Raises: Problem (401)."""
    scheme, _, credential = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not credential:
        raise unauthenticated("Send the header `Authorization: Bearer <access token>`; POST /v1/token gives one.")
    return credential.strip()


def no_session(reason: Literal["none", "over"], headers: Mapping[str, str] | None = None) -> Problem:
    """The problem (401) of a browser without a session, by its `reason`: `none` was there, or it is `over`.

    `headers` go with it.
    """
    challenge = {"WWW-Authenticate": 'Bearer realm="audiolift"'}
    return Problem("no-session", "Sign in.", {**challenge, **(headers or {})}, reason=reason)


def unauthenticated(detail: str, error: str = "") -> Problem:
    """The problem (401) of a request whose credential is not good, or missing; then `error` is ""."""
    return Problem("unauthenticated", detail, _challenge(error))


def _challenge(error: str) -> dict[str, str]:
    return {"WWW-Authenticate": 'Bearer realm="audiolift"' + (f', error="{error}"' if error else "")}
