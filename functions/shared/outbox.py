"""The outbox: events are rows first, written in the transaction that changes the state, and then posted to K_SINK.

A row is *sent* when the sink took the event, and *settled* when its effect is in the database too. Sweep sends again
what stays unsettled, so that neither a dead sink nor a broker that loses an event can lose a job.
See https://microservices.io/patterns/data/transactional-outbox.html
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from events.catalogue import CATALOGUE, EventType, MailRequested
from events.codec import encode
from events.wire import Envelope
from functions.shared import database, logs, trace
from functions.shared.problems import Unavailable
from functions.shared.publisher import Outcome, Receipt, publish
from functions.shared.tables import now, outbox

__all__ = [
    "add",
    "add_beside",
    "add_first",
    "add_mail",
    "of",
    "read",
    "ready",
    "send",
    "send_all",
    "send_unsent",
    "settle",
    "trace_of",
]

log = logging.getLogger(__name__)

_NAMESPACE = uuid.UUID("8f0f3c1e-2a63-4f5e-9a49-6c1a5b7d2e40")
_TYPES = {event_type.TYPE: event_type for event_type in CATALOGUE}
_UNREFUSED = {"refusal": None, "set_aside_at": None}


def add(
    connection: sa.Connection, job_id: str, generation: int, event: EventType, not_before: datetime | None = None
) -> str:
    """Write an event into the outbox, in the caller's transaction, and settle what the job had waiting.

    The id is made from job, type and generation (the job's fencing token): who emits it again emits the same event.
    It carries the trace of the request that is being answered; without one, that of the job's event before it. Sweep
    sends it at `not_before`, if that is given; nobody does earlier.
    Returns: the event's id, for `send` after the commit.
    """
    values = _row(job_id, generation, event, trace.current() or _trace_before(connection, job_id))
    settle(connection, outbox.c.job_id == job_id)
    connection.execute(outbox.insert().values(not_before=not_before, **values))
    return str(values["event_id"])


def add_beside(connection: sa.Connection, job_id: str, event: EventType) -> str:
    """As `add`, but what the job has waiting stays; one of the same type that is there already comes again.

    Such an event is not about a run of its job. Returns: the event's id.
    """
    values = _row(job_id, 0, event, _trace_before(connection, job_id))
    again = outbox.update().where(outbox.c.event_id == values["event_id"])
    anew = {name: values[name] for name in ("data", "created_at", "attempts")}
    if connection.execute(again.values(settled_at=None, sent_at=None, **_UNREFUSED, **anew)).rowcount == 0:
        connection.execute(outbox.insert().values(**values))
    return str(values["event_id"])


def add_first(connection: sa.Connection, events: Mapping[str, EventType]) -> list[str]:
    """As `add`, for many new jobs at once: the first event of each, by the job's id. Returns: the events' ids."""
    rows = [_row(job_id, 0, event, trace.current()) for job_id, event in events.items()]
    connection.execute(outbox.insert(), rows)
    return [row["event_id"] for row in rows]


def add_mail(connection: sa.Connection, event: MailRequested) -> str:
    """Write the event of a mail about an account into the outbox, in the caller's transaction. Returns: its id."""
    values = _row(event.mail_id, 0, event, trace.current())
    connection.execute(outbox.insert().values(**{**values, "job_id": None, "mail_id": event.mail_id}))
    return str(values["event_id"])


def settle(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> None:
    """Mark events as having had their effect: they are not sent again."""
    connection.execute(outbox.update().where(*which, outbox.c.settled_at.is_(None)).values(settled_at=now()))


def read(event_id: str) -> Any:
    """The outbox's row of an event, or None when it is not ours."""
    with database.reading() as connection:
        return connection.execute(outbox.select().where(outbox.c.event_id == event_id)).one_or_none()


def send(event_id: str) -> Receipt:
    """Post one event to K_SINK and mark it sent. Never raises: what cannot be sent now is left to sweep."""
    try:
        row = read(event_id)
        if row is None:
            return Receipt(Outcome.REFUSED, "there is no such event")
        if row.type not in _TYPES:
            return Receipt(Outcome.REFUSED, f"this release knows no events of type {row.type}")
        with logs.about(event_id=event_id, job_id=row.job_id or ""):
            answer = publish(_envelope(row))
        if answer.outcome is Outcome.SENT:
            _mark_sent(event_id)
    except Unavailable as error:
        answer = Receipt(Outcome.AWAY, str(error))
    if answer.outcome is not Outcome.SENT:
        log.warning("event %s stays in the outbox: %s", event_id, answer.reason)
    return answer


def send_all(event_ids: Iterable[str]) -> None:
    """Post events one after the other, until the sink is away. Never raises: what is left is for sweep."""
    for event_id in event_ids:
        if send(event_id).outcome is Outcome.AWAY:
            return


def send_unsent(job_id: str) -> None:
    """Send the events of a job that were never marked sent."""
    with database.reading() as connection:
        query = sa.select(outbox.c.event_id).where(outbox.c.job_id == job_id, outbox.c.sent_at.is_(None))
        waiting = connection.execute(query.where(outbox.c.settled_at.is_(None), ready())).scalars().all()
    for event_id in waiting:
        send(event_id)


def ready() -> sa.ColumnElement[bool]:
    """The condition that an event may be sent by now."""
    return sa.or_(outbox.c.not_before.is_(None), outbox.c.not_before <= now())


def trace_of(job_id: str) -> trace.Trace | None:
    """The trace of a job's newest event that has one."""
    with database.reading() as connection:
        return _trace_before(connection, job_id)


def of(job_id: str, *types: str) -> sa.ColumnElement[bool]:
    """The condition that an event is of this job, and of one of these types if any are given."""
    return sa.and_(outbox.c.job_id == job_id, *([outbox.c.type.in_(types)] if types else []))


@database.transactional
def _mark_sent(connection: sa.Connection, event_id: str) -> None:
    sent = outbox.update().where(outbox.c.event_id == event_id)
    connection.execute(sent.values(sent_at=now(), attempts=outbox.c.attempts + 1, **_UNREFUSED))


def _row(job_id: str, generation: int, event: EventType, followed: trace.Trace | None) -> dict[str, Any]:
    event_id = str(uuid.uuid5(_NAMESPACE, f"{job_id}/{event.TYPE}/{generation}"))
    about = {"event_id": event_id, "job_id": job_id, "type": event.TYPE, "data": event.to_data()}
    return {**about, "created_at": now(), "attempts": 0, **(followed.headers() if followed else {})}


def _trace_before(connection: sa.Connection, job_id: str) -> trace.Trace | None:
    traced = sa.select(outbox.c.traceparent, outbox.c.tracestate).where(
        outbox.c.job_id == job_id, outbox.c.traceparent.is_not(None)
    )
    row = connection.execute(traced.order_by(outbox.c.created_at.desc()).limit(1)).one_or_none()
    return None if row is None else trace.Trace(row.traceparent, row.tracestate)


def _envelope(row: Any) -> Envelope:
    event_type = _TYPES[row.type]
    subject = row.job_id or row.mail_id
    about = {"id": row.event_id, "source": event_type.SOURCE, "subject": subject, "time": row.created_at}
    followed = trace.parse(row.traceparent, row.tracestate)
    return encode(event_type, row.data, **about).with_attributes(**(followed.headers() if followed else {}))
