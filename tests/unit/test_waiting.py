"""functions/download/waiting.py: a job when it has changed (RFC 7240, section 4.3)."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from functions.download import waiting
from functions.shared import audit, database
from functions.shared.jobs import changes, deletion, transitions
from functions.shared.jobs.states import State
from functions.shared.problems import Problem
from tests.patience import PATIENCE
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables", "store", "secrets")
# None of these tests waits for it.
LONG = "wait=50"
BRIEF_SECONDS = 0.5


@pytest.fixture
def user() -> str:
    return rows.user()


@pytest.fixture
def job(user: str) -> str:
    made = rows.job(owner=user)
    rows.event(made)
    return made


async def asked(user: str, job: str, **headers: str) -> Response:
    pairs = [(name.lower().replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": pairs, "query_string": b""}
    async with asyncio.timeout(PATIENCE):
        return await waiting.answer(Request(scope), user, job)


def answer(user: str, job: str, **headers: str) -> Response:
    return asyncio.run(asked(user, job, **headers))


def timed(user: str, job: str, **headers: str) -> tuple[Response, float]:
    began = time.monotonic()
    return answer(user, job, **headers), time.monotonic() - began


def state(response: Response) -> str:
    return str(job_in(response)["state"])


def job_in(response: Response) -> Any:
    return json.loads(bytes(response.body))


@database.transactional
def move(connection: sa.Connection, job_id: str, /, **values: Any) -> None:
    assert changes.move(connection, job_id, **values)


def meanwhile(user: str, job: str, change: Any, **headers: str) -> tuple[Response, float]:
    """The answer to a request during which something happens, and how long after that it came."""

    async def run() -> tuple[Response, float]:
        task = asyncio.create_task(asked(user, job, **headers))
        await asyncio.sleep(BRIEF_SECONDS)
        assert not task.done()
        changed = time.monotonic()
        await asyncio.to_thread(change)
        return await task, time.monotonic() - changed

    return asyncio.run(run())


def test_without_a_preference_the_answer_comes_at_once(user: str, job: str) -> None:
    response = answer(user, job)
    assert (response.status_code, state(response)) == (200, "queued")
    assert "Preference-Applied" not in response.headers


def test_it_comes_with_the_next_state(user: str, job: str) -> None:
    response, seconds = meanwhile(user, job, lambda: move(job, state=State.CONVERTING), Prefer=LONG)
    assert state(response) == "converting"
    assert response.headers["Preference-Applied"] == LONG
    # Not only when the 50 seconds are over.
    assert seconds < 25


def test_it_comes_unchanged_when_the_time_is_over(user: str, job: str) -> None:
    response, seconds = timed(user, job, Prefer="wait=1")
    assert state(response) == "queued"
    assert seconds >= 1


def test_a_job_that_is_over_is_not_waited_for(user: str) -> None:
    for over in (State.DONE, State.FAILED, State.CANCELLED, State.EXPIRED):
        response, seconds = timed(user, rows.job(over, owner=user), Prefer=LONG)
        assert state(response) == over
        assert seconds < 25


def test_with_a_tag_anything_new_is_told_and_nothing_old(user: str, job: str) -> None:
    move(job, state=State.CONVERTING, progress=0.1)
    tag = answer(user, job).headers["ETag"]
    same = answer(user, job, If_None_Match=tag)
    assert (same.status_code, same.headers["ETag"], same.body) == (304, tag, b"")
    response, _ = meanwhile(
        user, job, lambda: move(job, state=State.CONVERTING, progress=0.2), Prefer=LONG, If_None_Match=tag
    )
    assert job_in(response)["progress"] == 0.2
    assert response.headers["ETag"] != tag


def test_with_the_tag_of_another_time_the_answer_comes_at_once(user: str, job: str) -> None:
    tag = answer(user, job).headers["ETag"]
    move(job, state=State.CONVERTING)
    response, seconds = timed(user, job, Prefer=LONG, If_None_Match=tag)
    assert state(response) == "converting"
    assert seconds < 25


def test_with_a_tag_and_nothing_new_it_is_as_before_when_the_time_is_over(user: str, job: str) -> None:
    tag = answer(user, job).headers["ETag"]
    response, seconds = timed(user, job, Prefer="wait=1", If_None_Match=tag)
    assert (response.status_code, response.headers["Preference-Applied"]) == (304, "wait=1")
    assert seconds >= 1


def test_a_job_that_is_deleted_meanwhile_is_not_found(user: str, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.download.follower.LOOK_SECONDS", 0.1)
    with pytest.raises(Problem) as caught:
        meanwhile(user, job, lambda: deletion.delete(rows.read(job), audit.SWEEP), Prefer=LONG)
    assert caught.value.status == 404


def test_whose_job_it_is_not_does_not_wait(job: str) -> None:
    with pytest.raises(Problem) as caught:
        answer(rows.user(), job, Prefer=LONG)
    assert caught.value.status == 404


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("wait=1", "wait=1"),
        ("respond-async, wait=1", "wait=1"),
        ('WAIT="1"', "wait=1"),
        ("wait = 1", "wait=1"),
        ("wait=1; x=y", "wait=1"),
        ("wait=0", "wait=0"),
        # No more than it waits.
        ("wait=99999", "wait=50"),
        ("wait=0, wait=40", "wait=0"),
        # What is not understood is passed over (RFC 7240, section 2).
        ("wait", None),
        ("wait=-1", None),
        ("wait=1.5", None),
        ("wait=²", None),
        ("wait=" + "9" * 5000, None),
        ("return=minimal", None),
        ("", None),
    ],
)
def test_the_preference_is_told_as_it_was_applied(user: str, prefer: str, applied: str | None) -> None:
    pairs = {"Prefer": prefer.encode().decode("latin-1")}
    response = answer(user, rows.job(State.DONE, owner=user), **pairs)
    assert response.headers.get("Preference-Applied") == applied


def test_it_holds_no_thread_while_it_waits(user: str, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many more wait than there are threads."""
    monkeypatch.setenv("CONCURRENCY", "1")

    async def many() -> list[Response]:
        tasks = [asyncio.create_task(asked(user, job, Prefer=LONG)) for _ in range(50)]
        await asyncio.sleep(BRIEF_SECONDS)
        await asyncio.to_thread(transitions.cancel, job)
        return await asyncio.gather(*tasks)

    assert {state(response) for response in asyncio.run(many())} == {"cancelled"}
