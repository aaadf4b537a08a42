"""Events that the sink does not take, as an operator sees them: listed, and sent again once the cause is cured.

One that it refuses for good is set aside; all others are tried again by themselves, at longer and longer waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from functions.shared import audit, database
from functions.shared.audit import COMMAND_LINE, Actor
from functions.shared.tables import outbox

__all__ = ["listed", "refused", "send_again"]


def refused() -> sa.ColumnElement[bool]:
    """The condition that an event is one that the sink has refused, and has had no effect since."""
    return sa.and_(outbox.c.refusal.is_not(None), outbox.c.settled_at.is_(None))


def listed() -> list[Any]:
    """The rows of these events, newest first."""
    with database.reading() as connection:
        query = outbox.select().where(refused()).order_by(outbox.c.created_at.desc(), outbox.c.event_id)
        return list(connection.execute(query).all())


@database.transactional
def send_again(
    connection: sa.Connection,
    ids: Sequence[str] | None,
    by: Actor = COMMAND_LINE,
    named: Mapping[str, Any] | None = None,
) -> int:
    """Have sweep's next tick send these events that were refused, or all of them. Returns: how many.

    `named` is what the audit table has of them.
    """
    which = [refused()] if ids is None else [refused(), outbox.c.event_id.in_(ids)]
    due = {"refusal": None, "set_aside_at": None, "sent_at": None, "tried_at": None}
    count = connection.execute(outbox.update().where(*which).values(**due)).rowcount
    audit.write(connection, by, "events.sent-again", {**(named or {}), "count": count})
    return count
