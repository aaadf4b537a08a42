"""Real stores for the tests of single modules: migrated tables, a directory of blobs, a sink, keys."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.login import keys
from functions.shared import blobs, database, migrate
from functions.shared.blobs import Blobs
from functions.shared.tables import metadata
from tests import engines
from tests.servers import MariaDB
from tests.unit import login, rows
from tests.unit.receiver import Receiver
from tests.unit.sink import Sink
from tests.unit.smtp import Server


@pytest.fixture(scope="session")
def sqlite_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the newest tables, to be copied."""
    path = tmp_path_factory.mktemp("tables") / "empty.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def mariadb_tables(mariadb: MariaDB) -> str:
    """The URL of a database with the newest tables, to be emptied."""
    url = mariadb.create("unit")
    _migrate(url)
    return url


@pytest.fixture(params=["sqlite", "mariadb"])
def tables(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Empty tables, which the functions find by DATABASE_URL; every test that asks for them runs on each database."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("sqlite_tables"), tmp_path / "audiolift.db")
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{path}")
    else:
        monkeypatch.setenv("DATABASE_URL", request.getfixturevalue("mariadb_tables"))
    database.engine.cache_clear()
    if request.param == "mariadb":
        _empty()
    yield
    engines.leave()


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


@pytest.fixture
def mails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory where mails are kept."""
    monkeypatch.setenv("SMTP_URL", f"file:{tmp_path / 'mail'}")
    return tmp_path / "mail"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The mail server that mails are sent by."""
    with Server() as running:
        monkeypatch.setenv("SMTP_URL", f"smtp://{running.place}")
        yield running


@pytest.fixture
def broker(tables: None, secrets: dict[str, str], server: Server) -> None:
    """Brings the events of mails about accounts to notify, before a test looks at what was mailed."""
    server.before_a_look = login.carry


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """An HTTP server that takes what is posted to it."""
    with Receiver() as running:
        yield running


@pytest.fixture
def anna(tables: None) -> str:
    """The id of anna@example.com."""
    return rows.user("anna@example.com")


def _migrate(url: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        database.engine.cache_clear()
        migrate.upgrade()
        engines.leave()


def _empty() -> None:
    with database.transaction() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
