"""What the rows say of the whole deployment, for the metrics: at each tick, where metrics are exported."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from events.catalogue import AudioCreated, ConversionFailed
from functions.shared import database, quotas, settings, telemetry
from functions.shared.jobs.states import LIVE, State
from functions.shared.metrics import RECENT_SECONDS
from functions.shared.tables import dead_letters, jobs, notice_attempts, notifications, now
from functions.shared.tables import outbox as events
from functions.sweep.replays import OPEN

__all__ = ["show"]

# What each account uses is added up from all jobs there are.
PRESSED_EVERY_SECONDS = 3600.0
PRESSED_SHARE = 0.9

Values = Iterable[tuple[float, Mapping[str, str]]]

_pressed_at: float | None = None
_pressed: dict[str, int] = {}


def show() -> None:
    """Show every gauge as it is now."""
    if not telemetry.is_on():
        return
    with database.reading() as connection:
        for name, values in _read(connection).items():
            telemetry.show(name, *values)
        telemetry.show("audiolift.accounts.pressed", *_accounts(connection))


def _read(connection: sa.Connection) -> dict[str, Values]:
    live = _counts(connection, jobs.c.state, jobs.c.state.in_(LIVE))
    limit = settings.number("MAX_QUEUED_JOBS")
    unsettled = events.c.settled_at.is_(None)
    unsent = (unsettled, events.c.sent_at.is_(None), sa.func.coalesce(events.c.not_before, now()) <= now())
    letters = _counts(connection, dead_letters.c.state, dead_letters.c.state.in_(OPEN))
    waiting = sa.select(sa.func.count()).select_from(events).where(unsettled)
    return {
        "audiolift.queue.age": [(_age(connection, jobs.c.updated_at, jobs.c.state == State.QUEUED), {})],
        "audiolift.queue.fill": [(sum(live.values()) / limit, {})] if limit else [],
        "audiolift.jobs": [(live.get(state, 0), {"state": state}) for state in sorted(LIVE)],
        "audiolift.jobs.ended": _ended(connection),
        "audiolift.outbox.age": [(_age(connection, events.c.created_at, *unsent), {})],
        "audiolift.outbox.waiting": [(connection.execute(waiting).scalar_one(), {})],
        "audiolift.deadletters": [(letters.get(state, 0), {"state": state}) for state in OPEN],
        "audiolift.mails": _mails(connection),
    }


def _counts(connection: sa.Connection, column: sa.ColumnElement[Any], which: sa.ColumnElement[bool]) -> dict[str, int]:
    query = sa.select(column, sa.func.count()).where(which).group_by(column)
    return {str(value): int(count) for value, count in connection.execute(query)}


def _age(connection: sa.Connection, since: sa.Column[datetime], *which: sa.ColumnElement[bool]) -> float:
    """Seconds since the oldest of these; 0 when there is none."""
    oldest = connection.execute(sa.select(sa.func.min(since)).where(*which)).scalar()
    return max(0.0, (now() - oldest).total_seconds()) if oldest else 0.0


def _ended(connection: sa.Connection) -> Values:
    """By the events that tell of it: they are found by the index of settled_at, which jobs have nothing like."""
    since = _recently()
    recent = (sa.or_(events.c.settled_at.is_(None), events.c.settled_at >= since), events.c.created_at >= since)
    reason = events.c.data["code"].as_string()
    failed = sa.select(reason, sa.func.count()).where(events.c.type == ConversionFailed.TYPE, *recent).group_by(reason)
    done = sa.select(sa.func.count()).select_from(events).where(events.c.type == AudioCreated.TYPE, *recent)
    yield connection.execute(done).scalar_one(), {"state": State.DONE, "reason": ""}
    for code, count in connection.execute(failed):
        yield count, {"state": State.FAILED, "reason": code or ""}


def _mails(connection: sa.Connection) -> Values:
    about = notifications.c.delivery_id == notice_attempts.c.delivery_id
    recent = (notifications.c.channel == "mail", notice_attempts.c.at >= _recently())
    joined = sa.select(notice_attempts.c.outcome, sa.func.count()).join(notifications, about)
    for outcome, count in connection.execute(joined.where(*recent).group_by(notice_attempts.c.outcome)):
        yield count, {"outcome": outcome}


def _accounts(connection: sa.Connection) -> Values:
    global _pressed_at, _pressed
    if _pressed_at is None or time.monotonic() - _pressed_at >= PRESSED_EVERY_SECONDS:
        _pressed, _pressed_at = quotas.pressed(connection, PRESSED_SHARE), time.monotonic()
    return [(count, {"quota": quota}) for quota, count in _pressed.items()]


def _recently() -> datetime:
    return now() - timedelta(seconds=RECENT_SECONDS)
