"""The outbox: events are rows first, written in the transaction that changes the state, and then posted to K_SINK.

A row is *sent* when the sink took the event, and *settled* when its effect is in the database too. Sweep sends again
what stays unsettled, so that neither a dead sink nor a broker that loses an event can lose a job.
See https://microservices.io/patterns/data/transactional-outbox.html
"""

from __future__ import annotations

import http.client
import logging
import urllib.request
import uuid
from typing import Any

import sqlalchemy as sa

from events.catalogue import CATALOGUE, EventType
from events.codec import encode
from events.wire import Envelope, write
from functions.shared import database, settings
from functions.shared.problems import Unavailable
from functions.shared.tables import now, outbox

__all__ = ["add", "of", "post", "read", "send", "send_unsent", "settle"]

log = logging.getLogger(__name__)

SEND_SECONDS = 10
_NAMESPACE = uuid.UUID("8f0f3c1e-2a63-4f5e-9a49-6c1a5b7d2e40")
# Neither a proxy (the sink is beside us, whatever http_proxy says) nor a redirect, which would make a GET of the POST.
_SINK = urllib.request.OpenerDirector()
for _handler in (urllib.request.HTTPHandler, urllib.request.HTTPSHandler, urllib.request.UnknownHandler):
    _SINK.add_handler(_handler())
_TYPES = {event_type.TYPE: event_type for event_type in CATALOGUE}


def add(connection: sa.Connection, job_id: str, generation: int, event: EventType) -> str:
    """Write an event into the outbox, in the caller's transaction, and settle what the job had waiting.

    The id is made from job, type and generation (the job's fencing token): who emits it again emits the same event.
    Returns: the event's id, for `send` after the commit.
    """
    event_id = str(uuid.uuid5(_NAMESPACE, f"{job_id}/{event.TYPE}/{generation}"))
    settle(connection, outbox.c.job_id == job_id)
    connection.execute(
        outbox.insert().values(
            event_id=event_id, job_id=job_id, type=event.TYPE, data=event.to_data(), created_at=now(), attempts=0
        )
    )
    return event_id


def settle(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> None:
    """Mark events as having had their effect: they are not sent again."""
    connection.execute(outbox.update().where(*which, outbox.c.settled_at.is_(None)).values(settled_at=now()))


def read(event_id: str) -> Any:
    """The outbox's row of an event, or None when it is not ours."""
    with database.reading() as connection:
        return connection.execute(outbox.select().where(outbox.c.event_id == event_id)).one_or_none()


def send(event_id: str) -> bool:
    """Post one event to K_SINK and mark it sent. Never raises: what cannot be sent now is left to sweep."""
    try:
        row = read(event_id)
        if row is None:
            return False
        _post(_envelope(row))
        _mark_sent(event_id)
    except Unavailable as error:
        log.warning("event %s stays in the outbox: %s", event_id, error)
        return False
    return True


def send_unsent(job_id: str) -> None:
    """Send the events of a job that were never marked sent."""
    with database.reading() as connection:
        query = sa.select(outbox.c.event_id).where(outbox.c.job_id == job_id, outbox.c.sent_at.is_(None))
        waiting = connection.execute(query.where(outbox.c.settled_at.is_(None))).scalars().all()
    for event_id in waiting:
        send(event_id)


def of(job_id: str, *types: str) -> sa.ColumnElement[bool]:
    """The condition that an event is of this job, and of one of these types if any are given."""
    return sa.and_(outbox.c.job_id == job_id, *([outbox.c.type.in_(types)] if types else []))


def post(envelope: Envelope) -> bool:
    """Post any event to K_SINK as it is. Returns: whether the sink took it."""
    try:
        _post(envelope)
    except Unavailable as error:
        log.warning("event %s was not taken: %s", envelope.id, error)
        return False
    return True


@database.transactional
def _mark_sent(connection: sa.Connection, event_id: str) -> None:
    sent = outbox.update().where(outbox.c.event_id == event_id)
    connection.execute(sent.values(sent_at=now(), attempts=outbox.c.attempts + 1))


def _envelope(row: Any) -> Envelope:
    event_type = _TYPES[row.type]
    about = {"id": row.event_id, "source": event_type.SOURCE, "subject": row.job_id, "time": row.created_at}
    return encode(event_type, row.data, **about)


def _post(envelope: Envelope) -> None:
    sink = settings.text("K_SINK")
    if not sink:
        raise Unavailable("K_SINK is not set")
    headers, body = write(envelope)
    try:
        request = urllib.request.Request(sink, data=body, headers=headers, method="POST")
        with _SINK.open(request, timeout=SEND_SECONDS) as response:
            status = response.status
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise Unavailable(f"the sink does not take events: {error}") from error
    if not 200 <= status < 300:
        raise Unavailable(f"the sink does not take events: it answers {status}")
