"""Pages of other origins that may use the API from a browser: those in CORS_ORIGINS (Fetch standard, section 3.2).

Never with credentials: the cookie of a session is for our own page (own_page.py), and one that has a token sends it
by itself.
"""

from __future__ import annotations

import re

from starlette.responses import Response

from functions.shared import settings
from functions.shared.middleware import Call, Middleware, Route
from functions.shared.problems import Problem
from functions.shared.settings import SettingError

__all__ = ["Cors", "check"]

# What a page may send beside what the standard lets everybody send.
_ALLOWED = (
    "Authorization, Content-Digest, Content-Disposition, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
    "If-Range, Last-Event-ID, Prefer, Range, Repr-Digest, Tus-Resumable, Upload-Checksum, Upload-Concat, "
    "Upload-Defer-Length, Upload-Length, Upload-Metadata, Upload-Offset, X-HTTP-Method-Override, X-Request-Id, "
    "traceparent, tracestate"
)
# What it may read beside what everybody may.
_EXPOSED = (
    "Accept-Ranges, Allow, Content-Disposition, Content-Range, ETag, Location, Preference-Applied, RateLimit, "
    "RateLimit-Policy, Retry-After, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, "
    "Upload-Concat, Upload-Defer-Length, Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset, "
    "WWW-Authenticate, X-Request-Id"
)
_PREFLIGHT_SECONDS = "600"
# What a page may ask for at an address that takes OPTIONS itself; which of them it takes, the address says.
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST")
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?")


def check() -> None:
    """Raises: SettingError when CORS_ORIGINS has what no browser would ever send as an Origin."""
    for origin in settings.text("CORS_ORIGINS").split():
        if not _ORIGIN.fullmatch(origin):
            raise SettingError("CORS_ORIGINS must be origins such as https://app.example.com, space between")


class Cors(Middleware):
    """Answers preflight requests, and lets pages of the origins listed read what we answer."""

    async def before(self, call: Call, route: Route) -> None:
        """A preflight request is for nobody else, also where a route takes OPTIONS. Raises: Problem (405)."""
        # What leads nowhere is refused by a route without a path.
        if route.path and _asks(call):
            raise Problem("method-not-allowed", "This is a preflight request.", {"Allow": ", ".join(METHODS)})

    def failed(self, call: Call, error: Exception) -> Response | None:
        """The answer to a preflight request: it is one that failed, as hardly any route takes OPTIONS."""
        asked = _asks(call) and _allowed(call)
        if not asked or not isinstance(error, Problem) or "Allow" not in error.headers:
            return None
        allowed = {"Access-Control-Allow-Methods": error.headers["Allow"], "Access-Control-Allow-Headers": _ALLOWED}
        return Response(status_code=204, headers={**allowed, "Access-Control-Max-Age": _PREFLIGHT_SECONDS})

    def after(self, call: Call, response: Response) -> None:
        """Which origin may read it. A cache must not give one origin the answer for another."""
        if not settings.text("CORS_ORIGINS"):
            return
        response.headers.add_vary_header("Origin")
        if origin := _allowed(call):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED


def _asks(call: Call) -> bool:
    return call.request.method == "OPTIONS" and bool(call.header(b"access-control-request-method"))


def _allowed(call: Call) -> str | None:
    """The origin of the page that asks, if it is one of those listed; letter by letter, as browsers send it."""
    origin = call.header(b"origin")
    return origin if origin in settings.text("CORS_ORIGINS").split() else None
