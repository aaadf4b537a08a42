"""functions/download/listing.py: what is found, renamed and deleted, and what goes with it."""

from __future__ import annotations

import pytest

from functions.download import listing
from functions.download.shapes import NewName, PageQuery
from functions.shared import unwanted
from functions.shared.audit import Actor
from functions.shared.blobs import Blobs
from functions.shared.jobs import names
from functions.shared.jobs.states import State
from functions.shared.problems import Problem
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


@pytest.mark.usefixtures("tables", "store", "secrets")
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"q": "TALK"}, ["talk.mp4", "Talk 100%.mp4"]),
        ({"q": "größe"}, ["GRÖSSE_1.mkv", "Größe 1.mkv"][1:]),
        ({"q": "GRÖ"}, ["GRÖSSE_1.mkv", "Größe 1.mkv"]),
        ({"q": "gro\u0308"}, ["GRÖSSE_1.mkv", "Größe 1.mkv"]),
        ({"q": "%"}, ["Talk 100%.mp4"]),
        ({"q": "_"}, ["GRÖSSE_1.mkv"]),
        ({"q": "\\"}, []),
        ({"q": "' OR 1=1 --"}, []),
        ({"q": ".mp4", "state": "queued"}, ["talk.mp4"]),
        ({"state": "queued,failed"}, ["talk.mp4", "Größe 1.mkv"]),
    ],
    ids=str,
)
def test_jobs_are_found_by_a_part_of_their_name_and_by_states(asked: dict[str, str], found: list[str]) -> None:
    user = rows.user()
    named = {
        "talk.mp4": State.QUEUED,
        "Talk 100%.mp4": State.DONE,
        "GRÖSSE_1.mkv": State.DONE,
        "Größe 1.mkv": State.FAILED,
    }
    for name, state in named.items():
        rows.job(state, owner=user, filename=name)
        rows.job(state, filename=name)
    page = listing.page(user, PageQuery(**asked))  # type: ignore[arg-type]
    assert sorted(each.filename for each in page.items) == sorted(found)


@pytest.mark.usefixtures("tables", "store", "secrets")
def test_a_job_is_renamed_cleanly_and_others_hear_of_it() -> None:
    user = rows.user()
    job = rows.job(State.CONVERTING, owner=user)
    told = len(rows.history(job))
    assert listing.rename(user, job, NewName(" 1/2\\a\u202eb\nc\u0308.mp4 ")).filename == "1-2-abc\u0308.mp4"
    assert rows.read(job).state == State.CONVERTING
    assert len(rows.history(job)) == told + 1


@pytest.mark.usefixtures("tables", "store", "secrets")
@pytest.mark.parametrize("state", [State.RECEIVING, State.EXPIRED])
def test_a_name_that_is_still_to_come_or_of_what_is_gone_stays(state: State) -> None:
    user = rows.user()
    job = rows.job(state, owner=user, filename="x.mp4")
    with pytest.raises(Problem) as caught:
        listing.rename(user, job, NewName("y.mp4"))
    assert (caught.value.code, rows.read(job).filename) == ("wrong-state", "x.mp4")
    with pytest.raises(Problem, match="no such job"):
        listing.rename(rows.user(), job, NewName("y.mp4"))


@pytest.mark.parametrize("name", ["\u202e", " \n"])
def test_a_name_that_nobody_can_see_is_none(name: str) -> None:
    with pytest.raises(Problem) as caught:
        NewName(name)
    assert caught.value.code == "bad-request"


@pytest.mark.usefixtures("tables", "store", "secrets")
def test_of_many_those_that_are_mine_are_deleted_and_their_files_after_that(store: Blobs) -> None:
    user = rows.user()
    mine, hers = [rows.job(State.DONE, owner=user) for _ in range(3)], rows.job(State.DONE)
    for each in (*mine, hers):
        rows.change(table, table.c.id == each, audio=names.audio(each, 1))
        with store.writing(names.audio(each, 1)) as writer:
            writer.write(b"x")
    deleted = listing.delete_all([*mine[:2], mine[0], hers, "0" * 32], Actor(user))
    assert sorted(deleted) == sorted(mine[:2])
    unwanted.delete_of_all(deleted)
    assert {blob.name for blob in store.all()} == {names.audio(each, 1) for each in (mine[2], hers)}
    assert listing.delete_all(mine[:2], Actor(user)) == []
