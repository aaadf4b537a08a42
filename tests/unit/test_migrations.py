"""functions/shared/migrations: from nothing to the newest tables, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy.exc import IntegrityError

from functions.shared import database, migrate
from functions.shared.problems import Unavailable
from functions.shared.tables import metadata
from functions.sweep import chores
from tests.unit import rows


@pytest.fixture(autouse=True)
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A database that is not there yet, in a directory that is not there yet."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'new' / 'audiolift.db'}")
    database.engine.cache_clear()
    yield
    database.engine.cache_clear()


def test_every_table_is_made_from_nothing() -> None:
    migrate.upgrade()
    assert names() == {*metadata.tables, "alembic_version"}


def test_the_tables_are_those_that_the_functions_speak_of() -> None:
    migrate.upgrade()
    command.check(migrate.config())


def test_running_it_again_changes_nothing() -> None:
    migrate.upgrade()
    migrate.upgrade()
    database.ping()


def test_every_step_can_be_taken_back_and_forth() -> None:
    steps = list(ScriptDirectory.from_config(migrate.config()).walk_revisions())
    migrate.upgrade()
    for step in steps:
        command.downgrade(migrate.config(), "-1")
        command.upgrade(migrate.config(), step.revision)
        command.downgrade(migrate.config(), "-1")
    assert names() == {"alembic_version"}
    migrate.upgrade()
    command.check(migrate.config())


def test_no_step_there_or_back_takes_rows_along() -> None:
    migrate.upgrade()
    job = rows.job("done")
    rows.event(job)
    steps = list(ScriptDirectory.from_config(migrate.config()).walk_revisions())[:-1]
    for step in steps:
        command.downgrade(migrate.config(), str(step.down_revision))
        assert counts() == [1, 1, 1], step.path
    for step in reversed(steps):
        command.upgrade(migrate.config(), step.revision)
        assert counts() == [1, 1, 1], step.path


def test_the_release_before_goes_on_writing_while_the_new_tables_are_there() -> None:
    """A migration runs before a rollout: the columns that it adds are none that an INSERT must name."""
    migrate.upgrade()
    command.downgrade(migrate.config(), "base")
    script = ScriptDirectory.from_config(migrate.config())
    for step in reversed(list(script.walk_revisions())):
        before = columns()
        command.upgrade(migrate.config(), step.revision)
        added = {name: column for name, column in columns().items() if name not in before and name[0] in tables(before)}
        assert [name for name, column in added.items() if not column["nullable"] and column["default"] is None] == []


def test_what_owners_were_told_is_kept_when_endpoints_come_and_when_they_go() -> None:
    script = ScriptDirectory.from_config(migrate.config())
    endpoints = next(step for step in script.walk_revisions() if step.path.endswith("_endpoints.py"))
    migrate.upgrade()
    command.downgrade(migrate.config(), str(endpoints.down_revision))
    with database.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO users VALUES ('u', 'e@example.com', '-', '2026-01-01 00:00:00')")
        connection.exec_driver_sql(TOLD)
    command.upgrade(migrate.config(), endpoints.revision)
    told = "SELECT job_id, channel, generation, endpoint, user_id, sent_at FROM notifications"
    with database.reading() as connection:
        assert [*connection.exec_driver_sql(told).one()] == ["j", "mail", 1, "", "u", "2026-01-01 00:00:00"]
    with database.transaction() as connection, pytest.raises(IntegrityError):
        connection.exec_driver_sql(TOLD)
    command.downgrade(migrate.config(), str(endpoints.down_revision))
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM notifications").scalar() == 1


def test_a_sweep_that_knows_no_mails_about_accounts_deletes_nothing_of_theirs_in_a_rollout() -> None:
    migrate.upgrade()
    command.downgrade(migrate.config(), "0023")
    rows.user()
    migrate.upgrade()
    ran: list[str] = []
    # As it looks for rows about nothing, each hour; a downgrade lets it.
    chores.run("strays", 3600, lambda: ran.append("too early"))
    command.downgrade(migrate.config(), "0023")
    chores.run("strays", 3600, lambda: ran.append("taken back"))
    assert ran == ["taken back"]


def test_there_is_one_line_of_revisions() -> None:
    assert len(ScriptDirectory.from_config(migrate.config()).get_heads()) == 1


def test_a_database_without_tables_is_not_ready(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        database.ping()
    (tmp_path / "new").mkdir()
    with pytest.raises(Unavailable):
        database.ping()


TOLD = (
    "INSERT INTO notifications (job_id, kind, channel, generation, user_id, claimed_at, sent_at)"
    " VALUES ('j', 'k', 'mail', 1, 'u', '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
)


def counts() -> list[Any]:
    """Of users, jobs, and what hangs on jobs."""
    with database.reading() as connection:
        tables = ("users", "jobs", "job_events")
        return [connection.exec_driver_sql(f"SELECT COUNT(*) FROM {table}").scalar() for table in tables]


def columns() -> dict[tuple[str, str], Any]:
    """Every column, by table and name."""
    with database.engine().connect() as connection:
        looked = sa.inspect(connection)
        return {
            (table, column["name"]): column
            for table in looked.get_table_names()
            for column in looked.get_columns(table)
        }


def tables(found: Iterable[tuple[str, str]]) -> set[str]:
    return {table for table, _ in found}


def names() -> set[str]:
    with database.reading() as connection:
        return set(sa.inspect(connection).get_table_names()) - {"sqlite_sequence"}
