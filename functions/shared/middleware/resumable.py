"""What the tus protocol wants of every answer about resumable uploads, also of those that refuse."""

from __future__ import annotations

from starlette.responses import Response

from functions.shared.middleware import Call, Middleware

__all__ = ["PATH", "VERSION", "Resumable"]

# https://tus.io/protocols/resumable-upload, 1.0.0
VERSION = "1.0.0"
PATH = "/v1/uploads"


_OVERRIDE = "X-HTTP-Method-Override"


class Resumable(Middleware):
    """Names the protocol's version, and reads a method that the client cannot send (section "Headers")."""

    def received(self, call: Call) -> None:
        """Some clients, or proxies before them, know GET and POST only: what counts is the method in the header."""
        request, method = call.request, call.request.headers.get(_OVERRIDE)
        of_upload = request.scope["path"].startswith(f"{PATH}/")
        if of_upload and request.method == "POST" and method in ("PATCH", "DELETE"):
            request.scope["method"] = method

    def after(self, call: Call, response: Response) -> None:
        """Whatever the answer is."""
        if call.request.scope["path"].startswith(PATH):
            response.headers["Tus-Resumable"] = VERSION
            if response.status_code == 412:
                response.headers["Tus-Version"] = VERSION
