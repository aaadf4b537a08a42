"""audio.created | conversion.failed → a mail to the job's owner, once."""

from __future__ import annotations

import logging
from datetime import datetime
from email.message import EmailMessage
from typing import Any

import functions_framework
from flask import Request, Response

from events.catalogue import AudioCreated, ConversionFailed, JobEvent
from functions.notify import ledger, mail, texts
from functions.shared import database, tokens
from functions.shared.http import answer, json_response
from functions.shared.problems import Problem, Unavailable
from functions.shared.routing import Routes
from functions.shared.subscriber import on_event
from functions.shared.views import rfc3339

log = logging.getLogger(__name__)

routes = Routes(lambda: database.ping())

CHANNEL = "mail"
NEWEST = 50


@functions_framework.http
def notify(request: Request) -> Response:
    """Answer any request to this function."""
    return answer(routes, request)


@routes.add("POST", "/")
@on_event(AudioCreated, ConversionFailed)
def tell_owner(event: JobEvent) -> None:
    """Claim the notice, send it, and write down that it was sent."""
    notice = ledger.begin(event.job_id, type(event), CHANNEL, mail.claim_seconds())
    if notice is None:
        return
    try:
        _send(notice)
    except mail.Refused as refusal:
        log.error("mail to the owner of job %s was refused: %s", event.job_id, refusal)
        ledger.finish(notice, str(refusal))
    except Unavailable:
        ledger.abandon(notice)
        raise
    else:
        ledger.finish(notice)


@routes.add("GET", "/v1/me/mail")
def sent_mail(request: Request) -> Response:
    """The mails to the caller that are kept on this machine, newest first; 404 where mail goes out by SMTP."""
    user_id = tokens.bearer(request.headers.get("Authorization"))
    if not mail.is_kept():
        raise Problem("not-found", "Mail is sent to your address; it is not kept here.")
    rows = ledger.sent_to(user_id, CHANNEL, NEWEST)
    found = ((row, mail.kept(mail.message_id(row.job_id, row.kind, row.generation))) for row in rows)
    return json_response({"items": [_shown(row.sent_at, message) for row, message in found if message]})


def _send(notice: ledger.Notice) -> None:
    identity = mail.message_id(notice.job.id, notice.kind, notice.job.fencing_token)
    message = mail.compose(identity, notice.job.email, texts.write(notice.job, notice.kind))
    mail.send(message)
    log.info("mail to the owner of job %s: %s", notice.job.id, notice.kind)


def _shown(sent_at: datetime, message: EmailMessage) -> dict[str, Any]:
    return {
        "id": message["Message-ID"],
        "to": message["To"],
        "subject": message["Subject"],
        "sent_at": rfc3339(sent_at),
        "text": message.get_content().replace("\r\n", "\n"),
    }
