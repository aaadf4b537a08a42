"""Answers that come before the request's body is read: the rest is taken in and thrown away before the connection ends.

Closing a connection with unread bytes makes the kernel reset it, and the reset can overtake the answer: the client
would see an error instead of the 413 (RFC 9112, section 9.6).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

__all__ = ["LINGER_SECONDS", "STALL_SECONDS", "WSGIApp", "lingering_wsgi"]

LINGER_SECONDS, STALL_SECONDS = 30, 5
PIECE = 256 * 1024

WSGIApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


def lingering_wsgi(app: WSGIApp) -> WSGIApp:
    """The same app, lingering."""

    def lingering(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        answer = app(environ, start_response)
        try:
            yield from answer
        finally:
            if hasattr(answer, "close"):
                answer.close()
        _drain(environ)

    return lingering


def _drain(environ: dict[str, Any]) -> None:
    ends, body, connection = time.monotonic() + LINGER_SECONDS, environ["wsgi.input"], environ["gunicorn.socket"]
    patience = connection.gettimeout()
    with suppress(OSError):
        connection.settimeout(STALL_SECONDS)
        while body.read(PIECE) and time.monotonic() < ends:
            pass
        connection.settimeout(patience)
