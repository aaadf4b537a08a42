"""A job's first rows: opened before the first byte is stored, queued after the last one is safe."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from functions.shared import blobs, database, owners, quotas
from functions.shared.credentials import AccountGone
from functions.shared.jobs import names
from functions.shared.jobs.changes import lease_end
from functions.shared.jobs.claims import Claim, ClaimLost
from functions.shared.jobs.states import State
from functions.shared.problems import Problem, Unavailable
from functions.shared.tables import clock, now
from functions.shared.tables import jobs as table
from functions.upload import admission

__all__ = ["blank_job", "discard", "first", "open_job", "whole"]

# Requests with one key that arrive in the same moment.
MAX_RACES = 3


def open_job(
    user_id: str, filename: str, options: Mapping[str, Any], key: str | None, fingerprint: str, size_bytes: int = 0
) -> tuple[str, bool]:
    """A job that is receiving its video, for which `size_bytes` are reserved. Returns: its id, and whether it is new.

    A request that repeats an Idempotency-Key gets the job of the first one
    (draft-ietf-httpapi-idempotency-key-header-07, section 2).
    Raises: Problem (403, 409, 422, 503, or 401 when the account is gone).
    """
    job_id = uuid.uuid4().hex
    values = blank_job(job_id, user_id, filename, options)
    once = {"idempotency_key": key, "fingerprint": fingerprint, "reserved_bytes": size_bytes}
    for _ in range(MAX_RACES):
        try:
            _open({**values, **once})
        except IntegrityError:
            before = first(user_id, key, fingerprint)
            if not _forget_abandoned(before.id):
                return _answerable(before), False
        else:
            return job_id, True
    raise _in_progress()


def blank_job(job_id: str, user_id: str, filename: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a new row of jobs, which is receiving its video."""
    blank = {"state": State.RECEIVING, "progress": 0.0, "attempts": 0, "fencing_token": 0}
    times = {"created_at": now(), "updated_at": now()}
    return {"id": job_id, "user_id": user_id, "filename": filename, "options": dict(options), **blank, **times}


def discard(job_id: str, *, with_pieces: bool = True) -> None:
    """Forget a job whose video did not arrive, unless it is queued; and with the video what it was joined of.

    Never raises: what cannot be cleared up now is left to sweep.
    """
    with suppress(Unavailable):
        if _delete_receiving(job_id):
            for name in (names.video(job_id, 0), names.old_video(job_id)):
                blobs.store().delete(name, with_pieces=with_pieces)


@contextmanager
def whole(claim: Claim) -> Iterator[None]:
    """Around what is done with a claim's video once it is stored: nobody wants it when claim or account is gone."""
    try:
        yield
    except (ClaimLost, AccountGone):
        with suppress(Unavailable):
            # What it was joined of may be what another claim goes on with.
            blobs.store().delete(claim.video, with_pieces=False)
        raise


def first(user_id: str, key: str | None, fingerprint: str, rows: Any = table) -> Any:
    """The row of jobs, or of `rows`, that the first request with this Idempotency-Key made.

    Raises: Problem (422 when that request was another one, 401 when the account is gone).
    """
    with database.reading() as connection:
        query = rows.select().where(rows.c.user_id == user_id, rows.c.idempotency_key == key)
        row = connection.execute(query).one_or_none()
    if row is None:
        raise AccountGone()
    if row.fingerprint != fingerprint:
        raise Problem("key-reused", "Use a new Idempotency-Key for a new upload.")
    return row


@database.transactional
def _open(connection: sa.Connection, values: dict[str, Any]) -> None:
    """Write the row, and take it back when it is one too many: a request that repeats another must find that first."""
    owners.hold(connection, values["user_id"])
    # The lease begins here, however long the database was waited for.
    connection.execute(table.insert().values(lease_until=lease_end(), **values))
    quotas.admit(connection, values["user_id"])
    admission.check(connection)


@database.transactional
def _delete_receiving(connection: sa.Connection, job_id: str) -> bool:
    mine = (table.c.id == job_id, table.c.state == State.RECEIVING)
    return connection.execute(table.delete().where(*mine)).rowcount == 1


@database.transactional
def _forget_abandoned(connection: sa.Connection, job_id: str) -> bool:
    """Delete a job whose upload broke off without a chance to say so. Returns: whether it was one."""
    abandoned = (table.c.id == job_id, table.c.state == State.RECEIVING, table.c.lease_until < clock())
    return connection.execute(table.delete().where(*abandoned)).rowcount == 1


def _answerable(first: Any) -> str:
    if first.state == State.RECEIVING:
        raise _in_progress()
    return str(first.id)


def _in_progress() -> Problem:
    return Problem("in-progress", "Wait for the first request to end.", {"Retry-After": "5"})
