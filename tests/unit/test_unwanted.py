"""functions/shared/unwanted.py: files that are to be deleted are, whoever dies and whatever is away."""

from __future__ import annotations

import random
import time
import uuid
from typing import Any

import pytest
import sqlalchemy as sa

import functions.sweep.files as files
from functions.shared import audit, blobs, database, unwanted
from functions.shared.audit import Actor
from functions.shared.blobs import Blobs
from functions.shared.jobs import deletion, names, transitions
from functions.shared.jobs.states import LIVE, State
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import Problem, Unavailable
from functions.shared.tables import audit as acts
from functions.shared.tables import jobs as table
from functions.shared.tables import notifications, now, unwanted_blobs
from functions.sweep import main
from tests.servers import Mongo
from tests.unit import rows
from tests.unit.processes import start

pytestmark = pytest.mark.usefixtures("tables")

AUDIO = Audio(10, "ab" * 32, 1.5)


def test_a_file_that_its_process_did_not_delete_goes_with_the_next_tick(store: Blobs) -> None:
    job = converting(store)
    transitions.finish(rows.claim_of(job), AUDIO)
    assert {blob.name for blob in store.all()} == {names.video(job, 0), names.part(job, 1, 0), names.audio(job, 1)}
    main.tick()
    assert [blob.name for blob in store.all()] == [names.audio(job, 1)]
    assert noted() == []


def test_what_is_away_for_a_moment_is_asked_once_and_later_again(store: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    job = converting(store)
    asked = []

    def away(_: object, name: str, **_how: bool) -> None:
        asked.append(name)
        raise Unavailable("the store is away")

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "delete", away)
        assert deletion.delete(rows.read(job), audit.SWEEP)
        assert len(asked) == 1
        with pytest.raises(Unavailable):
            files.delete_unwanted()
    assert rows.read(job) is None
    files.delete_unwanted()
    assert (list(store.all()), noted()) == ([], [])


def test_a_store_that_dies_in_the_middle_loses_nothing_of_the_rest(
    store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = converting(store)
    deleted: list[str] = []
    real = type(store).delete

    def dies(self: Any, name: str, **how: bool) -> None:
        if deleted:
            raise Unavailable("the store is away")
        deleted.append(name)
        real(self, name, **how)

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "delete", dies)
        deletion.delete(rows.read(job), audit.SWEEP)
    assert deleted[0] not in noted()
    unwanted.delete_some()
    assert (list(store.all()), noted()) == ([], [])


def test_a_file_that_cannot_be_deleted_holds_no_others_up(store: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = converting(store), converting(store)
    real = type(store).delete

    def refuses(self: Any, name: str, **how: bool) -> None:
        if first in name:
            raise ValueError("not this one")
        real(self, name, **how)

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "delete", refuses)
        for job in (first, second):
            deletion.delete(rows.read(job), audit.SWEEP)
        files.delete_unwanted()
    assert {names.owner_of(blob.name) for blob in store.all()} == {first}
    files.delete_unwanted()
    assert (list(store.all()), noted()) == ([], [])


def test_with_a_real_store_that_is_away_a_deletion_is_finished_when_it_is_back(
    mongo: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server that refuses is a port where nobody listens: what a stopped MongoDB is to its clients."""
    uri = f"{mongo.url.rpartition('/')[0]}/{uuid.uuid4().hex}"
    monkeypatch.setenv("BLOBS_URL", uri)
    blobs.store.cache_clear()
    job = converting(blobs.store())
    blobs.store().close()
    monkeypatch.setenv("BLOBS_URL", "mongodb://127.0.0.1:1/unwanted?serverSelectionTimeoutMS=300")
    blobs.store.cache_clear()
    assert deletion.delete(rows.read(job), Actor("somebody"))
    with pytest.raises(Unavailable):
        main.tick()
    blobs.store().close()
    assert (rows.read(job), len(noted()) > 0) == (None, True)
    monkeypatch.setenv("BLOBS_URL", uri)
    blobs.store.cache_clear()
    assert len(list(blobs.store().all())) == 3
    main.tick()
    assert (list(blobs.store().all()), noted()) == ([], [])
    blobs.store().close()
    blobs.store.cache_clear()


@pytest.mark.parametrize("_time", range(4))
def test_whoever_is_killed_while_deleting_leaves_whole_jobs_or_nothing(store: Blobs, _time: int) -> None:
    """Whatever it was doing, the next tick leaves no file without its row, and no row without its files."""
    ids = [converting(store) for _ in range(30)]
    rows.change(table, sa.true(), audio=sa.literal("audio/") + table.c.id + ".1")
    killed = start(f"""
from functions.shared import audit, unwanted
from functions.shared.jobs import deletion, transitions
from tests.unit import rows
print("ready", flush=True)
for number, job in enumerate({ids!r}):
    deletion.delete(rows.read(job), audit.SWEEP)
""")
    assert killed.stdout
    assert killed.stdout.readline() == "ready\n"
    time.sleep(random.uniform(0, 0.4))
    killed.kill()
    killed.communicate()
    files.delete_unwanted()
    left = [job for job in ids if rows.read(job)]
    wanted = {name for job in left for name in (names.video(job, 0), names.part(job, 1, 0), names.audio(job, 1))}
    assert {blob.name for blob in store.all()} == wanted
    assert noted() == []


@pytest.mark.parametrize("state", list(State))
def test_a_job_is_deleted_in_every_state_with_all_that_hangs_on_it(store: Blobs, state: State) -> None:
    job = rows.job(state)
    rows.change(table, table.c.id == job, video=names.video(job, 0), audio=names.audio(job, 1))
    rows.event(job)
    rows.checkpoint(job, names.part(job, 1, 0))
    tell(job)
    for name in (names.video(job, 0), names.part(job, 1, 0), names.audio(job, 1)) if state != State.EXPIRED else ():
        write(store, name)
    assert deletion.delete(rows.read(job), audit.SWEEP)
    assert (list(store.all()), rows.history(job), noted(), told()) == ([], [], [], [])


def test_who_deletes_a_job_second_is_told_that_there_is_none(store: Blobs) -> None:
    job = converting(store)
    row = rows.read(job)
    assert [deletion.delete(row, audit.SWEEP) for _ in range(2)] == [True, False]


@pytest.mark.parametrize("state", sorted(LIVE))
def test_what_a_cancelled_job_had_of_an_mp3_goes_and_its_video_stays(store: Blobs, state: State) -> None:
    job = converting(store)
    rows.change(table, table.c.id == job, state=state)
    assert transitions.cancel(job)
    unwanted.delete_of(job)
    assert {blob.name for blob in store.all()} == {names.video(job, 0), names.audio(job, 1)}


def test_a_video_whose_upload_was_cancelled_cannot_be_tried_again(store: Blobs) -> None:
    job = rows.job(State.RECEIVING, video_bytes=None)
    assert transitions.cancel(job)
    assert (transitions.retry(job), rows.read(job).state) == (None, State.CANCELLED)


def test_files_of_a_job_that_was_deleted_and_comes_again_by_the_same_event_are_left_alone(store: Blobs) -> None:
    job = converting(store)
    with database.transaction() as connection:
        unwanted.note(connection, [names.video(job, 0)])
    with database.transaction() as connection:
        unwanted.forget(connection, job)
    files.delete_unwanted()
    assert names.video(job, 0) in {blob.name for blob in store.all()}


def test_each_deletion_is_written_down_with_who_did_it_and_no_name_of_a_file(store: Blobs) -> None:
    job, over = converting(store), rows.job(State.DONE, expires_at=rows.ago(1), audio="audio/" + "e" * 32 + ".1")
    old = rows.job(State.EXPIRED, expires_at=rows.ago(91 * 86_400))
    broken_off = rows.job(State.RECEIVING, updated_at=rows.ago(100_000))
    deletion.delete(rows.read(job), Actor("anna", "request-1"))
    main.tick()
    assert (rows.read(over).state, rows.read(old), rows.read(broken_off)) == (State.EXPIRED, None, None)
    assert written() == {
        ("anna", "job.deleted", ("job_id", job), ("state", "converting")),
        ("sweep", "jobs.expired", ("count", 1)),
        ("sweep", "jobs.forgotten", ("count", 1)),
        ("sweep", "uploads.forgotten", ("count", 1)),
    }
    main.tick()
    assert len(written()) == 4


def test_orphans_are_written_down_too(store: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ORPHAN_SECONDS", -1)
    for number in range(3):
        write(store, names.video("f" * 32, number))
    main.tick()
    assert (list(store.all()), written()) == ([], {("sweep", "orphans.deleted", ("count", 3))})


def test_a_job_that_is_not_there_cannot_be_deleted() -> None:
    from functions.download import listing

    with pytest.raises(Problem) as caught:
        listing.delete("0" * 32, Actor(rows.user()))
    assert caught.value.status == 404


def converting(store: Blobs) -> str:
    """A job that is converted: its video, a part, and an MP3 that was just stored."""
    job = rows.job(State.CONVERTING)
    rows.change(table, table.c.id == job, video=names.video(job, 0))
    rows.checkpoint(job, names.part(job, 1, 0))
    for name in (names.video(job, 0), names.part(job, 1, 0), names.audio(job, 1)):
        write(store, name)
    return job


def write(store: Blobs, name: str) -> None:
    with store.writing(name) as writer:
        writer.write(b"x")


def noted() -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(sa.select(unwanted_blobs.c.name)).scalars())


def told() -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(sa.select(notifications.c.job_id)).scalars())


def tell(job: str) -> None:
    with database.transaction() as connection:
        values = {"kind": "failed", "channel": "mail", "generation": 1, "user_id": rows.read(job).user_id}
        connection.execute(notifications.insert().values(job_id=job, claimed_at=now(), **values))


def written() -> set[tuple[Any, ...]]:
    with database.reading() as connection:
        return {(row.actor, row.action, *sorted(row.target.items())) for row in connection.execute(acts.select())}
