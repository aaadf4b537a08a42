"""What the broker gave up on: recorded whole, its job failed; and replayed when an operator says so."""

from __future__ import annotations

import logging
import uuid
from typing import Any

import sqlalchemy as sa

from events.catalogue import VideoSubmitted, VideoUploaded
from events.wire import Envelope
from functions.shared import database, jobs, outbox
from functions.shared.reasons import Failure
from functions.shared.tables import dead_letters, now
from functions.shared.tables import outbox as rows

__all__ = ["listed", "record", "replay_wanted", "want_replay"]

log = logging.getLogger(__name__)

_NAMESPACE = uuid.UUID("c1f6b7f2-52f0-4c3a-8b1e-9d1a5a0e7f33")
# The dispatcher's code for "no answer", and for the events that it held undelivered when it was stopped.
UNDELIVERED = "-1"
MOST_SENDS = 10
# The events that have somebody work on a job, and why it fails when nobody could.
_WORK = {VideoSubmitted.TYPE: "unreachable", VideoUploaded.TYPE: "gave-up"}


def record(event: Envelope) -> None:
    """Write a dead letter down and draw the consequences. The same one may come any number of times."""
    letter_id = str(uuid.uuid5(_NAMESPACE, f"{event.source}\n{event.id}"))
    reason = " ".join(event.attributes.get(name, "") for name in ("knativeerrorcode", "knativeerrordest")).strip()
    _write_down(letter_id, event, reason[:1000])
    log.error("dead letter %s: %s of job %s: %s", letter_id, event.type, event.subject, reason)
    _consequences(event)


def listed() -> list[Any]:
    """Every dead letter, newest first."""
    with database.reading() as connection:
        return list(connection.execute(dead_letters.select().order_by(dead_letters.c.recorded_at.desc())).all())


@database.transactional
def want_replay(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> int:
    """Have sweep's next tick replay dead letters. Returns: how many."""
    return connection.execute(dead_letters.update().where(*which).values(state="wanted")).rowcount


def replay_wanted() -> None:
    """Replay what an operator asked for. What has had its effect has no other: jobs and ledger see to that."""
    with database.reading() as connection:
        letters = connection.execute(dead_letters.select().where(dead_letters.c.state == "wanted")).all()
    for letter in letters:
        if _replay(Envelope(letter.attributes, letter.data)):
            _mark_replayed(letter.id)


@database.transactional
def _write_down(connection: sa.Connection, letter_id: str, event: Envelope, reason: str) -> None:
    whole = {"attributes": dict(event.attributes), "data": event.data}
    connection.execute(dead_letters.delete().where(dead_letters.c.id == letter_id))
    noted = dead_letters.insert().values(id=letter_id, reason=reason, recorded_at=now(), state="recorded", **whole)
    connection.execute(noted)


@database.transactional
def _mark_replayed(connection: sa.Connection, letter_id: str) -> None:
    connection.execute(dead_letters.update().where(dead_letters.c.id == letter_id).values(state="replayed"))


@database.transactional
def _send_at_next_tick(connection: sa.Connection, event_id: str) -> None:
    connection.execute(rows.update().where(rows.c.event_id == event_id).values(sent_at=None))


def _consequences(event: Envelope) -> None:
    with database.reading() as connection:
        row = connection.execute(rows.select().where(rows.c.event_id == event.id)).one_or_none()
    if row is None or row.settled_at is not None:
        return
    if event.attributes.get("knativeerrorcode") == UNDELIVERED and row.attempts < MOST_SENDS:
        _send_at_next_tick(event.id)
    elif row.type in _WORK and (failed := jobs.fail(row.job_id, Failure(_WORK[row.type]))):
        outbox.send(failed)


def _replay(event: Envelope) -> bool:
    with database.reading() as connection:
        row = connection.execute(rows.select().where(rows.c.event_id == event.id)).one_or_none()
    if row is None:
        return outbox.post(_as_sent(event))
    if row.type not in _WORK:
        return outbox.send(row.event_id)
    queued = jobs.retry(row.job_id)
    return outbox.send(queued) if queued else True


def _as_sent(event: Envelope) -> Envelope:
    attributes = {name: value for name, value in event.attributes.items() if not name.startswith("knativeerror")}
    return Envelope(attributes, event.data)
