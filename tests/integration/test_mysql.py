"""Rows in MySQL or MariaDB: sessions, retries and pool, against a real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy.exc import OperationalError

from functions.shared import database, migrate
from functions.shared.database import DatabaseUnavailable
from functions.shared.problems import Unavailable
from functions.shared.tables import metadata, notifications, users
from tests import engines
from tests.patience import PATIENCE
from tests.servers import MariaDB


@pytest.fixture(autouse=True)
def tables(mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A migrated, empty database."""
    monkeypatch.setenv("DATABASE_URL", mariadb.create("test_mysql"))
    # No connections for each request: there are as many whatever this is.
    monkeypatch.setenv("CONCURRENCY", "200")
    database.engine.cache_clear()
    migrate.upgrade()
    with database.transaction() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    yield
    engines.leave()


def insert(connection: sa.Connection, user_id: str, email: str = "") -> None:
    values = {"id": user_id, "email": email or f"{user_id}@example.com", "password_hash": "x"}
    connection.execute(users.insert().values(created_at=datetime.now(UTC), **values))


def rename(connection: sa.Connection, user_id: str) -> None:
    connection.execute(
        users.update().where(users.c.id == user_id).values(password_hash=threading.current_thread().name)
    )


def test_what_the_database_refuses_is_not_taken_for_an_outage() -> None:
    with pytest.raises(OperationalError), database.transaction() as connection:
        connection.execute(sa.text("INSERT INTO checkpoints VALUES ('no job', '{', '{}', NOW())"))


def test_the_models_are_what_the_migrations_make() -> None:
    command.check(migrate.config())


def test_every_step_can_be_taken_back_and_forth_with_what_was_told() -> None:
    with database.transaction() as connection:
        insert(connection, "u")
        about = {"job_id": "j", "kind": "k", "channel": "mail", "generation": 1, "user_id": "u"}
        connection.execute(notifications.insert().values(**about, claimed_at=datetime.now(UTC)))
    script = ScriptDirectory.from_config(migrate.config())
    endpoints = next(step for step in script.walk_revisions() if step.path.endswith("_endpoints.py"))
    command.downgrade(migrate.config(), str(endpoints.down_revision))
    migrate.upgrade()
    command.check(migrate.config())
    with database.reading() as connection:
        assert [row.endpoint for row in connection.execute(notifications.select())] == [""]
        assert sa.inspect(connection).get_pk_constraint("notifications")["constrained_columns"] == [
            column.name for column in notifications.primary_key
        ]


def test_a_session_is_strict_in_utc_and_reads_what_is_committed() -> None:
    with database.reading() as connection:
        mode, zone, level, charset = connection.exec_driver_sql(
            "SELECT @@sql_mode, @@time_zone, @@tx_isolation, @@character_set_connection"
        ).one()
    assert "STRICT_ALL_TABLES" in mode
    assert (zone, level, charset) == ("+00:00", "READ-COMMITTED", "utf8mb4")


def test_what_does_not_fit_is_refused_and_not_cut() -> None:
    with pytest.raises(sa.exc.DataError), database.transaction() as connection:
        insert(connection, "x" * 65)


def test_every_character_and_every_microsecond_comes_back() -> None:
    moment = datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=UTC)
    with database.transaction() as connection:
        connection.execute(users.insert().values(id="u", email="🎬@exämple.com", password_hash="x", created_at=moment))
    with database.reading() as connection:
        row = connection.execute(users.select()).one()
    assert (row.email, row.created_at) == ("🎬@exämple.com", moment)


def test_addresses_that_differ_in_case_or_accent_are_different_as_on_sqlite() -> None:
    with database.transaction() as connection:
        insert(connection, "1", "e@example.com")
        insert(connection, "2", "é@example.com")
        insert(connection, "3", "E@example.com")


def test_a_deadlock_is_tried_again_and_both_transactions_happen() -> None:
    with database.transaction() as connection:
        insert(connection, "a")
        insert(connection, "b")
    both_hold_one = threading.Barrier(2)
    runs: list[str] = []

    @database.transactional
    def cross(connection: sa.Connection, first: str, second: str) -> None:
        runs.append(first)
        rename(connection, first)
        if len(runs) <= 2:
            both_hold_one.wait(PATIENCE)
        rename(connection, second)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(cross, ("a", "b"), ("b", "a")))
    assert len(runs) == 3


def test_a_transaction_whose_connection_is_cut_is_tried_again() -> None:
    runs: list[int] = []

    @database.transactional
    def cut_once(connection: sa.Connection) -> None:
        runs.append(1)
        insert(connection, "u")
        if len(runs) == 1:
            kill(connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one())
        insert(connection, "v")

    cut_once()
    assert len(runs) == 2
    with database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(users)).scalar() == 2


def kill(connection_id: int) -> None:
    url = sa.make_url(str(database.engine().url))
    with pymysql.connect(host=url.host or "", port=url.port or 0, user="root") as other, other.cursor() as cursor:
        cursor.execute(f"KILL {connection_id}")


def test_a_commit_whose_outcome_is_unknown_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []

    @database.transactional
    def lost_at_commit(connection: sa.Connection) -> None:
        runs.append(1)
        insert(connection, "u")
        kill(connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one())

    with pytest.raises(DatabaseUnavailable):
        lost_at_commit()
    assert len(runs) == 1


def test_a_server_that_was_restarted_is_found_again(mariadb: MariaDB) -> None:
    database.ping()
    mariadb.stop()
    with pytest.raises(DatabaseUnavailable):
        database.ping()
    mariadb.start()
    database.ping()


def test_a_connection_is_asked_whether_it_is_there_only_when_it_was_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    ping = pymysql.Connection.ping

    def asking(*args: Any) -> None:
        asked.append(1)
        ping(*args)

    monkeypatch.setattr(pymysql.Connection, "ping", asking)

    def number() -> Any:
        with database.reading() as connection:
            return connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar()

    first = number()
    assert (number(), asked) == (first, [])
    monkeypatch.setattr("functions.shared.database.ASKED_AFTER_SECONDS", 0)
    assert (number(), asked) == (first, [1])
    kill(first)
    assert number() != first
    assert asked == [1, 1]


def test_there_are_never_more_connections_than_a_few_and_the_rest_wait() -> None:
    release, held = threading.Event(), threading.Semaphore(0)

    def hold(_: int) -> Any:
        with database.reading() as connection:
            held.release()
            release.wait(PATIENCE)
            return connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar()

    with ThreadPoolExecutor(5) as pool:
        running = [pool.submit(hold, number) for number in range(5)]
        for _ in range(database.CONNECTIONS):
            assert held.acquire(timeout=PATIENCE)
        assert not held.acquire(timeout=0.3)
        release.set()
        assert len({each.result() for each in running}) <= database.CONNECTIONS


def test_who_waits_too_long_for_a_connection_is_told_once_and_the_check_has_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database, "POOL_SECONDS", 0.1)
    database.engine.cache_clear()
    runs: list[int] = []

    @database.transactional
    def never(_connection: sa.Connection) -> None:
        runs.append(1)

    with ExitStack() as stack:
        for _ in range(database.CONNECTIONS):
            stack.enter_context(database.reading())
        # A lost connection would be tried again; whoever has waited for one has no time left for that.
        with pytest.raises(Unavailable, match="busy") as caught:
            never()
        assert not isinstance(caught.value, DatabaseUnavailable)
        database.ping()
    assert runs == []
    never()
