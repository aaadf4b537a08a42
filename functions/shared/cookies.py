"""The cookies of a browser's session: how they are called, read and set (RFC 6265, and 6265bis for the prefix).

By TLS, each name begins with `__Host-`: a browser then takes the cookie from this very host alone, by TLS, and for all
paths, so that no neighbour under the same domain can plant one of its own (section 4.1.3.2 of 6265bis).
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["ACCESS", "SESSION", "cookie", "sent", "without"]

# The refresh token of the browser's session.
SESSION = "audiolift-session"
# The access token of a browser without JavaScript, which has nowhere else to keep it.
ACCESS = "audiolift-access"


def sent(headers: Iterable[str], which: str, by_tls: bool) -> str:
    """The value of a cookie in these Cookie headers, "" without it.

    Also "" when it is there twice: then one of them was planted, for another path, and nobody can tell which.
    """
    pairs = (pair.strip().partition("=") for header in headers for pair in header.split(";"))
    found = [value for name, _, value in pairs if name == _name(which, by_tls)]
    return found[0] if len(found) == 1 else ""


def cookie(which: str, value: str, seconds: int, by_tls: bool) -> str:
    """The Set-Cookie header that has the browser keep a value for so many seconds, hidden from scripts.

    Strict: no request that another site leads to brings it along.
    """
    secure = "; Secure" if by_tls else ""
    return f"{_name(which, by_tls)}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"


def without(which: str, by_tls: bool) -> str:
    """The Set-Cookie header that has the browser forget it."""
    return cookie(which, "", 0, by_tls)


def _name(which: str, by_tls: bool) -> str:
    return f"__Host-{which}" if by_tls else which
