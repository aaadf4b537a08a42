"""How much one account may have: jobs at a time, bytes stored, minutes a day. What it has is derived from the rows.

A check counts what the caller's transaction has already written, while the user's row is locked: whoever comes in the
same moment counts after that. Nothing is booked and released, so that a crash leaves nothing behind. But minutes are
added up: they must outlast the jobs that they were converted for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from functions.shared import settings
from functions.shared.jobs.states import KEPT, LIVE, State
from functions.shared.problems import Problem
from functions.shared.tables import clock, converted, jobs, now, quotas

__all__ = [
    "QUOTAS",
    "OverQuota",
    "admit",
    "allowed",
    "check_bytes",
    "pressed",
    "room",
    "spend",
    "today",
    "used",
]

# Each quota, and what it counts.
QUOTAS = {"jobs": "jobs at a time", "stored_bytes": "bytes stored", "minutes_a_day": "minutes of MP3s a day (UTC)"}


class OverQuota(Problem):
    """An account would have more than it may."""

    def __init__(self, quota: str, limit: int, has: float) -> None:
        detail = f"Your account may have {limit:,} {QUOTAS[quota]}. GET /v1/me shows what it has."
        super().__init__("quota-exceeded", detail, quota=quota, limit=limit, used=has)


def admit(connection: sa.Connection, user_id: str) -> None:
    """Check all quotas, once a new job is written and `owners.hold` called before it. Raises: OverQuota."""
    limits, has = allowed(connection, user_id), used(connection, user_id)
    _check("jobs", limits["jobs"], has["jobs"])
    _check_others(limits, has)


def room(connection: sa.Connection, user_id: str) -> tuple[float, OverQuota | None]:
    """How many more jobs may be opened, once `owners.hold` is called, and what is said of one more than that."""
    limits, has = allowed(connection, user_id), used(connection, user_id)
    try:
        _check_others(limits, has)
    except OverQuota as over:
        return 0, over
    if not limits["jobs"]:
        return math.inf, None
    return max(0, limits["jobs"] - has["jobs"]), OverQuota("jobs", limits["jobs"], max(limits["jobs"], has["jobs"]))


def _check_others(limits: Mapping[str, int], has: Mapping[str, float]) -> None:
    _check("stored_bytes", limits["stored_bytes"], has["stored_bytes"])
    # How long it will be is not known yet: the last word has `spend`.
    if limits["minutes_a_day"] and has["minutes_a_day"] >= limits["minutes_a_day"]:
        raise OverQuota("minutes_a_day", limits["minutes_a_day"], has["minutes_a_day"])


def check_bytes(connection: sa.Connection, user_id: str) -> None:
    """Check what is stored, once what came is written and `owners.hold` called before it. Raises: OverQuota."""
    _check("stored_bytes", allowed(connection, user_id)["stored_bytes"], _stored(connection, user_id))


def spend(connection: sa.Connection, user_id: str, seconds: float) -> bool:
    """Note that so much was converted today, once `owners.hold` is called.

    Returns: whether it is within the quota; it is noted in any case.
    """
    today = (converted.c.user_id == user_id, converted.c.day == _today())
    added = converted.update().where(*today).values(seconds=converted.c.seconds + seconds)
    if connection.execute(added).rowcount == 0:
        connection.execute(converted.insert().values(user_id=user_id, day=_today(), seconds=seconds))
    limit = allowed(connection, user_id)["minutes_a_day"]
    return not limit or _seconds(connection, user_id) <= limit * 60


def allowed(connection: sa.Connection, user_id: str) -> dict[str, int]:
    """The limit of each quota, 0 for none: what an operator set for this account in the table, else the setting."""
    row = connection.execute(quotas.select().where(quotas.c.user_id == user_id)).one_or_none()
    return {**_defaults(), **({} if row is None else _own(row))}


def _own(row: Any) -> dict[str, int]:
    return {quota: row._mapping[quota] for quota in QUOTAS if row._mapping[quota] is not None}


def _defaults() -> dict[str, int]:
    return {
        "jobs": settings.number("MAX_USER_JOBS"),
        "stored_bytes": settings.number("MAX_USER_BYTES"),
        "minutes_a_day": settings.number("MAX_USER_MINUTES"),
    }


def today(connection: sa.Connection, ids: Sequence[str]) -> dict[str, tuple[dict[str, int], float]]:
    """Of each of these accounts: what it may have, as `allowed` says, and the minutes of today."""
    rows = connection.execute(quotas.select().where(quotas.c.user_id.in_(ids))).all()
    own = {row.user_id: _own(row) for row in rows}
    spent = sa.select(converted.c.user_id, converted.c.seconds).where(converted.c.day == _today())
    seconds = {row[0]: float(row[1]) for row in connection.execute(spent.where(converted.c.user_id.in_(ids)))}
    return {each: ({**_defaults(), **own.get(each, {})}, round(seconds.get(each, 0.0) / 60, 3)) for each in ids}


def used(connection: sa.Connection, user_id: str) -> dict[str, Any]:
    """What an account has of each quota."""
    return {
        "jobs": _live(connection, user_id),
        "stored_bytes": _stored(connection, user_id),
        "minutes_a_day": round(_seconds(connection, user_id) / 60, 3),
    }


def pressed(connection: sa.Connection, share: float) -> dict[str, int]:
    """How many accounts have this share of a quota, or more, by quota. It reads every job there is."""
    live = sa.func.sum(sa.case((jobs.c.state.in_(LIVE), 1), else_=0))
    of_jobs = sa.select(jobs.c.user_id, live, sa.func.sum(_size())).where(jobs.c.state.in_(LIVE | KEPT))
    of_minutes = sa.select(converted.c.user_id, converted.c.seconds / 60).where(converted.c.day == _today())
    has: dict[str, dict[str, float]] = {quota: {} for quota in QUOTAS}
    for user_id, count, stored in connection.execute(of_jobs.group_by(jobs.c.user_id)):
        has["jobs"][user_id], has["stored_bytes"][user_id] = float(count), float(stored)
    has["minutes_a_day"] = {user_id: float(minutes) for user_id, minutes in connection.execute(of_minutes)}
    own = {row.user_id: row._mapping for row in connection.execute(quotas.select())}
    return {quota: _near(quota, has[quota], own, share) for quota in QUOTAS}


def _near(quota: str, has: Mapping[str, float], own: Mapping[str, Any], share: float) -> int:
    default = _defaults()[quota]
    limits = {user_id: row[quota] for user_id, row in own.items() if row[quota] is not None}
    return sum(0 < limits.get(user_id, default) * share <= amount for user_id, amount in has.items())


def _check(quota: str, limit: int, has: float) -> None:
    if limit and has > limit:
        raise OverQuota(quota, limit, has)


def _arriving() -> sa.ColumnElement[bool]:
    """Its video comes in a request that is alive. One that broke off counts no more once its lease has run out."""
    return sa.and_(jobs.c.state == State.RECEIVING, jobs.c.source_url.is_(None), jobs.c.lease_until > clock())


def _live(connection: sa.Connection, user_id: str) -> int:
    mine = (jobs.c.user_id == user_id, jobs.c.state.in_(LIVE))
    counts = sa.or_(jobs.c.state != State.RECEIVING, jobs.c.source_url.is_not(None), _arriving())
    return int(connection.execute(sa.select(sa.func.count()).select_from(jobs).where(*mine, counts)).scalar_one())


def _stored(connection: sa.Connection, user_id: str) -> int:
    mine = (jobs.c.user_id == user_id, jobs.c.state.in_(LIVE | KEPT))
    return int(connection.execute(sa.select(sa.func.coalesce(sa.func.sum(_size()), 0)).where(*mine)).scalar_one())


def _size() -> sa.ColumnElement[int]:
    """MP3s, videos of jobs that are not done or keep theirs, and what requests under way have announced."""
    video = sa.case(
        (jobs.c.state == State.DONE, jobs.c.kept_video_bytes),
        (_arriving(), jobs.c.reserved_bytes),
        # By URL, what came so far.
        (jobs.c.state == State.RECEIVING, sa.case((jobs.c.source_url.is_not(None), jobs.c.reserved_bytes), else_=0)),
        else_=jobs.c.video_bytes,
    )
    return sa.func.coalesce(video, 0) + sa.func.coalesce(jobs.c.audio_bytes, 0)


def _seconds(connection: sa.Connection, user_id: str) -> float:
    today = sa.select(converted.c.seconds).where(converted.c.user_id == user_id, converted.c.day == _today())
    found: Any = connection.execute(today).scalar()
    return float(found or 0.0)


def _today() -> date:
    return now().date()
