"""What happened to a job, to several, or to an account → their owner is told, once by each channel."""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from events.catalogue import (
    AudioCreated,
    BatchEnded,
    ConversionFailed,
    EventType,
    ExpiryAnnounced,
    JobEvent,
    MailRequested,
    SubmissionConfirmed,
)
from functions.notify import fanout, ledger, notice_routes, phone_routes, preference_routes, webhook_routes
from functions.notify.channels import identity
from functions.notify.channels import mail as channel
from functions.notify.routes import routes
from functions.notify.shapes import NEWEST, KeptMail, MailList
from functions.shared import mail
from functions.shared.api import json_response
from functions.shared.operations import Access, Success
from functions.shared.problems import Problem
from functions.shared.scopes import Scope
from functions.shared.starting import needs
from functions.shared.subscriber import on_event
from functions.shared.views import rfc3339
from functions.shared.web import answer

# To import them is to serve what they declare.
OTHERS = (notice_routes, phone_routes, preference_routes, webhook_routes)
# Mails have signed links.
needs("LINK_SECRET")


@functions_framework.aio.http
async def notify(request: Request) -> Response:
    """Answer any request to this function."""
    return await answer(routes, request)


@routes.add("POST", "/", takes_events=True)
@on_event(AudioCreated, ConversionFailed, SubmissionConfirmed, ExpiryAnnounced, BatchEnded, MailRequested)
def tell_owner(event: EventType) -> None:
    """Tell by every channel; the event comes again while one of them is left."""
    fanout.tell(_about(event), type(event))


@routes.operation(
    "GET",
    "/v1/me/mail",
    tag="Accounts",
    access=Access.TOKEN,
    # A mail may say how to set a new password: who may read it may change the account.
    scope=Scope.ACCOUNT_WRITE,
    answers={200: Success("The mails.", MailList)},
    problems=("not-found",),
)
def list_mail(_request: Request, user_id: str) -> Response:
    """The mails to you that are kept on this machine.

    404 where mail is really sent.
    """
    if not mail.is_kept():
        raise Problem("not-found", "Mail is sent to your address; it is not kept here.")
    rows = ledger.sent_to(user_id, channel.CHANNEL.name, NEWEST)
    found = ((row, mail.kept(identity(row.job_id, row.kind, row.generation))) for row in rows)
    return json_response(MailList([_shown(row.sent_at, message) for row, message in found if message]))


def _about(event: EventType) -> str:
    if isinstance(event, MailRequested):
        return event.mail_id
    assert isinstance(event, JobEvent)
    return event.batch_id if isinstance(event, BatchEnded) else event.job_id


def _shown(sent_at: datetime, message: EmailMessage) -> KeptMail:
    text = message.get_body(("plain",))
    body = str(text.get_content()).replace("\r\n", "\n") if text else ""
    return KeptMail(str(message["Message-ID"]), str(message["To"]), str(message["Subject"]), rfc3339(sent_at), body)
