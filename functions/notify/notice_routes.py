"""Notices: what became of them, and once more."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from events.catalogue import CATALOGUE
from functions.notify import channels, deliveries, fanout, news
from functions.notify.notice_shapes import NOTICE_ID, DeliveryPage, DeliveryQuery
from functions.notify.routes import routes
from functions.shared.api import json_response
from functions.shared.kinds import WEBHOOK_TESTED
from functions.shared.operations import Access, Success
from functions.shared.problems import Problem
from functions.shared.scopes import Scope
from functions.shared.takes import query as in_query

__all__ = ["list_notices", "resend_notice", "tell_again"]

_TYPES: dict[str, Any] = {event_type.TYPE: event_type for event_type in CATALOGUE}


@routes.operation(
    "GET",
    "/v1/me/notices",
    tag="Notices",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_READ,
    takes=(in_query(DeliveryQuery),),
    answers={200: Success("The notices.", DeliveryPage)},
)
def list_notices(_request: Request, user_id: str, query: DeliveryQuery) -> Response:
    """What you were told, or could not be told, and why.

    A notice that was refused, by your mail server for example, can be sent again.
    """
    return json_response(deliveries.page(user_id, query))


@routes.operation(
    "POST",
    "/v1/me/notices/<notice_id>/resend",
    tag="Notices",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    takes=(NOTICE_ID,),
    answers={202: Success("It is on its way; the list says how it went.")},
    problems=("not-found", "wrong-state"),
)
def resend_notice(_request: Request, user_id: str, notice_id: str) -> Response:
    """Send a notice again, whatever became of it.

    It has the same Message-ID, or `webhook-id`, as before.
    """
    return tell_again(deliveries.of(user_id, notice_id))


def tell_again(row: Any) -> Response:
    """Send what a row of the ledger is about again. Raises: Problem (409) when there is nobody to tell any more."""
    _check_endpoint(row)
    deliveries.send_again(row)
    fanout.tell(row.job_id, _TYPES[row.kind])
    return Response(status_code=202)


def _check_endpoint(row: Any) -> None:
    if row.kind == WEBHOOK_TESTED:
        raise Problem("wrong-state", "It was a test, which is not sent again: make another one.")
    notice = news.notice_of(row.job_id, _TYPES[row.kind]) if row.kind in _TYPES else None
    channel = next((each for each in channels.every() if each.name == row.channel), None)
    if notice is None or channel is None:
        raise Problem("wrong-state", "The job has changed since: there is nothing to tell of it any more.")
    if row.endpoint not in {each.key for each in channel.endpoints_of(notice)}:
        raise Problem("wrong-state", "There is nobody to tell: it is disabled, or you have chosen not to be told.")
