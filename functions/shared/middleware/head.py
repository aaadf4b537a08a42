"""Bounds of what a request may bring in its head."""

from __future__ import annotations

from functions.shared.middleware import Call, Middleware, Route
from functions.shared.problems import Problem

__all__ = ["HeadSize"]

# What proxies commonly take. The server takes more, for events: see protocol.py.
MAX_HEADER_BYTES, MAX_HEADERS = 64 * 1024, 100


class HeadSize(Middleware):
    """Refuses requests with too many headers, or too large ones; events may have more."""

    async def before(self, call: Call, route: Route) -> None:
        """Raises: Problem (431)."""
        sizes = [len(name) + len(value) for name, value in call.request.scope["headers"]]
        if not route.takes_events and (len(sizes) > MAX_HEADERS or sum(sizes) > MAX_HEADER_BYTES):
            raise Problem("headers-too-large", f"Send at most {MAX_HEADERS} headers, of 64 KiB together.")
