"""audio.created | conversion.failed → the job's owner is told, once by each channel."""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from typing import Any

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from events.catalogue import AudioCreated, ConversionFailed, JobEvent
from functions.notify import fanout, ledger
from functions.notify.channels import identity, mail
from functions.shared import database, tokens
from functions.shared.problems import Problem
from functions.shared.routing import Routes
from functions.shared.subscriber import on_event
from functions.shared.views import rfc3339
from functions.shared.web import answer, json_response

routes = Routes(lambda: database.ping())

NEWEST = 50


@functions_framework.aio.http
async def notify(request: Request) -> Response:
    """Answer any request to this function."""
    return await answer(routes, request)


@routes.add("POST", "/")
@on_event(AudioCreated, ConversionFailed)
def tell_owner(event: JobEvent) -> None:
    """Tell by every channel; the event comes again while one of them is left."""
    fanout.tell(event.job_id, type(event))


@routes.add("GET", "/v1/me/mail")
def sent_mail(request: Request) -> Response:
    """The mails to the caller that are kept on this machine, newest first; 404 where mail goes out by SMTP."""
    user_id = tokens.bearer(request.headers.get("Authorization"))
    if not mail.is_kept():
        raise Problem("not-found", "Mail is sent to your address; it is not kept here.")
    rows = ledger.sent_to(user_id, mail.CHANNEL.name, NEWEST)
    found = ((row, mail.kept(identity(row.job_id, row.kind, row.generation))) for row in rows)
    return json_response({"items": [_shown(row.sent_at, message) for row, message in found if message]})


def _shown(sent_at: datetime, message: EmailMessage) -> dict[str, Any]:
    return {
        "id": message["Message-ID"],
        "to": message["To"],
        "subject": message["Subject"],
        "sent_at": rfc3339(sent_at),
        "text": message.get_content().replace("\r\n", "\n"),
    }
