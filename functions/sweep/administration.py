"""What operators see at /v1/admin: dead letters, jobs, users, and what operators did."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import UNSET

from functions.shared import database, quotas, suspension
from functions.shared.audit import Actor
from functions.shared.cursors import newest_first
from functions.shared.jobs.states import LIVE, State
from functions.shared.problems import Problem
from functions.shared.tables import api_keys, audit, dead_letters, jobs, operators, outbox, users
from functions.shared.views import rfc3339
from functions.sweep import refusals, replays
from functions.sweep.event_shapes import RefusedEvent, RefusedPage, RefusedQuery, SentAgain, WhichEvents
from functions.sweep.shapes import (
    AuditEntry,
    AuditPage,
    AuditQuery,
    Chosen,
    JobCount,
    JobCounts,
    JobQuery,
    Letter,
    LetterPage,
    LetterQuery,
    ManagedJob,
    ManagedJobPage,
    ManagedQuotas,
    ManagedUser,
    ManagedUserPage,
    Replayed,
    Settled,
    UserQuery,
    WholeLetter,
)

__all__ = [
    "acts",
    "job_counts",
    "job_page",
    "letter",
    "letter_page",
    "managed",
    "refused_page",
    "replay",
    "resume",
    "send_again",
    "settle",
    "suspend",
    "user_page",
]

_VIDEO_BYTES = sa.case((jobs.c.state == State.DONE, jobs.c.kept_video_bytes), else_=jobs.c.video_bytes)
_KEPT_BYTES = sa.case(
    (jobs.c.state == State.EXPIRED, 0),
    else_=sa.func.coalesce(_VIDEO_BYTES, 0) + sa.func.coalesce(jobs.c.audio_bytes, 0),
)


def letter_page(query: LetterQuery) -> LetterPage:
    """Some dead letters. Raises: Problem (400)."""
    columns = [column for column in dead_letters.c if column.name not in ("data", "attributes", "headers")]
    given = {name: getattr(query, name) for name in ("state", "type", "source", "job_id")}
    which = _equal(dead_letters, given)
    open_ones = [] if query.state else [dead_letters.c.state.not_in(replays.OVER)]
    wanted = sa.select(*columns).where(*which, *open_ones)
    rows, following = newest_first(wanted, dead_letters.c.recorded_at, dead_letters.c.id, query.cursor, query.limit)
    return LetterPage([Letter(**_about(row)) for row in rows], following)


def letter(letter_id: str) -> WholeLetter:
    """One dead letter. Raises: Problem (404)."""
    row = replays.found(letter_id)
    if row is None:
        raise Problem("not-found", "There is no such dead letter.")
    data = base64.b64encode(row.data).decode()
    return WholeLetter(**_about(row), attributes=row.attributes, headers=row.headers, data=data)


def replay(chosen: Chosen, by: Actor) -> Replayed:
    """Have dead letters replayed by sweep's next ticks."""
    which = _chosen(chosen)
    return Replayed(replays.want_replay(*which, by=by, named=chosen.named), replays.cut_off(*which))


def settle(chosen: Chosen, by: Actor) -> Settled:
    """Mark dead letters as dealt with."""
    return Settled(replays.settle(*_chosen(chosen), by=by, named=chosen.named))


def refused_page(query: RefusedQuery) -> RefusedPage:
    """Some events that the sink refused. Raises: Problem (400)."""
    wanted = outbox.select().where(refusals.refused())
    rows, following = newest_first(wanted, outbox.c.created_at, outbox.c.event_id, query.cursor, query.limit)
    return RefusedPage([_refused(row) for row in rows], following)


def send_again(which: WhichEvents, by: Actor) -> SentAgain:
    """Have events that were refused sent again by sweep's next ticks."""
    ids = None if which.ids is UNSET else which.ids
    return SentAgain(refusals.send_again(ids, by=by, named=which.named))


def job_page(query: JobQuery) -> ManagedJobPage:
    """Some jobs. Raises: Problem (400)."""
    which = _equal(jobs, {"state": query.state, "error_code": query.reason, "user_id": query.user_id})
    wanted = jobs.select().where(*which)
    rows, following = newest_first(wanted, jobs.c.created_at, jobs.c.id, query.cursor, query.limit)
    return ManagedJobPage([managed(row) for row in rows], following)


def job_counts() -> JobCounts:
    """How many jobs there are of each state and reason."""
    count = sa.func.count()
    query = sa.select(jobs.c.state, jobs.c.error_code, count).group_by(jobs.c.state, jobs.c.error_code)
    with database.reading() as connection:
        rows = connection.execute(query.order_by(count.desc(), jobs.c.state, jobs.c.error_code)).all()
    return JobCounts([JobCount(*row) for row in rows])


def user_page(query: UserQuery) -> ManagedUserPage:
    """Some users, and what they use. Raises: Problem (400)."""
    begins = [users.c.email.startswith(query.email.lower(), autoescape=True)] if query.email else []
    wanted = sa.select(users.c.id, users.c.email, users.c.created_at, users.c.suspended_at).where(*begins)
    rows, following = newest_first(wanted, users.c.created_at, users.c.id, query.cursor, query.limit)
    ids = [row.id for row in rows]
    usage = _usage(ids)
    with database.reading() as connection:
        days = quotas.today(connection, ids)
    return ManagedUserPage([_user(row, *usage[row.id], *_of_today(*days[row.id])) for row in rows], following)


def suspend(user_id: str, by: Actor) -> None:
    """Suspend an account. Raises: Problem (404, 409)."""
    if not suspension.suspend(user_id, by):
        raise _no_such_account()


def resume(user_id: str, by: Actor) -> None:
    """End that. Raises: Problem (404)."""
    if not suspension.resume(user_id, by):
        raise _no_such_account()


def acts(query: AuditQuery) -> AuditPage:
    """Some of what operators did. Raises: Problem (400)."""
    wanted = audit.select().where(*_equal(audit, {"actor": query.actor, "action": query.action}))
    rows, following = newest_first(wanted, audit.c.at, audit.c.id, query.cursor, query.limit)
    return AuditPage([AuditEntry(**row._asdict() | {"at": rfc3339(row.at)}) for row in rows], following)


def _equal(table: sa.Table[Any], values: dict[str, Any]) -> list[sa.ColumnElement[bool]]:
    """The conditions that columns have these values; None stands for any."""
    return [table.c[name] == value for name, value in values.items() if value is not None]


def _chosen(chosen: Chosen) -> list[sa.ColumnElement[bool]]:
    named = {**chosen.named}
    if ids := named.pop("ids", None):
        return [dead_letters.c.id.in_(ids)]
    named.pop("all", None)
    states = [] if "state" in named else [dead_letters.c.state.in_(replays.OPEN)]
    return [*_equal(dead_letters, named), *states]


def _about(row: Any) -> dict[str, Any]:
    same = ("id", "state", "type", "source", "event_id", "job_id", "reason", "note", "replays")
    times = {"recorded_at": row.recorded_at, "tried_at": row.tried_at, "closed_at": row.healed_at}
    return {name: getattr(row, name) for name in same} | {name: _shown(time) for name, time in times.items()}


def _refused(row: Any) -> RefusedEvent:
    times = (rfc3339(row.created_at), _shown(row.tried_at), _shown(row.set_aside_at))
    return RefusedEvent(row.event_id, row.type, row.job_id, row.refusal, row.attempts, *times, row.data)


def managed(row: Any) -> ManagedJob:
    """A job (its row), as operators see it."""
    return ManagedJob(
        id=row.id,
        user_id=row.user_id,
        state=row.state,
        reason=row.error_code,
        progress=round(row.progress, 4),
        attempts=row.attempts,
        created_at=rfc3339(row.created_at),
        updated_at=rfc3339(row.updated_at),
        expires_at=_shown(row.expires_at),
        video_bytes=row.video_bytes,
        audio_bytes=row.audio_bytes,
        duration_seconds=row.duration_seconds,
    )


def _of_today(limits: dict[str, int], minutes: float) -> tuple[float, ManagedQuotas]:
    return minutes, ManagedQuotas(**{quota: limit or None for quota, limit in limits.items()})


def _user(row: Any, *usage: Any) -> ManagedUser:
    return ManagedUser(row.id, row.email, rfc3339(row.created_at), row.suspended_at is not None, *usage)


def _no_such_account() -> Problem:
    return Problem("not-found", "There is no such account.")


def _shown(instant: datetime | None) -> Any:
    return rfc3339(instant) if instant else None


def _usage(ids: list[str]) -> dict[str, tuple[bool, int, int, int, int]]:
    """Of each of these users: whether they are an operator, jobs, live jobs, bytes, API keys."""
    live = sa.func.sum(sa.case((jobs.c.state.in_(LIVE), 1), else_=0))
    of_jobs = sa.select(jobs.c.user_id, sa.func.count(), live, sa.func.sum(_KEPT_BYTES))
    of_keys = sa.select(api_keys.c.user_id, sa.func.count()).where(api_keys.c.user_id.in_(ids))
    with database.reading() as connection:
        found = connection.execute(of_jobs.where(jobs.c.user_id.in_(ids)).group_by(jobs.c.user_id)).all()
        keys = {row[0]: int(row[1]) for row in connection.execute(of_keys.group_by(api_keys.c.user_id))}
        chiefs = set(connection.execute(sa.select(operators.c.user_id).where(operators.c.user_id.in_(ids))).scalars())
    numbers = {row[0]: (int(row[1]), int(row[2]), int(row[3])) for row in found}
    return {each: (each in chiefs, *numbers.get(each, (0, 0, 0)), keys.get(each, 0)) for each in ids}
