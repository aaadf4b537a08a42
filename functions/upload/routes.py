"""The routes of upload, and what their handlers answer with. They are in the modules that main.py names."""

from __future__ import annotations

from starlette.responses import Response

from functions.shared import blobs, database, outbox, owners
from functions.shared.api import Api, json_response
from functions.shared.middleware.resumable import Resumable
from functions.shared.views import job_view
from functions.shared.web import afterwards

__all__ = ["accepted", "announced", "routes"]

routes = Api(lambda: database.ping(), lambda: blobs.store().ping(), middleware=(Resumable(),))


def accepted(user_id: str, job_id: str, event_id: str | None = None) -> Response:
    """202 with the job, after which its event is sent. It blocks."""
    view = job_view(owners.job_of(user_id, job_id))
    return announced(json_response(view, 202, {"Location": f"/v1/jobs/{job_id}"}), event_id)


def announced(response: Response, event_id: str | None) -> Response:
    """The response, after which an event is sent, if there is one: a broker that is down keeps no client waiting."""
    if event_id is not None:
        response.background = afterwards(outbox.send, event_id)
    return response
