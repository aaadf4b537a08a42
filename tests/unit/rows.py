"""Rows for the tests: users, jobs in any state, and looking at what became of them."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from functions.shared import database
from functions.shared.jobs import names
from functions.shared.jobs.claims import Claim
from functions.shared.jobs.states import KEPT, State
from functions.shared.tables import checkpoints, job_events, jobs, now, outbox, users

__all__ = [
    "ago",
    "change",
    "checkpoint",
    "claim_of",
    "event",
    "history",
    "job",
    "jobs_of",
    "messages",
    "read",
    "unsettled",
    "user",
    "user_row",
]


def ago(seconds: float) -> datetime:
    """The moment that many seconds ago; negative for one to come."""
    return now() - timedelta(seconds=seconds)


def user(email: str = "") -> str:
    """A user. Returns: the id."""
    with database.transaction() as connection:
        return _user(connection, email)


def user_row(user_id: str) -> Any:
    """The row of a user, or None."""
    with database.reading() as connection:
        return connection.execute(users.select().where(users.c.id == user_id)).one_or_none()


def job(state: str = State.QUEUED, owner: str | None = None, **values: Any) -> str:
    """A job in a state, without history. Returns: the id."""
    job_id = uuid.uuid4().hex
    blank = {"filename": "talk.mp4", "options": {}, "progress": 0.0, "attempts": 0, "fencing_token": 0}
    ends = {"expires_at": ago(-3600)} if state in KEPT else {}
    lease = {"lease_until": ago(-30), "fencing_token": 1, "attempts": 1} if state == State.CONVERTING else {}
    files = {"video_bytes": 1000, "created_at": now(), "updated_at": now()}
    row = {"id": job_id, "state": state, **blank, **files, **ends, **lease, **values}
    with database.transaction() as connection:
        connection.execute(jobs.insert().values(user_id=owner or _user(connection), **row))
    return job_id


def read(job_id: str) -> Any:
    """The row of a job, or None."""
    with database.reading() as connection:
        return connection.execute(jobs.select().where(jobs.c.id == job_id)).one_or_none()


def event(job_id: str) -> None:
    """An entry in the job's history, of the state that it is in."""
    row = read(job_id)
    with database.transaction() as connection:
        values = {"job_id": job_id, "state": row.state, "progress": row.progress, "at": now()}
        connection.execute(job_events.insert().values(**values))


def checkpoint(job_id: str, *parts: str) -> None:
    """A checkpoint of the job with these parts."""
    with database.transaction() as connection:
        values = {"job_id": job_id, "parts": list(parts), "state": {}, "saved_at": now()}
        connection.execute(checkpoints.insert().values(**values))


def claim_of(job_id: str, token: int | None = None) -> Claim:
    """The claim that a conversion of the job would hold, by its newest fencing token unless said."""
    row = read(job_id)
    token = row.fencing_token if token is None else token
    return Claim(job_id, State.CONVERTING, token, row.filename, row.options, "", names.video_of(row))


def history(job_id: str) -> list[str]:
    """The states that the job went through, as job_events tells it."""
    query = sa.select(job_events.c.state).where(job_events.c.job_id == job_id).order_by(job_events.c.id)
    with database.reading() as connection:
        return list(connection.execute(query).scalars())


def messages(job_id: str) -> list[Any]:
    """The rows of the job's events in the outbox, oldest first."""
    query = outbox.select().where(outbox.c.job_id == job_id).order_by(outbox.c.created_at)
    with database.reading() as connection:
        return list(connection.execute(query).all())


def unsettled(job_id: str) -> list[str]:
    """The types of the job's events that have had no effect yet."""
    return [row.type for row in messages(job_id) if row.settled_at is None]


def change(table: Any, condition: Any, **values: Any) -> None:
    """Change rows behind the back of the functions, for example to let time pass."""
    with database.transaction() as connection:
        connection.execute(table.update().where(condition).values(**values))


def _user(connection: sa.Connection, email: str = "") -> str:
    user_id = uuid.uuid4().hex
    values = {"id": user_id, "email": email or f"{user_id}@example.com", "password_hash": "-", "created_at": now()}
    connection.execute(users.insert().values(**values))
    return user_id


def jobs_of(user_id: str) -> list[str]:
    """The ids of a user's jobs."""
    with database.reading() as connection:
        return list(connection.execute(sa.select(jobs.c.id).where(jobs.c.user_id == user_id)).scalars())
