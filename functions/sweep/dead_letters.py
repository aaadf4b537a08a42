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
from functions.sweep import parked

__all__ = ["listed", "record", "replay_wanted", "want_replay"]

log = logging.getLogger(__name__)

CUT = "its data was too large"
_NAMESPACE = uuid.UUID("c1f6b7f2-52f0-4c3a-8b1e-9d1a5a0e7f33")
# What the dispatcher gives up on though it may go well later: no answer (also for what it held undelivered when it was
# stopped), and the statuses of a subscriber that is away, busy, or put the event off. 500 is not among them.
PASSING = {"-1", "404", "408", "409", "429", "502", "503", "504"}
# Soon at first; then at the pace of events without effect, which is days until the last.
MOST_SENDS, LAST_SEND = 10, 14
# More of an event's data than the databases take in one statement is not kept; such an event is not replayed.
MOST_BYTES = 2 * 1024 * 1024
# The events that have somebody work on a job, and why it fails when nobody could.
_WORK = {VideoSubmitted.TYPE: "unreachable", VideoUploaded.TYPE: "gave-up"}


def record(event: Envelope) -> None:
    """Write a dead letter down and draw the consequences. The same one may come any number of times."""
    event = parked.attributed(event)
    letter_id = str(uuid.uuid5(_NAMESPACE, f"{event.source}\n{event.id}"))
    reason = " ".join(event.attributes.get(name, "") for name in ("knativeerrorcode", "knativeerrordest")).strip()
    reason = reason or parked.REASON
    whole = len(event.data) < MOST_BYTES
    passing = event.attributes.get("knativeerrorcode", parked.CODE) in PASSING
    log.error("dead letter %s: %s of job %s: %s", letter_id, event.type, event.subject, reason)
    ours = outbox.read(event.id)
    _write_down(letter_id, event, _noted(reason, whole), again=passing and whole and ours is None)
    if ours is not None and ours.settled_at is None:
        _go_on(ours, passing)


def listed() -> list[Any]:
    """Every dead letter, newest first."""
    with database.reading() as connection:
        return list(connection.execute(dead_letters.select().order_by(dead_letters.c.recorded_at.desc())).all())


@database.transactional
def want_replay(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> int:
    """Have sweep's next tick replay dead letters that are whole. Returns: how many."""
    uncut = ~dead_letters.c.reason.contains(CUT)
    return connection.execute(dead_letters.update().where(uncut, *which).values(state="wanted")).rowcount


def replay_wanted() -> None:
    """Replay what an operator asked for. What has had its effect has no other: jobs and ledger see to that."""
    with database.reading() as connection:
        letters = connection.execute(dead_letters.select().where(dead_letters.c.state == "wanted")).all()
    for letter in letters:
        if not _replay(Envelope(letter.attributes, letter.data)):
            return
        _mark_replayed(letter.id)


@database.transactional
def _write_down(connection: sa.Connection, letter_id: str, event: Envelope, reason: str, *, again: bool) -> None:
    """Keep what an operator wanted of it; `again` wants it replayed now, unless that was done often enough."""
    this = dead_letters.c.id == letter_id
    before = connection.execute(sa.select(dead_letters.c.state, dead_letters.c.replays).where(this)).one_or_none()
    often = before is not None and before.replays >= MOST_SENDS
    wanted = (again and not often) or (before is not None and before.state == "wanted")
    values = {"attributes": dict(event.attributes), "data": event.data, "reason": reason, "recorded_at": now()}
    values["state"] = "wanted" if wanted else "recorded"
    if before is None:
        connection.execute(dead_letters.insert().values(id=letter_id, replays=0, **values))
    else:
        connection.execute(dead_letters.update().where(this).values(**values))


@database.transactional
def _mark_replayed(connection: sa.Connection, letter_id: str) -> None:
    replayed = dead_letters.update().where(dead_letters.c.id == letter_id)
    connection.execute(replayed.values(state="replayed", replays=dead_letters.c.replays + 1))


@database.transactional
def _send_at_next_tick(connection: sa.Connection, event_id: str) -> None:
    connection.execute(rows.update().where(rows.c.event_id == event_id).values(sent_at=None))


def _noted(reason: str, whole: bool) -> str:
    return reason[:900] + ("" if whole else f" ({CUT}; {MOST_BYTES:,} bytes are kept)")


def _go_on(row: Any, passing: bool) -> None:
    """What becomes of a job whose event (a row of the outbox) the broker gave up on."""
    if passing and row.attempts < MOST_SENDS:
        _send_at_next_tick(row.event_id)
    elif passing and row.attempts < LAST_SEND:
        log.info("event %s waits until events without effect are sent again", row.event_id)
    elif row.type in _WORK and (failed := jobs.fail(row.job_id, Failure(_WORK[row.type]))):
        outbox.send(failed)


def _replay(event: Envelope) -> bool:
    row = outbox.read(event.id)
    if row is None:
        return outbox.post(_as_sent(event))
    if row.type not in _WORK:
        return outbox.send(row.event_id)
    queued = jobs.retry(row.job_id)
    return outbox.send(queued) if queued else True


def _as_sent(event: Envelope) -> Envelope:
    attributes = {name: value for name, value in event.attributes.items() if not name.startswith("knativeerror")}
    return Envelope(attributes, event.data)
