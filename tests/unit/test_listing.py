"""functions/download/listing.py: what deleting a job takes along."""

from __future__ import annotations

import pytest

from functions.download import listing
from functions.shared.audit import Actor
from functions.shared.blobs import Blobs
from functions.shared.jobs import names
from functions.shared.jobs.states import State
from functions.shared.tables import jobs as table
from tests.unit import rows


@pytest.mark.usefixtures("tables")
def test_a_deleted_job_takes_its_video_and_what_its_conversion_had_saved_along(store: Blobs) -> None:
    user = rows.user()
    job, kept = (rows.job(State.CONVERTING, owner=user) for _ in range(2))
    for each in (job, kept):
        rows.change(table, table.c.id == each, video=names.video(each, 0))
        rows.checkpoint(each, names.part(each, 1, 0), names.part(each, 1, 1))
        for name in files_of(each):
            with store.writing(name) as writer:
                writer.write(b"x")
    listing.delete(job, Actor(user))
    assert {blob.name for blob in store.all()} == files_of(kept)


def files_of(job: str) -> set[str]:
    return {names.video(job, 0), names.part(job, 1, 0), names.part(job, 1, 1)}
