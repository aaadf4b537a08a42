"""What the tus protocol wants of every answer about resumable uploads, also of those that refuse."""

from __future__ import annotations

from starlette.responses import Response

from functions.shared.middleware import Call, Middleware

__all__ = ["PATH", "VERSION", "Resumable"]

# https://tus.io/protocols/resumable-upload, 1.0.0
VERSION = "1.0.0"
PATH = "/v1/uploads"


class Resumable(Middleware):
    """Names the protocol's version (section "Headers", Tus-Resumable and Tus-Version)."""

    def after(self, call: Call, response: Response) -> None:
        """Whatever the answer is."""
        if call.request.scope["path"].startswith(PATH):
            response.headers["Tus-Resumable"] = VERSION
            if response.status_code == 412:
                response.headers["Tus-Version"] = VERSION
