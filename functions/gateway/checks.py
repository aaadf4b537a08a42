"""What the gateway sees to for all functions: sizes on the way in, security headers on the way out."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from functions.shared import settings
from functions.shared.sizes import FORM_OVERHEAD, too_large

__all__ = ["SECURITY_HEADERS", "check_size", "protected"]

# OWASP HTTP Headers Cheat Sheet. The page has no inline script or style, and loads nothing from elsewhere.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def check_size(headers: Mapping[str, str]) -> None:
    """Refuse a body that is too large before any of it is read; upload counts exactly. Raises: Problem (413)."""
    length, limit = headers.get("content-length", ""), settings.number("MAX_UPLOAD_BYTES")
    if length.isascii() and length.isdigit() and int(length) > limit + FORM_OVERHEAD:
        raise too_large()


def protected(response: Response) -> Response:
    """The response, with the security headers."""
    response.headers.update(SECURITY_HEADERS)
    return response
