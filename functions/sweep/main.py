"""A tick → what was lost is sent again, what is over is deleted; a dead letter → recorded whole, and its job failed."""

from __future__ import annotations

import logging

import functions_framework
from flask import Request, Response

from events.wire import Envelope
from functions.shared import blobs, database, tables
from functions.shared.http import answer
from functions.shared.routing import Routes
from functions.shared.subscriber import deliver
from functions.sweep import dead_letters, events, files, rows

log = logging.getLogger(__name__)

routes = Routes(lambda: database.ping(), lambda: blobs.store().ping())

TICK = "dev.knative.sources.ping"
# Orphans are rare, and finding them reads the whole list of files.
HOURLY_AT = 7


@functions_framework.http
def sweep(request: Request) -> Response:
    """Answer any request to this function."""
    return answer(routes, request)


@routes.add("POST", "/")
def on_event(request: Request) -> Response:
    """A tick, or anything else that the broker gave up on."""
    return deliver(request, _handle, cut_at=dead_letters.MOST_BYTES)


def _handle(event: Envelope) -> None:
    if event.type == TICK:
        return tick()
    return dead_letters.record(event)


def tick() -> None:
    """Everything that time alone makes due. Two at once do no harm."""
    dead_letters.replay_wanted()
    events.send_again()
    files.expire()
    files.forget_unfinished()
    rows.forget()
    if tables.now().minute == HOURLY_AT:
        files.delete_orphans()
