"""What ties together all that happens for one request: its trace (W3C Trace Context) and its id."""

from __future__ import annotations

import re
import secrets

from starlette.responses import Response

from functions.shared import logs, trace
from functions.shared.middleware import Call, Middleware, Route, put

__all__ = ["REQUEST_ID", "RequestId", "Tracing"]

REQUEST_ID = "X-Request-Id"
_NAME = REQUEST_ID.lower().encode()
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Tracing(Middleware):
    """Makes the trace of the request the current one. Each request has a task, and so a context, of its own."""

    def received(self, call: Call) -> None:
        """One that is not sound is dropped."""
        if parent := call.header(b"traceparent"):
            trace.follow(trace.parse(parent, call.header(b"tracestate")))

    async def before(self, call: Call, route: Route) -> None:
        """Whoever observes the request tells requests apart by their route."""
        call.request.scope["audiolift.route"] = route.path


class RequestId(Middleware):
    """Gives every request an id, if it has none that is sound, and names it in the response."""

    def received(self, call: Call) -> None:
        """The request has it as a header, so that it goes along to where the request is passed on."""
        if not _ID.fullmatch(call.header(_NAME)):
            kept = [pair for pair in call.request.scope["headers"] if pair[0] != _NAME]
            # In place: the request's headers are a view of this list.
            call.request.scope["headers"][:] = [*kept, (_NAME, secrets.token_hex(16).encode())]
        logs.note(request_id=_id_of(call))

    def after(self, call: Call, response: Response) -> None:
        """A response that another function gave has it already."""
        put(response, {_NAME: _id_of(call).encode()})


def _id_of(call: Call) -> str:
    found: bytes = next(value for name, value in call.request.scope["headers"] if name == _NAME)
    return found.decode("latin-1")
