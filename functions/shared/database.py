"""Rows: one engine per process, and the only ways to a connection. Nobody else knows which database it is."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InvalidatePoolError,
    OperationalError,
    TimeoutError,
)

from functions.shared import settings, table_types
from functions.shared.once import once
from functions.shared.problems import Unavailable

__all__ = [
    "CHECKING_CONNECTIONS",
    "CONNECTIONS",
    "DatabaseUnavailable",
    "answering",
    "code_of",
    "engine",
    "held",
    "insert_missing",
    "ping",
    "reading",
    "snapshot",
    "transaction",
    "transactional",
]

SQLITE_BUSY_SECONDS, SQLITE_CACHE_KIB = 30, 512
CONNECT_SECONDS, ANSWER_SECONDS, CHECK_SECONDS = 5, 30, 5
# A function may run in hundreds of pods, and a request holds a connection for milliseconds: a few are enough for as
# many requests as a pod takes. tests/contract/test_overlays.py adds them up.
CONNECTIONS, CHECKING_CONNECTIONS = 3, 1
# Below the timeoutSeconds of every Service, with room for the work itself.
POOL_SECONDS = 10
# Servers and the proxies before them drop connections that are idle for longer.
RECYCLE_SECONDS = 240
# A connection that has been idle for longer is asked whether it is still there before it is used: a round trip, which
# a job would pay for each of its transactions. One that is cut within this time costs one of them another try.
ASKED_AFTER_SECONDS = 1.0
TRIES, PAUSE_SECONDS = 4, 0.05
# PyMySQL calls every error that it does not know operational. These are about the data: too large a packet, values that
# are cut or wrong, text that is no text, JSON that is none, a broken CHECK (MySQL's, MariaDB's).
_REFUSALS = {1153, 1292, 1300, 1365, 1366, 1690, 3140, 3141, 3143, 3144, 3819, 4025}
# What MySQL's and MariaDB's defaults may differ in, and what must not: no silent truncation, no local time.
MYSQL_SESSION = (
    "SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'"
)


class DatabaseUnavailable(Unavailable):
    """The database does not answer, or undid a transaction."""


P = ParamSpec("P")
Result = TypeVar("Result")


@once
def engine() -> sa.Engine:
    """The process's engine for DATABASE_URL."""
    url = sa.make_url(settings.text("DATABASE_URL"))
    # An SQLite file is on the machine of all who use it: there is one clock.
    table_types.go_by(None)
    return _sqlite(url) if url.get_backend_name() == "sqlite" else _mysql(url)


@functools.lru_cache(1)
def _checker(work: sa.Engine) -> sa.Engine:
    """An engine for readiness alone: work that holds all connections is no reason to call the database away."""
    sqlite = work.url.get_backend_name() == "sqlite"
    return work if sqlite else _mysql(work.url, CHECKING_CONNECTIONS, CHECK_SECONDS)


def transactional(function: Callable[Concatenate[sa.Connection, P], Result]) -> Callable[P, Result]:
    """Run `function(connection, …)` in a transaction, and again when a deadlock or a lost connection undid it.

    The function must have no effect outside the database. A commit whose outcome is unknown is not repeated.
    Raises: Unavailable when the database does not answer.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> Result:
        for pause in _pauses():
            finished = False
            try:
                with transaction() as connection:
                    result = function(connection, *args, **kwargs)
                    finished = True
                return result
            except DatabaseUnavailable:
                if finished or pause is None:
                    raise
                time.sleep(pause)
        raise AssertionError("the last try raises")

    return run


@contextmanager
def transaction() -> Iterator[sa.Connection]:
    """A connection whose statements all happen, or none when the block raises. For blocks that must not be repeated.

    Raises: Unavailable when the database does not answer.
    """
    with answering(), engine().begin() as connection:
        yield connection


@contextmanager
def reading() -> Iterator[sa.Connection]:
    """A connection for reading only: on SQLite it does not wait for writers.

    Raises: Unavailable when the database does not answer.
    """
    with answering(), engine().connect().execution_options(reading=True) as connection:
        yield connection


@contextmanager
def snapshot() -> Iterator[sa.Connection]:
    """A connection for reading all tables as they are at one moment, however long it takes.

    Raises: Unavailable when the database does not answer.
    """
    # SQLite knows nothing else.
    level = {} if engine().url.get_backend_name() == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with answering(), engine().connect().execution_options(reading=True, **level) as connection:
        yield connection


def insert_missing(connection: sa.Connection, table: sa.Table, **values: Any) -> None:
    """Insert a row that this transaction looked for, and did not find.

    Raises: DatabaseUnavailable when another one has inserted it in the same moment: `transactional` begins again, and
    finds it then.
    """
    try:
        connection.execute(table.insert().values(**values))
    except IntegrityError as error:
        raise DatabaseUnavailable(f"another transaction has written to {table.name} in the same moment") from error


def held() -> sa.Connection:
    """A connection for whoever needs it all the time, and closes it; each statement of it is a transaction.

    Raises: Unavailable when the database does not answer.
    """
    with answering():
        return engine().connect().execution_options(isolation_level="AUTOCOMMIT")


def ping() -> None:
    """Raises: Unavailable when the database does not answer or has no tables yet."""
    with answering(), _checker(engine()).connect().execution_options(reading=True) as connection:
        connection.execute(sa.text("SELECT version_num FROM alembic_version"))


@contextmanager
def answering() -> Iterator[None]:
    """Raises: Unavailable when the database does not answer in the block, or DatabaseUnavailable, its kind."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        if _refuses(error):
            raise
        raise DatabaseUnavailable(f"the database does not answer: {error.orig}") from error
    except TimeoutError as error:
        # Not tried again: this has waited long enough.
        raise Unavailable("all connections to the database are busy") from error


def code_of(error: DatabaseUnavailable) -> int | None:
    """What MySQL's driver has as the number of an error."""
    return _code(error.__cause__) if isinstance(error.__cause__, DBAPIError) else None


def _refuses(error: DBAPIError) -> bool:
    """Whether the database is there and does not want what it was given: a later try gives the same."""
    return _code(error) in _REFUSALS


def _code(error: DBAPIError) -> int | None:
    arguments = error.orig.args if error.orig else ()
    code: int | None = arguments[0] if arguments else None
    return code


def _pauses() -> Iterator[float | None]:
    """How long to wait before each further try, in seconds; None after the last."""
    for attempt in range(TRIES - 1):
        yield PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.5)
    yield None


# What an error says gets into the log: addresses, names of files and digests of keys are among the parameters.
def _mysql(url: sa.URL, connections: int = CONNECTIONS, answer_seconds: int = ANSWER_SECONDS) -> sa.Engine:
    made = sa.create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        pool_recycle=RECYCLE_SECONDS,
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        connect_args={
            "charset": "utf8mb4",
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": answer_seconds,
            "write_timeout": answer_seconds,
            "init_command": MYSQL_SESSION,
        },
    )
    event.listen(made, "connect", _ask_time)
    event.listen(made, "checkin", _note_use)
    event.listen(made, "checkout", functools.partial(_ask, made.dialect))
    return made


def _ask_time(connection: Any, _record: Any) -> None:
    """Have `now` go by the clock of the database, which is the same for all processes, with each new connection."""
    with closing(connection.cursor()) as cursor:
        cursor.execute("SELECT UTC_TIMESTAMP(6)")
        table_types.go_by(cursor.fetchone()[0].replace(tzinfo=UTC))


def _note_use(_connection: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _ask(dialect: Any, connection: Any, record: Any, _proxy: Any) -> None:
    """Raises: InvalidatePoolError, which has the pool make new ones, when an idle connection is gone."""
    used = record.info.get("used")
    if used is None or time.monotonic() - used < ASKED_AFTER_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error


def _sqlite(url: sa.URL) -> sa.Engine:
    # The last connection to close writes the log back and deletes it, which takes longer than most transactions: some
    # are kept. Nobody waits for one: a file is no server that could have too many.
    made = sa.create_engine(
        url,
        pool_size=CONNECTIONS,
        max_overflow=-1,
        pool_use_lifo=True,
        hide_parameters=True,
        connect_args={"timeout": SQLITE_BUSY_SECONDS},
    )
    event.listen(made, "connect", _prepare_sqlite)
    event.listen(made, "begin", _begin_immediate)
    return made


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Python's driver would begin transactions late and deferred: two writers could both hold a read lock, and fail.
    connection.isolation_level = None
    # Its own knows ASCII alone.
    connection.create_function("lower", 1, lambda text: text and text.lower(), deterministic=True)
    # The file is in the kernel's memory, too: 2 MB of it again in each connection are not needed.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"cache_size=-{SQLITE_CACHE_KIB}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE")
