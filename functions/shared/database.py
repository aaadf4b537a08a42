"""Rows: one engine per process, and the one way to a transaction. Nothing here is particular to one database."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.pool import NullPool

from functions.shared import settings
from functions.shared.problems import Unavailable

__all__ = ["ping", "reading", "transaction"]

SQLITE_BUSY_SECONDS = 30


@functools.cache
def engine() -> sa.Engine:
    """The process's engine for DATABASE_URL."""
    url = sa.make_url(settings.text("DATABASE_URL"))
    return _sqlite(url) if url.get_backend_name() == "sqlite" else _mysql(url)


@contextmanager
def transaction() -> Iterator[sa.Connection]:
    """A connection whose statements all happen, or none when the block raises.

    Raises: Unavailable when the database does not answer.
    """
    with _answering(), engine().begin() as connection:
        yield connection


@contextmanager
def reading() -> Iterator[sa.Connection]:
    """A connection for reading only: on SQLite it does not wait for writers.

    Raises: Unavailable when the database does not answer.
    """
    with _answering(), engine().connect().execution_options(reading=True) as connection:
        yield connection


def ping() -> None:
    """Raises: Unavailable when the database does not answer or has no tables yet."""
    with reading() as connection:
        connection.execute(sa.text("SELECT version_num FROM alembic_version"))


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise Unavailable(f"the database does not answer: {error.orig}") from error


def _mysql(url: sa.URL) -> sa.Engine:
    # A function handles few requests at a time: connections are kept only for those, and checked before use.
    return sa.create_engine(
        url,
        pool_size=settings.number("CONCURRENCY"),
        max_overflow=0,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
    )


def _sqlite(url: sa.URL) -> sa.Engine:
    made = sa.create_engine(url, poolclass=NullPool, connect_args={"timeout": SQLITE_BUSY_SECONDS})
    event.listen(made, "connect", _prepare_sqlite)
    event.listen(made, "begin", _begin_immediate)
    return made


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Python's driver would begin transactions late and deferred: two writers could both hold a read lock, and fail.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE")
