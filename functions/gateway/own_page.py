"""That a request is our own page's: one that takes or sets a session's cookie must be no other page's (CSRF).

SameSite=Strict keeps the cookie from other sites, but not from other hosts and ports of the same one, and no attribute
keeps another page from signing somebody in to its author's account. So such a request has to say where it comes from,
by headers that no page can set (Fetch Metadata, W3C; RFC 6454). Browsers send `Sec-Fetch-Site` by TLS and to localhost,
`Origin` also by plain HTTP, and one of both with everything but GET.
"""

from __future__ import annotations

from starlette.requests import Request

from functions.gateway.contract import Target
from functions.gateway.hop import protocol_of
from functions.shared import cookies, settings
from functions.shared.credentials import no_session
from functions.shared.problems import Problem

__all__ = ["check", "see_to_cookies", "session_of"]


def see_to_cookies(request: Request, operation: Target) -> None:
    """Let only our own page ask for what is for it; what else there is gets no cookies.

    They are nobody else's business, nor do they open anything else.
    Raises: Problem (403; 401 without a cookie where one is needed, which spares login a start).
    """
    if not operation.own_page:
        request.scope["headers"][:] = [pair for pair in request.scope["headers"] if pair[0] != b"cookie"]
        return
    check(request)
    if operation.by_cookie and not session_of(request):
        raise no_session("none")


def session_of(request: Request) -> str:
    """The cookie of the browser's session; "" without it."""
    return cookies.sent(request.headers.getlist("cookie"), cookies.SESSION, protocol_of(request.scope) == b"https")


def check(request: Request) -> None:
    """Raises: Problem (403) when another page asks, or nobody says which."""
    site = request.headers.get("sec-fetch-site")
    if (site != "same-origin") if site else (request.headers.get("origin") not in _own(request)):
        raise Problem("wrong-origin", "Another page has asked for it, or it was not said which.")


def _own(request: Request) -> set[str]:
    """The origin that was called, and that of PUBLIC_URL: a proxy may have called us by another name."""
    called = f"{protocol_of(request.scope).decode('latin-1')}://{request.headers.get('host', '')}"
    return {called, "/".join(settings.text("PUBLIC_URL").split("/")[:3])}
