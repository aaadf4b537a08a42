"""Dead letters as an operator sees them: listed, looked at, replayed, settled."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import sqlalchemy as sa

from events.wire import Envelope
from functions.shared import audit, database, outbox, publisher
from functions.shared.audit import COMMAND_LINE, Actor
from functions.shared.jobs import transitions
from functions.shared.jobs.states import State
from functions.shared.publisher import Outcome, Receipt
from functions.shared.tables import dead_letters, now
from functions.sweep.giving_up import WORK
from functions.sweep.letters import TRUNCATED

__all__ = [
    "OPEN",
    "OVER",
    "REPLAYS_A_TICK",
    "closed",
    "cut_off",
    "found",
    "listed",
    "replay_wanted",
    "settle",
    "want_replay",
]

log = logging.getLogger(__name__)

# Not replayed yet.
OPEN = ("recorded", "unreadable")
OVER = ("healed", "settled")
_IS_TRUNCATED = dead_letters.c.reason.contains(TRUNCATED)
# What is behind the sink must be able to keep up with them, beside what is new.
REPLAYS_A_TICK = 200
Named: TypeAlias = Mapping[str, Any]
_UNNAMED: Named = MappingProxyType({})
# What of a request makes it an event; all else was for one hop.
_SENT_AGAIN = ("content-type", "traceparent", "tracestate")
_NEWEST_FIRST = dead_letters.c.recorded_at.desc()


def listed(named: Named = _UNNAMED) -> list[Any]:
    """The dead letters whose columns have the values that are named, newest first; without their data.

    Unless a state is named, they are those that are neither healed nor settled.
    """
    columns = (column for column in dead_letters.c if column.name != "data")
    which = [dead_letters.c[name] == value for name, value in named.items()]
    open_ones = [] if "state" in named else [dead_letters.c.state.not_in(OVER)]
    with database.reading() as connection:
        query = sa.select(*columns).where(*which, *open_ones)
        return list(connection.execute(query.order_by(_NEWEST_FIRST)).all())


def closed() -> int:
    """How many dead letters are healed or settled, and not deleted yet."""
    return _count(dead_letters.c.state.in_(OVER))


def found(letter_id: str) -> Any:
    """One dead letter, whole, or None."""
    with database.reading() as connection:
        return connection.execute(dead_letters.select().where(dead_letters.c.id == letter_id)).one_or_none()


@database.transactional
def want_replay(
    connection: sa.Connection, *which: sa.ColumnElement[bool], by: Actor = COMMAND_LINE, named: Named = _UNNAMED
) -> int:
    """Have sweep's next ticks replay dead letters that are whole. Returns: how many.

    `named` is what the audit table has of `which`.
    """
    wanted = connection.execute(dead_letters.update().where(~_IS_TRUNCATED, *which).values(state="wanted")).rowcount
    audit.write(connection, by, "dead-letters.replayed", {**named, "count": wanted})
    return wanted


def cut_off(*which: sa.ColumnElement[bool]) -> int:
    """How many of these dead letters cannot be replayed, since not all of them was kept."""
    return _count(_IS_TRUNCATED, *which)


@database.transactional
def settle(
    connection: sa.Connection, *which: sa.ColumnElement[bool], by: Actor = COMMAND_LINE, named: Named = _UNNAMED
) -> int:
    """Mark dead letters as dealt with by an operator. Returns: how many. `named` is as for a replay."""
    change = dead_letters.update().where(dead_letters.c.state.not_in(OVER), *which)
    settled = connection.execute(change.values(state="settled", healed_at=now())).rowcount
    audit.write(connection, by, "dead-letters.settled", {**named, "count": settled})
    return settled


def replay_wanted() -> None:
    """Replay what an operator asked for, so much at a time. What has had its effect has no other: see jobs and ledger.

    A letter that the sink refuses stays listed, with the reason; at a sink that is away, the next tick goes on.
    """
    for letter_id in _wanted():
        letter = found(letter_id)
        answer = _replay(letter) if letter else Receipt(Outcome.SENT)
        _note(letter_id, **_outcome(letter, answer))
        if answer.outcome is Outcome.AWAY:
            return


def _count(*which: sa.ColumnElement[bool]) -> int:
    with database.reading() as connection:
        counted = sa.select(sa.func.count()).select_from(dead_letters).where(*which)
        return int(connection.execute(counted).scalar_one())


def _wanted() -> list[str]:
    # One that was tried comes last: should the sink be away for that one only, the others get their turn.
    tried_last = sa.func.coalesce(dead_letters.c.tried_at, dead_letters.c.recorded_at)
    with database.reading() as connection:
        query = sa.select(dead_letters.c.id).where(dead_letters.c.state == "wanted").order_by(tried_last)
        return list(connection.execute(query.limit(REPLAYS_A_TICK)).scalars())


def _outcome(letter: Any, answer: Receipt) -> dict[str, Any]:
    if answer.outcome is Outcome.AWAY:
        return {}
    counted = {"replays": dead_letters.c.replays + 1}
    if answer.outcome is Outcome.SENT:
        return {"state": "replayed", "note": None, **counted}
    log.error("dead letter %s is not replayed: %s", letter.id, answer.reason)
    idle = "recorded" if letter.headers is None else "unreadable"
    return {"state": idle, "note": f"not replayed: {answer.reason}"[:500], **counted}


@database.transactional
def _note(connection: sa.Connection, /, letter_id: str, **values: Any) -> None:
    connection.execute(dead_letters.update().where(dead_letters.c.id == letter_id).values(tried_at=now(), **values))


def _replay(letter: Any) -> Receipt:
    row = outbox.read(letter.attributes["id"])
    if row is None:
        return _sent_as_it_was(letter)
    if row.type not in WORK:
        return outbox.send(row.event_id)
    # Not a job that its owner has cancelled meanwhile.
    queued = transitions.retry(row.job_id, State.FAILED)
    return outbox.send(queued) if queued else Receipt(Outcome.SENT)


def _sent_as_it_was(letter: Any) -> Receipt:
    if letter.headers is None:
        return publisher.publish(Envelope(_without_errors(letter.attributes), letter.data))
    again = {name: value for name, value in letter.headers.items() if name.startswith("ce-") or name in _SENT_AGAIN}
    return publisher.post(_without_errors(again), letter.data)


def _without_errors(named: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in named.items() if not name.removeprefix("ce-").startswith("knativeerror")}
