"""What operators do about events that the sink refuses."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from functions.shared.api import json_response
from functions.shared.operations import Access, Success
from functions.shared.scopes import Scope
from functions.shared.takes import json_body, query
from functions.sweep import administration
from functions.sweep.event_shapes import RefusedPage, RefusedQuery, SentAgain, WhichEvents
from functions.sweep.routes import actor, routes

__all__ = ["list_refused_events", "send_refused_events"]


@routes.operation(
    "GET",
    "/v1/admin/events",
    tag="Administration",
    access=Access.TOKEN,
    scope=Scope.ADMIN,
    takes=(query(RefusedQuery),),
    answers={200: Success("One page.", RefusedPage)},
)
def list_refused_events(_request: Request, user_id: str, query: RefusedQuery) -> Response:
    """Events of ours that the sink refuses, newest first."""
    return json_response(administration.refused_page(query))


@routes.operation(
    "POST",
    "/v1/admin/events/send",
    tag="Administration",
    access=Access.TOKEN,
    scope=Scope.ADMIN,
    takes=(json_body(WhichEvents),),
    answers={202: Success("How many will be.", SentAgain)},
)
def send_refused_events(request: Request, user_id: str, body: WhichEvents) -> Response:
    """Send events again that the sink refused, once that is cured."""
    return json_response(administration.send_again(body, actor(request, user_id)), 202)
