"""functions/convert/checkpoints.py: what an interrupted conversion has done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from functions.convert import checkpoints
from functions.convert.checkpoints import Checkpoint
from functions.shared import audit, database, tables, unwanted
from functions.shared.blobs import Blobs
from functions.shared.jobs import claims, deletion, transitions
from functions.shared.reasons import Failure
from functions.shared.tables import now
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables")


def test_the_newest_checkpoint_is_found_by_the_next_delivery(store: Blobs) -> None:
    job = rows.job("converting", lease_until=rows.ago(-30))
    assert checkpoints.load(job) is None
    for count in (1, 2):
        checkpoints.save(rows.claim_of(job), checkpoint(store, job, count), 0.5)
    assert checkpoints.load(job) == checkpoint(store, job, 2)


def test_a_job_that_gets_further_has_all_its_tries_again(store: Blobs) -> None:
    job = rows.job("converting", lease_until=rows.ago(-30), attempts=4)
    checkpoints.save(rows.claim_of(job), checkpoint(store, job, 1), 0.5)
    assert rows.read(job).attempts == 0


def test_who_lost_the_job_saves_nothing(store: Blobs) -> None:
    job = rows.job("converting", lease_until=rows.ago(1))
    old = rows.claim_of(job)
    claims.claim(job)
    with pytest.raises(claims.ClaimLost):
        checkpoints.save(old, checkpoint(store, job, 1), 0.5)
    assert checkpoints.load(job) is None


def test_a_checkpoint_with_a_part_gone_is_none(store: Blobs) -> None:
    job = rows.job("converting", lease_until=rows.ago(-30))
    saved = checkpoint(store, job, 2)
    checkpoints.save(rows.claim_of(job), saved, 0.5)
    store.delete(saved.parts[0])
    assert checkpoints.load(job) is None


def test_a_checkpoint_of_another_release_is_none(store: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    job = rows.job("converting", lease_until=rows.ago(-30))
    monkeypatch.setattr("functions.convert.checkpoints.VERSION", 2)
    checkpoints.save(rows.claim_of(job), checkpoint(store, job, 2), 0.5)
    assert checkpoints.load(job)
    monkeypatch.setattr("functions.convert.checkpoints.VERSION", 1)
    assert checkpoints.load(job) is None


@pytest.mark.parametrize("state", [[], "segment 2", {"version": "2.0"}, {"version": None}, {"version": [1]}])
def test_a_checkpoint_in_a_shape_that_is_not_known_is_none(store: Blobs, state: Any) -> None:
    job = rows.job("converting", lease_until=rows.ago(-30))
    with database.transaction() as connection:
        values = {"job_id": job, "parts": [], "state": state, "saved_at": now()}
        connection.execute(tables.checkpoints.insert().values(**values))
    assert checkpoints.load(job) is None


def test_a_checkpoint_without_a_version_is_of_the_first(store: Blobs) -> None:
    """As those of the releases before there was one."""
    job = rows.job("converting", lease_until=rows.ago(-30))
    saved = checkpoint(store, job, 2)
    with database.transaction() as connection:
        values = {"job_id": job, "parts": list(saved.parts), "state": saved.state, "saved_at": now()}
        connection.execute(tables.checkpoints.insert().values(**values))
    assert checkpoints.load(job) == saved


@pytest.mark.parametrize(
    "end",
    [
        transitions.cancel,
        lambda job: transitions.fail_claimed(rows.claim_of(job), Failure("damaged")),
        lambda job: transitions.finish(rows.claim_of(job), transitions.Audio(1, "ab" * 32, 1.0)),
        lambda job: deletion.delete(rows.read(job), audit.SWEEP),
    ],
)
def test_with_its_job_a_checkpoint_ends_and_its_parts(store: Blobs, end: Callable[[str], object]) -> None:
    job = rows.job("converting", lease_until=rows.ago(-30))
    saved = checkpoint(store, job, 2)
    checkpoints.save(rows.claim_of(job), saved, 0.5)
    end(job)
    unwanted.delete_of(job)
    assert (checkpoints.load(job), list(store.all())) == (None, [])


def checkpoint(store: Blobs, job: str, count: int) -> Checkpoint:
    parts = tuple(f"part/{job}.1.{number}" for number in range(count))
    for part in parts:
        with store.writing(part) as writer:
            writer.write(b"frames")
    return Checkpoint(parts, {"segment": count})
