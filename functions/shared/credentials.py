"""What a request proves with who it is from: `Authorization: Bearer …` (RFC 6750, section 2.1)."""

from __future__ import annotations

from functions.shared.problems import Problem

__all__ = ["no_session", "sent", "unauthenticated"]


def sent(authorization: str | None) -> str:
    """The credential in an Authorization header: an access token or an API key. Raises: Problem (401)."""
    scheme, _, credential = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not credential:
        raise unauthenticated("Send the header `Authorization: Bearer <access token>`; POST /v1/token gives one.")
    return credential.strip()


def no_session() -> Problem:
    """The problem (401) of a browser without a session.

    Its cookie is left as it is: another tab may have had a new one set while this one asked.
    """
    return Problem("no-session", "Sign in.", {"WWW-Authenticate": 'Bearer realm="audiolift"'})


def unauthenticated(detail: str, error: str = "") -> Problem:
    """The problem (401) of a request whose credential is not good, or missing; then `error` is ""."""
    challenge = 'Bearer realm="audiolift"' + (f', error="{error}"' if error else "")
    return Problem("unauthenticated", detail, {"WWW-Authenticate": challenge})
