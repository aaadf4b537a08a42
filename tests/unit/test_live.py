"""functions/download/live.py and what is behind it: streams of jobs, from which no state is missing."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa

from functions.download import figures, follower, live, pulse
from functions.shared import audit, database
from functions.shared.jobs import changes, deletion, transitions
from functions.shared.jobs.states import State
from functions.shared.problems import Problem, Unavailable
from functions.shared.scopes import Caller
from functions.shared.tables import api_keys, job_events, jobs, now, users
from tests.patience import PATIENCE, eventually
from tests.unit import rows
from tests.unit.following import Seen, caller, listen, parsed, read_until

pytestmark = pytest.mark.usefixtures("tables", "store", "secrets")
RISING = [round(step / 10, 1) for step in range(10)]


@pytest.fixture
def user() -> str:
    return rows.user()


@pytest.fixture
def job(user: str) -> str:
    """A job that waits, and has told so."""
    made = rows.job(owner=user)
    rows.event(made)
    return made


@database.transactional
def move(connection: sa.Connection, job_id: str, state: State, progress: float = 0.0) -> None:
    """As a function changes a job."""
    assert changes.move(connection, job_id, state=state, progress=progress)


@contextmanager
def queries() -> Iterator[list[str]]:
    """The statements that this process sends meanwhile, by any connection."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def states(seen: list[Seen]) -> list[str]:
    return [each.data["state"] for each in seen]


def is_over(seen: list[Seen]) -> bool:
    return bool(seen[-1].data.get("state") == State.CANCELLED)


def test_a_stream_begins_with_how_the_job_is_and_ends_with_it(user: str, job: str) -> None:
    async def follow() -> list[Seen]:
        async with listen(user, job) as events:
            first = await anext(events)
            move(job, State.CONVERTING, 0.25)
            second = await anext(events)
            transitions.cancel(job)
            return [first, second, *await read_until(events, lambda _: False)]

    seen = asyncio.run(follow())
    assert states(seen) == ["queued", "converting", "cancelled"]
    assert [each.data["progress"] for each in seen] == [0, 0.25, 0.25]
    assert [int(each.known) for each in seen] == sorted({int(each.known) for each in seen})


def test_who_comes_back_is_told_every_state_that_was_and_only_the_last_of_each(user: str, job: str) -> None:
    async def follow(after: str) -> list[Seen]:
        async with listen(user, job, after) as events:
            return await read_until(events, lambda _: False)

    first = newest_event()
    for progress in RISING:
        move(job, State.CONVERTING, progress)
    move(job, State.QUEUED, 0.9)
    move(job, State.CONVERTING, 0.95)
    transitions.cancel(job)
    seen = asyncio.run(follow(str(first)))
    assert [(each.data["state"], each.data["progress"]) for each in seen] == [
        ("converting", 0.9),
        ("queued", 0.9),
        ("converting", 0.95),
        ("cancelled", 0.95),
    ]
    # What belongs to its end is told with its end.
    assert [each.data["expires_at"] is None for each in seen] == [True, True, True, False]
    assert states(asyncio.run(follow(seen[1].known))) == ["converting", "cancelled"]
    assert asyncio.run(follow(seen[-1].known)) == []


@pytest.mark.parametrize("after", ["x", "-1", "²", "1e3", "9" * 18, "9" * 19, "1\n2", " "])
def test_an_id_that_was_never_given_is_as_none(user: str, job: str, after: str) -> None:
    async def follow(job_id: str) -> Seen:
        async with listen(user, job_id, after) as events:
            return await anext(events)

    assert asyncio.run(follow(job)).data["state"] == "queued"
    assert asyncio.run(follow("")).data["id"] == job


def test_a_job_of_somebody_else_is_as_one_that_is_not(user: str, job: str) -> None:
    for job_id in (job, "0" * 32):
        with pytest.raises(Problem) as caught:
            asyncio.run(live.follow_one(caller(rows.user()), job_id, ""))
        assert caught.value.code == "not-found"


def test_all_of_ones_jobs_come_by_one_stream_and_nobody_elses(user: str, job: str) -> None:
    other, foreign = rows.job(owner=user), rows.job()
    over = rows.job(State.DONE, owner=user)

    async def follow() -> list[Seen]:
        async with listen(user) as events:
            seen = [await anext(events), await anext(events)]
            move(foreign, State.CONVERTING)
            move(other, State.CONVERTING)
            seen += [await anext(events)]
            transitions.cancel(job)
            return [*seen, await anext(events)]

    seen = asyncio.run(follow())
    assert {each.data["id"] for each in seen[:2]} == {job, other}
    assert [(each.data["id"], each.data["state"]) for each in seen[2:]] == [(other, "converting"), (job, "cancelled")]
    assert over not in {each.data["id"] for each in seen}


def test_who_comes_back_for_all_jobs_is_told_what_was_missed_of_each(user: str, job: str) -> None:
    async def first() -> str:
        async with listen(user) as events:
            return (await anext(events)).known

    async def back(after: str, count: int) -> list[Seen]:
        async with listen(user, after=after) as events:
            return await read_until(events, lambda seen: len(seen) == count)

    known = asyncio.run(first())
    others = [rows.job(owner=user) for _ in range(3)]
    for each in (job, *others):
        move(each, State.CONVERTING, 0.5)
        transitions.cancel(each)
    move(rows.job(), State.CONVERTING)
    seen = asyncio.run(back(known, 8))
    for each in (job, *others):
        assert [one.data["state"] for one in seen if one.data["id"] == each] == ["converting", "cancelled"]
    assert states(asyncio.run(back(seen[5].known, 2))) == ["converting", "cancelled"]


def test_more_than_can_be_read_at_a_time_is_read_in_parts(user: str, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.download.history.PAGE", 3)
    monkeypatch.setattr("functions.download.news.PAGE", 3)
    after = newest_event()

    async def follow() -> list[Seen]:
        async with listen(user, after=str(after)) as events:
            seen = await read_until(events, lambda seen: len(seen) == 20)
            for _ in range(5):
                move(job, State.QUEUED)
                move(job, State.CONVERTING)
            transitions.cancel(job)
            return seen + await read_until(events, is_over)

    for _ in range(10):
        move(job, State.CONVERTING)
        move(job, State.QUEUED)
    seen = states(asyncio.run(follow()))
    assert seen[:20] == ["converting", "queued"] * 10
    assert seen[-1] == "cancelled"
    assert all(one != other for one, other in pairwise(seen[20:]))


def test_a_job_that_is_over_and_was_never_told_of_is_told_to_be_gone_once(
    user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever lists it has it from elsewhere."""
    monkeypatch.setattr(follower, "LOOK_SECONDS", 0.1)
    kept, old, hers = rows.job(State.QUEUED, owner=user), rows.job(State.DONE, owner=user), rows.job(State.DONE)

    async def watched() -> list[Any]:
        async with listen(user) as events:
            before = await read_until(events, lambda seen: seen)
            for each in (old, hers):
                deletion.delete(rows.read(each), audit.Actor(rows.read(each).user_id))
            gone = await read_until(events, lambda seen: seen)
            rows.event(kept)
            return before + gone + await read_until(events, lambda seen: seen)

    seen = asyncio.run(watched())
    assert [(each.event, each.data["id"]) for each in seen] == [("job", kept), ("gone", old), ("job", kept)]


def test_a_job_that_is_deleted_is_told_to_be_gone(user: str, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "LOOK_SECONDS", 0.1)

    async def follow(job_id: str) -> list[Seen]:
        async with listen(user, job_id) as events, listen(user) as all_of_mine:
            first = [await anext(events), await anext(all_of_mine)]
            deletion.delete(rows.read(job), audit.SWEEP)
            return [*first, await anext(events), await anext(all_of_mine)]

    seen = asyncio.run(follow(job))
    assert [each.event for each in seen] == ["job", "job", "gone", "gone"]
    assert [each.data for each in seen[2:]] == [{"id": job}] * 2


def test_no_state_is_missing_whoever_changes_how_many_jobs_at_once(user: str) -> None:
    """With transactions that commit in another order than they got their ids."""
    many = [rows.job(owner=user) for _ in range(12)]

    @database.transactional
    def slow_move(connection: sa.Connection, job_id: str, state: State, seconds: float) -> None:
        assert changes.move(connection, job_id, state=state)
        time.sleep(seconds)

    def live_through(job_id: str) -> None:
        for turn in range(5):
            slow_move(job_id, State.CONVERTING, hash((job_id, turn)) % 7 / 200)
            slow_move(job_id, State.QUEUED, hash((turn, job_id)) % 5 / 200)
        transitions.cancel(job_id)

    async def follow(job_id: str) -> list[Seen]:
        def are_over(seen: list[Seen]) -> bool:
            return states(seen).count("cancelled") == (1 if job_id else len(many))

        async with listen(user, job_id) as events:
            # It begins with what there is by then: what was before that is not told.
            first = await anext(events)
            started.release()
            return [first, *await read_until(events, are_over)]

    async def follow_each() -> list[list[Seen]]:
        return await asyncio.gather(*(follow(job_id) for job_id in ["", "", *many]))

    def change_all() -> None:
        for _ in range(len(many) + 2):
            started.acquire(timeout=PATIENCE)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(live_through, many))

    started = threading.Semaphore(0)
    worker = threading.Thread(target=change_all)
    worker.start()
    everything = asyncio.run(follow_each())
    worker.join()
    for seen in everything:
        for job_id in {each.data["id"] for each in seen}:
            # What could not be sent before the next one within the same state came, that one replaces.
            assert_whole([each.data["state"] for each in seen if each.data["id"] == job_id], job_id)
    assert {each.data["id"] for each in everything[0]} == set(many)


def assert_whole(shown: list[str], job_id: str) -> None:
    written = rows.history(job_id)
    assert shown[-len(written) :] == written, (shown, written)


def test_a_row_that_is_seen_late_is_no_less_seen_by_who_comes_back(user: str, job: str) -> None:
    """The id that a client comes back with is none beyond which it has missed something."""
    other = rows.job(owner=user)
    if database.engine().dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time: what has the lower id is there first")

    async def follow() -> tuple[Seen, list[Seen]]:
        async with listen(user) as events:
            await read_until(events, lambda seen: len(seen) == 2)
            with database.transaction() as late:
                changes.move(late, other, state=State.CONVERTING)
                await asyncio.to_thread(move, job, State.CONVERTING)
                first = await anext(events)
        async with listen(user, after=first.known) as events:
            return first, await read_until(events, lambda seen: len({each.data["id"] for each in seen}) == 2)

    first, back = asyncio.run(follow())
    assert first.data["id"] == job
    assert {each.data["id"]: each.data["state"] for each in back} == {job: "converting", other: "converting"}


def test_a_thousand_streams_to_which_nothing_happens_cost_a_query_a_second() -> None:
    jobs_of_all = many_jobs(1000)

    async def follow() -> tuple[int, float]:
        async with AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(listen(owner, job_id)) for job_id, owner in jobs_of_all[:800]]
            streams += [await stack.enter_async_context(listen(owner)) for _, owner in jobs_of_all[800:]]
            for events in streams:
                await anext(events)
            waiting = [asyncio.ensure_future(anext(events)) for events in streams]
            began = time.monotonic()
            with queries() as sent:
                await asyncio.sleep(10)
                asked, seconds = len(sent), time.monotonic() - began
                move(jobs_of_all[0][0], State.CONVERTING)
                await waiting[0]
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        return asked, seconds

    asked, seconds = asyncio.run(follow())
    # A slow machine asks less often.
    assert asked <= seconds + 4


def test_where_the_procedure_is_missing_it_is_asked_all_the_time(
    user: str, job: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a dump without routines, or a downgrade."""
    monkeypatch.setattr(pulse, "PROCEDURE", "there_is_none")

    async def follow() -> list[Seen]:
        async with listen(user, job) as events:
            first = await anext(events)
            await asyncio.to_thread(move, job, State.CONVERTING)
            return [first, await anext(events)]

    assert states(asyncio.run(follow())) == ["queued", "converting"]
    warned = any("cannot be called" in each.message for each in caplog.records)
    assert warned == (database.engine().dialect.name != "sqlite")


def test_a_wait_that_is_killed_is_begun_anew(user: str, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if database.engine().dialect.name == "sqlite":
        pytest.skip("SQLite has no server that something could wait in")
    monkeypatch.setattr(follower, "AWAY_SECONDS", 0.05)

    async def follow() -> list[Seen]:
        async with listen(user, job) as events:
            first = await anext(events)
            await asyncio.to_thread(eventually, kill_a_wait, "something waits in the server")
            await asyncio.to_thread(move, job, State.CONVERTING)
            return [first, await anext(events)]

    assert states(asyncio.run(follow())) == ["queued", "converting"]


def kill_a_wait() -> bool:
    """As an operator does, or a server that stops. Returns: whether there was one."""
    waiting = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND state = 'User sleep'"
    with database.reading() as connection:
        ids = connection.execute(sa.text(waiting)).scalars().all()
        for each in ids:
            connection.execute(sa.text(f"KILL {each}"))
    return bool(ids)


def many_jobs(count: int) -> list[tuple[str, str]]:
    """Jobs that have waited for long, each of another user: ids of both."""
    pairs = [(uuid.uuid4().hex, uuid.uuid4().hex) for _ in range(count)]
    account = {"password_hash": "-", "created_at": now()}
    times = {"created_at": rows.ago(3600), "updated_at": rows.ago(3600)}
    blank = {"state": State.QUEUED, "filename": "x.mp4", "options": {}, "progress": 0.0, "attempts": 0}
    with database.transaction() as connection:
        connection.execute(users.insert(), [{"id": owner, "email": owner, **account} for _, owner in pairs])
        found = [{"id": job_id, "user_id": owner, "fencing_token": 0, **blank, **times} for job_id, owner in pairs]
        connection.execute(jobs.insert(), found)
    return pairs


def test_nothing_is_asked_while_nobody_follows(user: str, job: str) -> None:
    async def follow() -> int:
        async with listen(user, job) as events:
            await anext(events)
        await asyncio.sleep(2 * pulse.WAIT_SECONDS)
        with queries() as sent:
            await asyncio.sleep(2 * pulse.WAIT_SECONDS)
        return len(sent)

    assert asyncio.run(follow()) == 0


def test_while_the_database_is_away_streams_wait_and_then_miss_nothing(
    user: str, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "AWAY_SECONDS", 0.05)

    async def follow() -> list[Seen]:
        async with listen(user, job) as events:
            first = await anext(events)
            with monkeypatch.context() as patch:
                patch.setattr("functions.download.news.News.read", away)
                await asyncio.sleep(0.3)
                move(job, State.CONVERTING)
                move(job, State.QUEUED)
                transitions.cancel(job)
                await asyncio.sleep(0.3)
            return [first, *await read_until(events, is_over)]

    assert states(asyncio.run(follow())) == ["queued", "converting", "queued", "cancelled"]


def away(*_: Any) -> Any:
    raise Unavailable("the database does not answer")


def test_a_stream_ends_with_the_token(user: str, job: str) -> None:
    async def follow() -> list[str]:
        stream = await live.follow_one(caller(user, time.time() + 3), job, "")
        return [text async for text in stream.texts()]

    began = time.monotonic()
    assert [text for text in asyncio.run(follow()) if "data" in text]
    assert 2 < time.monotonic() - began < PATIENCE


def test_streams_end_when_the_process_is_told_to(user: str, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def follow() -> list[Seen]:
        async with listen(user, job) as events:
            first = await anext(events)
            monkeypatch.setattr("functions.shared.draining._begun", True)
            return [first, *await read_until(events, lambda _: False)]

    assert states(asyncio.run(follow())) == ["queued"]


@pytest.mark.parametrize(
    "name", ["a\nevent: gone\n\nid: 7\ndata: x", "a\r\n\r\ndata: x", "a\u2028\u0085\x0b\x0cb", '"}\\']
)
def test_a_name_of_a_file_breaks_no_event(user: str, name: str) -> None:
    rows.job(owner=user, filename=name)

    async def follow() -> list[str]:
        stream = await live.follow_all(caller(user), "")
        async for text in stream.texts():
            if "data" in text:
                return text.split("\n")
        return []

    lines = asyncio.run(follow())
    assert [line.partition(":")[0] for line in lines] == ["id", "event", "data", "", ""]
    assert not {"\r", "\x0b"} & set("".join(lines))


def test_a_client_that_takes_nothing_is_let_go_and_misses_nothing(
    user: str, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.download.subscription.MAX_WAITING", 5)

    async def follow() -> tuple[list[Seen], list[Seen]]:
        async with listen(user) as events:
            seen = [await anext(events)]
            for _ in range(10):
                move(job, State.CONVERTING)
                move(job, State.QUEUED)
                await asyncio.sleep(0.1)
            transitions.cancel(job)
            seen += await read_until(events, lambda _: False)
        async with listen(user, after=seen[-1].known) as events:
            return seen, await read_until(events, is_over)

    before, after = asyncio.run(follow())
    assert not is_over(before)
    assert states(before)[1:] + states(after) == ["converting", "queued"] * 10 + ["cancelled"]


def test_where_a_job_stands_in_the_queue_is_told_when_it_moves(
    user: str, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(figures, "PLACES_SECONDS", 0.0)
    monkeypatch.setattr(figures, "_places", figures._Places())
    rows.change(jobs, jobs.c.id == job, created_at=now() + timedelta(seconds=60))
    ahead = rows.job()

    async def follow() -> list[Seen]:
        async with listen(user, job) as events:
            first = await anext(events)
            transitions.cancel(ahead)
            return [first, await anext(events)]

    seen = asyncio.run(follow())
    assert [each.data["queue_position"] for each in seen] == [2, 1]
    assert seen[0].known == seen[1].known


def newest_event() -> int:
    with database.reading() as connection:
        return int(connection.execute(sa.select(sa.func.max(job_events.c.id))).scalar_one())


def test_a_stream_ends_when_its_key_is_revoked(user: str, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "LOOK_SECONDS", 0.1)
    key = {"id": uuid.uuid4().hex, "user_id": user, "name": "x", "start": "al_", "scopes": "jobs:read"}
    with database.transaction() as connection:
        connection.execute(api_keys.insert().values(**key, digest="x", created_at=now()))

    async def follow() -> tuple[list[Seen], list[Seen]]:
        by_key = Caller(user, frozenset(), str(key["id"]))
        stream = await live.follow_all(by_key, "")
        async with listen(user, job) as others:
            events = parsed(stream.texts())
            await anext(others)
            seen = [await anext(events)]
            await asyncio.sleep(0.5)
            with database.transaction() as connection:
                connection.execute(api_keys.delete())
            seen += await read_until(events, lambda _: False)
            transitions.cancel(job)
            return seen, await read_until(others, is_over)

    ended, others = asyncio.run(follow())
    # It may be told of its place in the queue, too.
    assert set(states(ended)) == {"queued"}
    assert states(others)[-1] == "cancelled"
