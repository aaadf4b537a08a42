"""Real stores for the tests of single modules: migrated tables, a directory of blobs, a sink, keys."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from functions.login import keys
from functions.shared import blobs, database, migrate
from functions.shared.blobs import Blobs
from functions.shared.tables import metadata
from tests.unit.sink import Sink


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> sa.URL:
    """A database with the newest tables: on the server that DATABASE_URL names, else in an SQLite file."""
    given = os.environ.get("DATABASE_URL")
    url = _own_database(given, worker_id) if given else _file(tmp_path_factory.mktemp("tables") / "empty.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
        database.engine.cache_clear()
        migrate.upgrade()
        database.engine().dispose()
        database.engine.cache_clear()
    return url


@pytest.fixture
def tables(migrated: sa.URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Empty tables, which the functions find by DATABASE_URL."""
    sqlite = migrated.get_backend_name() == "sqlite"
    url = _file(tmp_path / "audiolift.db") if sqlite else migrated
    if sqlite:
        shutil.copy(str(migrated.database), str(url.database))
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    database.engine.cache_clear()
    if not sqlite:
        _empty()
    yield
    database.engine().dispose()
    database.engine.cache_clear()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Blobs]:
    """An empty blob store, which the functions find by BLOBS_URL."""
    monkeypatch.setenv("BLOBS_URL", f"file:{tmp_path / 'blobs'}")
    blobs.store.cache_clear()
    yield blobs.store()
    blobs.store.cache_clear()


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    """The sink that K_SINK names: an HTTP server that keeps the events it takes."""
    with Sink() as running:
        monkeypatch.setenv("K_SINK", running.url)
        yield running


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """New keys, which the functions find in their environment."""
    made = keys.make()
    for name, value in made.items():
        monkeypatch.setenv(name.upper().replace("-", "_"), value)
    return made


def _file(path: Path) -> sa.URL:
    return sa.URL.create("sqlite", database=str(path))


def _empty() -> None:
    with database.transaction() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())


def _own_database(given: str, worker_id: str) -> sa.URL:
    server = sa.make_url(given)
    name = f"{server.database}_{worker_id}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}")
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return server.set(database=name)
