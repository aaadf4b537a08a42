"""functions/sweep/retention.py: no table grows for ever, and no tick does all of it at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

import functions.sweep.chores as chores_of_sweep
import functions.sweep.files as files
import functions.sweep.history as history
import functions.sweep.retention as retention
from functions.shared import database
from functions.shared.jobs.states import State
from functions.shared.tables import audit, chores, dead_letters, job_events, jobs, metadata, notifications, now
from functions.sweep import main
from tests.unit import rows
from tests.unit.processes import race

pytestmark = pytest.mark.usefixtures("tables", "store")

MANY = 100_000


def test_each_table_has_a_retention() -> None:
    assert sorted(each.table.name for each in retention.RETENTIONS) == sorted(metadata.tables)


def test_each_condition_by_age_is_found_by_an_index() -> None:
    """The first column of an index is among its columns, so that nothing is read that is not over."""
    for each in retention.RETENTIONS:
        for over in each.over() if each.over else ():
            named = {column.name for column in sa.sql.visitors.iterate(over) if isinstance(column, sa.Column)}
            assert named & first_columns(each.table), (each.table.name, named)


def first_columns(table: sa.Table[Any]) -> set[str]:
    return {next(iter(index.columns)).name for index in table.indexes} | {next(iter(table.primary_key.columns)).name}


def test_a_tick_deletes_so_many_rows_in_so_many_short_transactions_and_the_next_goes_on() -> None:
    acts = [
        {"id": f"{n:032}", "at": rows.ago(400 * 86_400), "actor": "a", "action": "b", "target": {}} for n in range(MANY)
    ]
    insert(audit, acts)
    insert(audit, [{**acts[0], "id": "young", "at": now()}])
    with watched() as transactions:
        retention.forget()
    assert count(audit) == MANY + 1 - retention.BATCH * retention.MAX_BATCHES
    assert [deleted for deleted in transactions if deleted] == [retention.BATCH] * retention.MAX_BATCHES
    with database.transaction() as connection:
        connection.execute(audit.delete().where(audit.c.id != "young", audit.c.id > f"{700:032}"))
    retention.forget()
    assert count(audit) == 1


def test_a_tick_with_nothing_to_do_writes_nothing() -> None:
    rows.job()
    insert(audit, [{"id": "young", "at": now(), "actor": "a", "action": "b", "target": {}}])
    with watched() as transactions:
        retention.forget()
    assert transactions == []


def test_jobs_with_many_events_are_forgotten_some_at_a_time() -> None:
    owner = rows.user()
    old = [rows.job(State.EXPIRED, owner, expires_at=rows.ago(91 * 86_400)) for _ in range(3)]
    insert(job_events, [event(old[0]) for _ in range(MANY // 5)])
    insert(job_events, [event(job) for job in old[1:]])
    with watched() as transactions:
        history.forget()
    assert max(transactions) <= retention.BATCH
    assert all(rows.read(job) for job in old), "its events first"
    for _ in range(3):
        history.forget()
    assert (count(jobs), count(job_events)) == (0, 0)


def test_many_jobs_expire_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FEW", 3)
    monkeypatch.setattr(files, "MAX_BATCHES", 2)
    owner = rows.user()
    over = [rows.job(State.FAILED, owner, expires_at=rows.ago(1)) for _ in range(8)]
    files.expire()
    assert sorted(rows.read(job).state for job in over) == ["expired"] * 6 + ["failed"] * 2
    files.expire()
    assert {rows.read(job).state for job in over} == {"expired"}


@pytest.mark.parametrize(
    ("state", "recorded", "healed", "stays"),
    [
        ("recorded", 89, None, True),
        ("recorded", 91, None, False),
        ("wanted", 91, None, True),
        ("healed", 10, 6, True),
        ("healed", 10, 8, False),
        ("replayed", 8, None, False),
        ("replayed", 6, None, True),
    ],
)
def test_dead_letters_that_are_over_or_that_nobody_looked_at_for_long_go(
    state: str, recorded: int, healed: int | None, stays: bool
) -> None:
    days = {"recorded_at": rows.ago(recorded * 86_400), "healed_at": healed and rows.ago(healed * 86_400)}
    blank = {"attributes": {}, "data": b"", "reason": "", "replays": 0}
    insert(dead_letters, [{"id": "letter", "state": state, **blank, **days}])
    retention.forget()
    assert count(dead_letters) == int(stays)


def test_what_was_noted_about_a_job_while_it_was_deleted_goes_within_the_hour() -> None:
    user = rows.user()
    job = rows.job(owner=user)
    about = {"kind": "failed", "channel": "mail", "generation": 1, "user_id": user, "claimed_at": now()}
    insert(notifications, [{"job_id": each, **about} for each in ("0" * 32, job)])
    main.tick()
    with database.reading() as connection:
        assert connection.execute(sa.select(notifications.c.job_id)).scalars().all() == [job]


@pytest.mark.parametrize("minutes", [5, 10, 60, 90])
def test_orphans_are_looked_for_at_any_schedule_of_the_ticks(minutes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    monkeypatch.setattr(files, "delete_orphans", lambda: looked.append(1))
    for _ in range(max(1, 240 // minutes)):
        main.tick()
        # Time passes.
        rows.change(chores, sa.true(), begun_at=chores.c.begun_at if minutes < 1 else earlier(minutes))
    assert 1 < len(looked) <= 4


def earlier(minutes: int) -> Any:
    with database.reading() as connection:
        before = connection.execute(sa.select(chores.c.begun_at).where(chores.c.name == "orphans")).scalar_one()
    return before - timedelta(minutes=minutes)


def test_of_eight_sweeps_at_once_one_does_the_chore() -> None:
    prepare = "from functions.sweep import chores"
    act = "chores.run('race', 3600, lambda: print('did it'))"
    for _ in range(2):
        assert sorted(race(8, prepare, act)) == [""] * 7 + ["did it"]
        rows.change(chores, chores.c.name == "race", begun_at=rows.ago(3601))


def test_a_chore_that_met_a_store_that_was_away_is_done_with_the_next_tick_and_one_with_a_bug_is_not() -> None:
    from functions.shared.problems import Unavailable

    done: list[str] = []

    def away() -> None:
        done.append("away")
        raise Unavailable("it is away")

    for _ in range(2):
        with pytest.raises(Unavailable):
            chores_of_sweep.run("one", 3600, away)
    with pytest.raises(ZeroDivisionError):
        chores_of_sweep.run("two", 3600, lambda: done.append(str(1 // 0)))
    chores_of_sweep.run("two", 3600, lambda: done.append("too soon"))
    assert done == ["away", "away"]


def event(job: str) -> dict[str, Any]:
    return {"job_id": job, "state": "done", "progress": 1.0, "at": now()}


def insert(table: sa.Table[Any], values: list[dict[str, Any]]) -> None:
    for start in range(0, len(values), 5000):
        with database.transaction() as connection:
            connection.execute(table.insert(), values[start : start + 5000])


def count(table: sa.Table[Any]) -> int:
    with database.reading() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


@contextmanager
def watched() -> Iterator[list[int]]:
    """How many rows each transaction that writes has deleted."""
    transactions: list[int] = []
    deleted: dict[Any, int] = {}

    def begun(connection: sa.Connection) -> None:
        if not connection.get_execution_options().get("reading"):
            deleted[id(connection)] = 0

    def executed(connection: sa.Connection, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("DELETE") and id(connection) in deleted:
            deleted[id(connection)] += cursor.rowcount

    def committed(connection: sa.Connection) -> None:
        if id(connection) in deleted:
            transactions.append(deleted.pop(id(connection)))

    hooks = (("begin", begun), ("after_cursor_execute", executed), ("commit", committed))
    for name, hook in hooks:
        sa.event.listen(database.engine(), name, hook)
    try:
        yield transactions
    finally:
        for name, hook in hooks:
            sa.event.remove(database.engine(), name, hook)
