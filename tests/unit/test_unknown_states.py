"""A job in a state that only a newer release knows, as in a rollout: it is shown as it is, and left alone."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest
from starlette.datastructures import Headers

from events.catalogue import AudioCreated
from functions.download import files, listing, live
from functions.download.shapes import PageQuery
from functions.notify import news
from functions.shared.blobs import Blobs
from functions.shared.jobs import claims, names, transitions
from functions.shared.jobs.states import State
from functions.shared.problems import Problem
from functions.shared.reasons import Failure
from functions.shared.scopes import Caller
from functions.shared.tables import jobs as table
from functions.sweep import files as swept
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables", "store")
PAUSED = "paused"


def test_it_is_listed_by_its_own_name_among_the_others() -> None:
    user = rows.user()
    rows.job(PAUSED, owner=user, error_code="paused-by-owner")
    rows.job(State.QUEUED, owner=user)
    items = listing.page(user, PageQuery()).items
    assert {item.state for item in items} == {PAUSED, "queued"}
    (paused,) = (item for item in msgspec.to_builtins(items) if item["state"] == PAUSED)
    assert paused["error"]["title"] == "paused-by-owner"
    assert paused["links"].keys() == {"self", "events"}


def test_its_live_stream_goes_on_until_it_ends() -> None:
    user = rows.user()
    job = rows.job(PAUSED, owner=user)
    recorded(job)

    async def follow() -> list[str]:
        seen: list[str] = []
        stream = await live.follow_one(Caller(user, frozenset()), job, "")
        async for text in stream.texts():
            if "data: " not in text:
                continue
            seen.append(json.loads(text.partition("data: ")[2])["state"])
            rows.change(table, table.c.id == job, state=State.CANCELLED)
            recorded(job)
        return seen

    assert asyncio.run(follow()) == [PAUSED, "cancelled"]


def test_it_has_no_mp3_to_be_had_and_says_its_state() -> None:
    request: Any = type("Request", (), {"method": "GET", "headers": Headers({})})
    with pytest.raises(Problem, match="the job is paused"):
        files.respond(request, rows.read(rows.job(PAUSED)))


def test_nothing_is_done_to_it() -> None:
    job = rows.job(PAUSED, expires_at=rows.ago(1))
    before = rows.read(job)
    assert claims.claim(job) is None
    assert transitions.fail(job, Failure("gave-up")) is None
    assert transitions.retry(job) is None
    assert not transitions.cancel(job)
    assert news.notice_of(job, AudioCreated) is None
    swept.expire()
    swept.forget_unfinished()
    assert rows.read(job) == before


def test_sweep_deletes_none_of_its_files(store: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.sweep.files.ORPHAN_SECONDS", -1)
    job = rows.job(PAUSED, fencing_token=2)
    rows.change(table, table.c.id == job, video=names.video(job, 1))
    kept = {names.video(job, 1), names.audio(job, 2), names.part(job, 1, 0)}
    rows.checkpoint(job, names.part(job, 1, 0))
    for name in kept | {names.audio(job, 1)}:
        with store.writing(name) as writer:
            writer.write(b"x")
    swept.delete_orphans()
    assert {blob.name for blob in store.all()} == kept


def recorded(job: str) -> None:
    """Have the live stream see a change."""
    rows.change(table, table.c.id == job, progress=0.0)
    rows.event(job)
