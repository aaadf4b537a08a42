"""A job's first rows: opened before the first byte is stored, queued after the last one is safe."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from functions.shared import blobs, database
from functions.shared.problems import Problem, Unavailable
from functions.shared.tables import jobs, now

__all__ = ["blank_job", "discard", "open_job"]


def open_job(
    user_id: str, filename: str, options: Mapping[str, Any], key: str | None, fingerprint: str
) -> tuple[str, bool]:
    """A job that is receiving its video. Returns: its id, and whether it is new.

    A request that repeats an Idempotency-Key gets the job of the first one
    (draft-ietf-httpapi-idempotency-key-header-07, section 2).
    Raises: Problem (409, 422, or 401 when the account is gone).
    """
    job_id = uuid.uuid4().hex
    values = blank_job(job_id, user_id, filename, options)
    try:
        _insert({**values, "idempotency_key": key, "fingerprint": fingerprint})
    except IntegrityError:
        return _first(user_id, key, fingerprint), False
    return job_id, True


def blank_job(job_id: str, user_id: str, filename: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a new row of jobs, which is receiving its video."""
    blank = {"state": "receiving", "progress": 0.0, "attempts": 0, "fencing_token": 0}
    times = {"created_at": now(), "updated_at": now()}
    return {"id": job_id, "user_id": user_id, "filename": filename, "options": dict(options), **blank, **times}


def discard(job_id: str) -> None:
    """Forget a job whose video did not arrive. Never raises: what cannot be cleared up now is left to sweep."""
    with suppress(Unavailable):
        if _delete_receiving(job_id):
            blobs.store().delete(f"video/{job_id}")


@database.transactional
def _insert(connection: sa.Connection, values: dict[str, Any]) -> None:
    connection.execute(jobs.insert().values(values))


@database.transactional
def _delete_receiving(connection: sa.Connection, job_id: str) -> bool:
    return connection.execute(jobs.delete().where(jobs.c.id == job_id, jobs.c.state == "receiving")).rowcount == 1


def _first(user_id: str, key: str | None, fingerprint: str) -> str:
    with database.reading() as connection:
        query = jobs.select().where(jobs.c.user_id == user_id, jobs.c.idempotency_key == key)
        row = connection.execute(query).one_or_none()
    if row is None:
        raise Problem("unauthenticated", "This account does not exist any more.")
    if row.fingerprint != fingerprint:
        raise Problem("key-reused", "Use a new Idempotency-Key for a new upload.")
    if row.state == "receiving":
        raise Problem("in-progress", "Wait for the first request to end.", {"Retry-After": "5"})
    return str(row.id)
