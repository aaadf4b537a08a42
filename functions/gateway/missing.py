"""Where an address leads nowhere: a page for people, and problem details for programs."""

from __future__ import annotations

from starlette.responses import Response

from functions.gateway import shell
from functions.shared.accepts import takes
from functions.shared.middleware import Call, Middleware
from functions.shared.problems import MARK, Problem

__all__ = ["Missing"]


class Missing(Middleware):
    """Answers a browser that asks for no address of ours with the page that says so."""

    def failed(self, call: Call, error: Exception) -> Response | None:
        """The page; None for all else."""
        unknown = isinstance(error, Problem) and error.code == "not-found" and not (call.route and call.route.path)
        if not unknown or call.request.method not in ("GET", "HEAD") or not takes(call.header(b"accept"), "text/html"):
            return None
        response = shell.page(call.request, "missing.html", 404)
        response.headers[MARK] = "not-found"
        response.headers.add_vary_header("Accept")
        return response
