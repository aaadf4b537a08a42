"""Many jobs by one request: each item becomes a job or a problem, and one that is refused holds up no other."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from functions.shared import database, outbox, owners, quotas
from functions.shared.problems import Problem
from functions.shared.tables import batches, jobs, now
from functions.shared.views import job_view
from functions.upload import admission, intake
from functions.upload.by_url import Wanted, fingerprint_of, row_of, wanted
from functions.upload.url_shapes import Batch, BatchItem, NewBatch

__all__ = ["create", "view"]


@dataclass
class _Opened:
    """The new jobs by their ids, and for each item of the batch its job's id, or its problem details."""

    jobs: dict[str, Wanted] = field(default_factory=dict)
    results: list[Any] = field(default_factory=list)


def create(user_id: str, body: NewBatch, key: str | None) -> tuple[str, list[str]]:
    """Open the jobs of a batch, all in one transaction. `key` is the request's Idempotency-Key.

    Returns: the batch's id, and those of the events that are to be sent, if it is new. Raises: Problem.
    """
    asked, fingerprint = [_asked(item) for item in body.items], fingerprint_of({"items": body.items})
    batch_id = uuid.uuid4().hex
    try:
        return batch_id, _open(user_id, batch_id, asked, {"idempotency_key": key, "fingerprint": fingerprint})
    except IntegrityError:
        return str(intake.first(user_id, key, fingerprint, batches).id), []


def view(batch_id: str) -> Batch:
    """What became of each item, its job as it is now."""
    with database.reading() as connection:
        results = connection.execute(sa.select(batches.c.results).where(batches.c.id == batch_id)).scalar_one()
        found = connection.execute(jobs.select().where(jobs.c.batch_id == batch_id)).all()
    by_id = {row.id: BatchItem(202, job=job_view(row)) for row in found}
    return Batch(batch_id, [_item(result, by_id) for result in results])


def _item(result: Any, found: dict[str, BatchItem]) -> BatchItem:
    if isinstance(result, str):
        return found.get(result) or _item(_details(Problem("not-found", "The job was deleted.")), found)
    return BatchItem(result["status"], problem=result)


def _asked(item: Any) -> Wanted | Problem:
    try:
        return wanted(item)
    except Problem as problem:
        return problem


@database.transactional
def _open(
    connection: sa.Connection, user_id: str, batch_id: str, asked: list[Wanted | Problem], once: dict[str, Any]
) -> list[str]:
    owners.hold(connection, user_id)
    opened, moment = _chosen(connection, user_id, asked), now()
    values = {"id": batch_id, "user_id": user_id, "results": opened.results, "created_at": moment, **once}
    connection.execute(batches.insert().values(values))
    if not opened.jobs:
        return []
    # A list of jobs has them in one order: the last ones first.
    times = (moment + timedelta(microseconds=number) for number in range(len(opened.jobs)))
    rows = [
        {**row_of(user_id, job_id, item), "batch_id": batch_id, "created_at": at}
        for (job_id, item), at in zip(opened.jobs.items(), times, strict=True)
    ]
    connection.execute(jobs.insert(), rows)
    return outbox.add_first(connection, {job_id: item.event() for job_id, item in opened.jobs.items()})


def _chosen(connection: sa.Connection, user_id: str, asked: list[Wanted | Problem]) -> _Opened:
    """Those that may become jobs: the first ones, as far as the account's quotas and the others' jobs leave room."""
    opened = _Opened()
    rooms = (quotas.room(connection, user_id), admission.room(connection))
    for item in asked:
        full = next((problem for left, problem in rooms if len(opened.jobs) >= left), None)
        problem = item if isinstance(item, Problem) else full
        if isinstance(item, Wanted) and problem is None:
            job_id = uuid.uuid4().hex
            opened.jobs[job_id] = item
            opened.results.append(job_id)
        elif problem is not None:
            opened.results.append(_details(problem))
    return opened


def _details(problem: Problem) -> Any:
    return json.loads(problem.body())
