"""What tables are made of: types that mean the same on every database."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

__all__ = ["BYTES", "ID", "SERIAL", "Instant", "clock", "go_by", "metadata", "now", "table"]

# An answer of the database is on its way for a moment; less than that is no reason to let time jump.
_TOLERANCE = timedelta(seconds=1)


class _Told:
    """What the database has said that time it was, and how long this machine had run by then, in seconds."""

    # One value: threads read it while another sets it.
    told: tuple[datetime, float] | None = None


def now() -> datetime:
    """The current time, aware, UTC: by the clock of the database, once that has been told (`go_by`).

    Of the clocks of processes, one may be wrong by hours.
    """
    if (told := _Told.told) is None:
        return datetime.now(UTC)
    return told[0] + timedelta(seconds=_uptime() - told[1])


def go_by(moment: datetime | None) -> None:
    """Take that for the current time, and go on counting from it; None for the clock of this process again."""
    if moment is None:
        _Told.told = None
    elif _Told.told is None or abs(moment - now()) > _TOLERANCE:
        _Told.told = (moment, _uptime())


def _uptime() -> float:
    # Nobody sets this one, and it goes on while a machine sleeps (clock_gettime(2)).
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware datetime, kept as UTC with microseconds. Databases disagree about time zones: none gets to see one."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        """MySQL's DATETIME drops fractions of a second unless told to keep them."""
        return dialect.type_descriptor(mysql.DATETIME(fsp=6) if dialect.name == "mysql" else sa.DateTime())

    def process_bind_param(self, value: datetime | None, _dialect: sa.Dialect) -> datetime | None:
        """Aware in Python, naive UTC in the database."""
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: sa.Dialect) -> datetime | None:
        """Naive UTC in the database, aware in Python."""
        return value and value.replace(tzinfo=UTC)


class _Clock(FunctionElement[datetime]):
    type = Instant()
    inherit_cache = True


def clock(seconds: int = 0) -> sa.ColumnElement[datetime]:
    """The time so many seconds from now by the clock of the database, for a statement.

    Leases are given and judged by this one: of the clocks of processes, one may be wrong by hours.
    """
    return _Clock(sa.literal(seconds, sa.Integer()))


@compiles(_Clock, "sqlite")
def _sqlite_clock(element: _Clock, compiler: Any, **options: Any) -> str:
    # As SQLAlchemy has it in the column: with six digits, so that texts are ordered as times are.
    seconds = compiler.process(element.clauses, **options)
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', {seconds} || ' seconds')"


@compiles(_Clock, "mysql")
def _mysql_clock(element: _Clock, compiler: Any, **options: Any) -> str:
    return f"(UTC_TIMESTAMP(6) + INTERVAL {compiler.process(element.clauses, **options)} SECOND)"


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
ID = sa.String(64)
BYTES = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def table(name: str, *items: Any, **options: Any) -> sa.Table[Any]:
    """A table with these columns and keys, which is the same on every database."""
    options |= {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
    made: sa.Table[Any] = sa.Table(name, metadata, *items, **options)
    return made
