"""The course of a job, for operators."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from functions.shared.api import json_response
from functions.shared.operations import Access, Success
from functions.shared.scopes import Scope
from functions.shared.views import JOB_ID
from functions.sweep import timeline
from functions.sweep.routes import routes
from functions.sweep.timeline_shapes import Timeline

__all__ = ["read_timeline"]


@routes.operation(
    "GET",
    "/v1/admin/jobs/<job_id>/timeline",
    tag="Administration",
    access=Access.TOKEN,
    scope=Scope.ADMIN,
    takes=(JOB_ID,),
    answers={200: Success("Its course.", Timeline)},
    problems=("not-found",),
)
def read_timeline(_request: Request, user_id: str, job_id: str) -> Response:
    """The course of a job: its states, its events, who was told, and what the broker gave up on.

    Events that are settled are kept for a while only (RETENTION_SECONDS). Nothing of what is in the files is told.
    """
    return json_response(timeline.of(job_id))
