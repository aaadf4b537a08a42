"""What the ledger knows of somebody's notices, as their owner sees it: listed with each attempt, and sent again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from functions.notify import news
from functions.notify.notice_shapes import DeliveryAttempt, DeliveryPage, DeliveryQuery, NoticeDelivery
from functions.shared import database
from functions.shared.cursors import newest_first
from functions.shared.kinds import OF_ACCOUNTS, WEBHOOK_TESTED
from functions.shared.problems import Problem
from functions.shared.tables import notice_attempts, notifications, now
from functions.shared.views import rfc3339

__all__ = ["of", "page", "send_again", "to"]


def page(user_id: str, query: DeliveryQuery, *which: sa.ColumnElement[bool]) -> DeliveryPage:
    """A page of a user's notices to each endpoint, newest first. Raises: Problem (400)."""
    mine = (notifications.c.user_id == user_id, notifications.c.delivery_id.is_not(None), *which)
    states = (_IN_STATE[query.state],) if query.state else ()
    wanted = notifications.select().where(*mine, *states)
    rows, following = newest_first(
        wanted, notifications.c.created_at, notifications.c.delivery_id, query.cursor, query.limit
    )
    attempts = _attempts([row.delivery_id for row in rows])
    return DeliveryPage([_shown(row, attempts[row.delivery_id]) for row in rows], following)


def of(user_id: str, delivery_id: str, *which: sa.ColumnElement[bool]) -> Any:
    """The ledger's row of one of a user's notices. Raises: Problem (404)."""
    mine = (notifications.c.user_id == user_id, notifications.c.delivery_id == delivery_id, *which)
    with database.reading() as connection:
        row = connection.execute(notifications.select().where(*mine)).one_or_none()
    if row is None:
        raise Problem("not-found", "There is no such notice.")
    return row


def to(channel: str, endpoint: str) -> sa.ColumnElement[bool]:
    """The condition that a notice is to this endpoint of a channel, which its key names."""
    return sa.and_(notifications.c.channel == channel, notifications.c.endpoint == endpoint)


@database.transactional
def send_again(connection: sa.Connection, row: Any) -> None:
    """Have an endpoint told again, as if nobody had tried yet; the event comes again for it. `row` is the ledger's.

    Raises: Problem (409) when it is being told, or when its job has newer news by now.
    """
    if not news.reopen(connection, row.job_id, row.kind, row.generation):
        raise Problem("wrong-state", "The job has changed since: there is nothing to tell of it any more.")
    moment = now()
    fresh = {"sent_at": None, "refusal": None, "tries": 0, "unclear": 0, "created_at": moment}
    again = notifications.update().where(notifications.c.delivery_id == row.delivery_id, ~_is_under_way(row))
    if connection.execute(again.values(**fresh, claimed_at=moment, due_at=moment)).rowcount != 1:
        raise Problem("wrong-state", "It is being sent right now; look again in a moment.")


def _is_under_way(row: Any) -> sa.ColumnElement[bool]:
    """It is held, by an attempt that has not ended."""
    open_attempt = (notice_attempts.c.delivery_id == row.delivery_id, notice_attempts.c.ended_at.is_(None))
    return sa.and_(notifications.c.due_at > now(), sa.exists().where(*open_attempt))


_OF_NO_JOB = {WEBHOOK_TESTED, *OF_ACCOUNTS}
_SENT, _REFUSED = notifications.c.sent_at.is_not(None), notifications.c.refusal.is_not(None)
_IN_STATE = {
    "sent": sa.and_(_SENT, ~_REFUSED),
    "refused": _REFUSED,
    "waiting": sa.and_(~_SENT, ~_REFUSED),
}


def _attempts(ids: Sequence[str]) -> dict[str, list[Any]]:
    query = notice_attempts.select().where(notice_attempts.c.delivery_id.in_(ids)).order_by(notice_attempts.c.id)
    found: dict[str, list[Any]] = defaultdict(list)
    with database.reading() as connection:
        for row in connection.execute(query):
            found[row.delivery_id].append(row)
    return found


def _shown(row: Any, attempts: Sequence[Any]) -> NoticeDelivery:
    is_waiting = not row.refusal and not row.sent_at
    return NoticeDelivery(
        id=row.delivery_id,
        job_id=None if row.kind in _OF_NO_JOB else row.job_id,
        type=row.kind,
        channel=row.channel,
        state="refused" if row.refusal else "waiting" if is_waiting else "sent",
        reason=row.refusal,
        created_at=rfc3339(row.created_at),
        sent_at=row.sent_at and rfc3339(row.sent_at),
        next_try_at=rfc3339(row.due_at) if is_waiting and row.due_at else None,
        attempts=list(map(_attempt, attempts)),
    )


def _attempt(row: Any) -> DeliveryAttempt:
    ended = row.ended_at and rfc3339(row.ended_at)
    return DeliveryAttempt(rfc3339(row.at), ended, row.outcome, row.status, row.detail)
