"""What the broker gave up on: recorded whole, and its job failed."""

from __future__ import annotations

import logging
from typing import Any

import sqlalchemy as sa

from events.wire import Envelope
from functions.shared import database, outbox, trace
from functions.shared.tables import dead_letters, now
from functions.shared.tables import outbox as rows
from functions.sweep import giving_up, letters
from functions.sweep.letters import Letter

__all__ = ["record", "record_unreadable"]

log = logging.getLogger(__name__)

# What the dispatcher gives up on though it may go well later: no answer (also for what it held undelivered when it was
# stopped), and the statuses of a subscriber that is away, busy, or put the event off. 500 is not among them.
TRANSIENT = {"-1", "404", "408", "409", "429", "502", "503", "504"}
# Soon at first; then at the pace of events without effect, which is days until the last.
MAX_SENDS, LAST_SEND = 10, 14
# In the log; the letter itself keeps it whole.
_MAX_SUBJECT = 255


def record(event: Envelope) -> None:
    """Write a dead letter down and draw the consequences. The same one may come any number of times."""
    _record(letters.of_event(event))


def record_unreadable(headers: dict[str, str], body: bytes, why: str) -> None:
    """Write down what is no event, as it came, with the same consequences when it can be told what it is about."""
    _record(letters.of_request(headers, body, why))


# What becomes of a job goes on in its own trace, not in the dispatcher's.
@trace.following(None)
def _record(letter: Letter) -> None:
    columns = letters.about(letter.attributes)
    about = f"{columns['type']} about {letter.attributes.get('subject', '-')[:_MAX_SUBJECT]}: {letter.reason}"
    log.error("dead letter %s: %s", letter.id, letters.printable(about))
    ours, transient = outbox.read(columns["event_id"]), letter.code in TRANSIENT
    # What it is about now: an event may have been exchanged for another since (shared/jobs/turns.py).
    columns |= {} if ours is None else {"job_id": ours.job_id}
    _write_down(letter, columns, again=transient and letter.whole and ours is None)
    if ours is not None and ours.settled_at is None:
        _handle_give_up(ours, transient)


@database.transactional
def _write_down(connection: sa.Connection, letter: Letter, columns: dict[str, Any], *, again: bool) -> None:
    """Keep what an operator wanted of it; `again` wants it replayed now, unless that was done often enough."""
    this = dead_letters.c.id == letter.id
    before = connection.execute(sa.select(dead_letters.c.state, dead_letters.c.replays).where(this)).one_or_none()
    often = before is not None and before.replays >= MAX_SENDS
    wanted = (again and not often) or (before is not None and before.state == "wanted")
    idle = "recorded" if letter.headers is None else "unreadable"
    kept = {"attributes": letter.attributes, "data": letter.data, "reason": letter.reason, "headers": letter.headers}
    values = {**kept, **columns, "recorded_at": now(), "state": "wanted" if wanted else idle, "healed_at": None}
    if before is None:
        database.insert_missing(connection, dead_letters, id=letter.id, replays=0, **values)
    else:
        connection.execute(dead_letters.update().where(this).values(**values))


@database.transactional
def _send_at_next_tick(connection: sa.Connection, event_id: str) -> None:
    waiting = rows.update().where(rows.c.event_id == event_id, rows.c.settled_at.is_(None))
    connection.execute(waiting.values(sent_at=None))


def _handle_give_up(row: Any, transient: bool) -> None:
    """What becomes of a job whose event (a row of the outbox) the broker gave up on."""
    if transient and row.attempts < MAX_SENDS:
        _send_at_next_tick(row.event_id)
    elif transient and row.attempts < LAST_SEND:
        log.info("event %s waits until events without effect are sent again", row.event_id)
    else:
        giving_up.fail_for(row.event_id)
