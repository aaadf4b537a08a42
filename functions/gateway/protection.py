"""What the gateway sees to for all functions: sizes on the way in, security headers on the way out."""

from __future__ import annotations

from starlette.responses import Response

from functions.gateway.hop import protocol_of
from functions.shared import settings
from functions.shared.middleware import Call, Middleware, Route, put
from functions.shared.problems import Problem
from functions.shared.sizes import FORM_OVERHEAD, too_large

__all__ = ["Protection"]

# OWASP HTTP Headers Cheat Sheet. The page has no inline script or style, and loads nothing from elsewhere.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
        "media-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# RFC 6797. For a year, and for this name alone: what else is below it is not ours.
STRICT_TRANSPORT = {"Strict-Transport-Security": "max-age=31536000"}
# All that a browser heeds of these with a script, a style sheet or a font: the others are about documents. The page has
# dozens of such parts, and each would bring half a kilobyte.
_FOR_PARTS = ("X-Content-Type-Options", "Cross-Origin-Resource-Policy")
_EVERYWHERE, _ON_PARTS, _BY_TLS = (
    {name.lower().encode(): value.encode() for name, value in headers.items()}
    for headers in (SECURITY_HEADERS, {name: SECURITY_HEADERS[name] for name in _FOR_PARTS}, STRICT_TRANSPORT)
)


class Protection(Middleware):
    """Refuses bodies that are too large, or packed, before any of it is read, and sets the security headers."""

    async def before(self, call: Call, route: Route) -> None:
        """Upload counts exactly. Raises: Problem (413, 415)."""
        if call.header(b"content-encoding").lower() not in ("", "identity"):
            # It would be taken as it is, and a video be none. RFC 9110, section 15.5.16
            detail = "Send the body as it is, without Content-Encoding."
            raise Problem("unsupported-media-type", detail, {"Accept-Encoding": "identity"})
        limit = settings.number("MAX_UPLOAD_BYTES")
        for name, bound in ((b"content-length", limit + FORM_OVERHEAD), (b"upload-length", limit)):
            length = call.header(name)
            if length.isascii() and length.isdigit() and int(length) > bound:
                raise too_large()

    def after(self, call: Call, response: Response) -> None:
        """Over what a function may have set."""
        put(response, _ON_PARTS if _is_part(response) else _EVERYWHERE)
        # Never by HTTP (section 7.2), nor for a host that is reached by TLS without being meant to be.
        if settings.text("PUBLIC_URL").startswith("https://") and protocol_of(call.request.scope) == b"https":
            put(response, _BY_TLS)


def _is_part(response: Response) -> bool:
    kind = next((value for name, value in response.raw_headers if name == b"content-type"), b"")
    return kind.startswith((b"text/javascript", b"text/css", b"font/"))
