"""Backs up rows and files to one consistent point: `python -m functions.sweep.backup DIRECTORY`, or brings both back.

Everything goes on meanwhile. From before the rows are read until all files are copied, no file is deleted
(unwanted.py): so each file that one of these rows needs is there to be copied. With --restore, they are written into
empty stores; what was at work is taken up there.
"""

from __future__ import annotations

import argparse
import json
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from functions.shared import blobs, database, migrate, settings, unwanted
from functions.shared.blobs import NoSuchBlob
from functions.shared.problems import Unavailable
from functions.shared.tables import Instant, chores, metadata, outbox, users

__all__ = ["NotEmpty", "back_up", "main", "restore"]

ROWS = 500
# Chores are due, in other stores.
_TABLES = [table for table in metadata.sorted_tables if table is not chores]


class NotEmpty(Exception):
    """There is something already, or the tables are those of another release; the message says what."""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m functions.sweep.backup", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--restore", action="store_true", help="bring back what is there, into empty stores")
    chosen = parser.parse_args()
    try:
        settings.check()
        rows, files = (restore if chosen.restore else back_up)(chosen.directory)
    except (NotEmpty, OSError, settings.SettingError, Unavailable) as error:
        sys.exit(f"audiolift: {error}")
    print(f"{rows:,} rows and {files:,} files {'brought back' if chosen.restore else 'backed up'}")


def back_up(directory: Path) -> tuple[int, int]:
    """Write all rows, and then all files, into a new directory. Returns: how many. Raises: NotEmpty, Unavailable."""
    if directory.exists() and any(directory.iterdir()):
        raise NotEmpty(f"{directory} is not empty")
    directory.mkdir(parents=True, exist_ok=True)
    # Addresses, digests of passwords, and whatever people have sent.
    directory.chmod(0o700)
    with unwanted.kept() as keep:
        rows = _write_rows(directory, keep)
        return rows, sum(_write_file(directory / "files", blob.name, keep) for blob in blobs.store().all())


def restore(directory: Path) -> tuple[int, int]:
    """Write what `back_up` has written into empty stores, the files first. Returns: how many of both.

    Raises: NotEmpty, Unavailable.
    """
    migrate.upgrade()
    if (there := _revision()) != (made := (directory / "revision").read_text()):
        raise NotEmpty(
            f"the backup has tables of revision {made}, and these are of {there}: use the release that made it"
        )
    if any(blobs.store().all()) or _has_users():
        raise NotEmpty("the database or the file store is not empty")
    files = sum(_read_file(path, f"{path.parent.name}/{path.name}") for path in (directory / "files").glob("*/*"))
    return _read_rows(directory), files


def _write_rows(directory: Path, keep: Callable[[], None]) -> int:
    """All tables as they are at one moment."""
    (directory / "revision").write_text(_revision())
    count = 0
    with database.snapshot() as connection:
        for table in _TABLES:
            with (directory / f"{table.name}.jsonl").open("w", encoding="utf-8") as file:
                for row in connection.execution_options(yield_per=ROWS).execute(table.select()).mappings():
                    file.write(json.dumps({name: _plain(value) for name, value in row.items()}) + "\n")
                    count += 1
                    keep()
    return count


def _write_file(files: Path, name: str, keep: Callable[[], None]) -> bool:
    """Returns: whether it was still there: what no row needs may go at any moment."""
    path = files / name
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("wb") as copy:
            for data in blobs.store().read(name, 0, blobs.store().size(name)):
                copy.write(data)
                keep()
    except NoSuchBlob:
        path.unlink()
        return False
    return True


def _read_file(path: Path, name: str) -> bool:
    with path.open("rb") as copy, blobs.store().writing(name) as writer:
        while data := copy.read(1024 * 1024):
            writer.write(data)
    return True


def _read_rows(directory: Path) -> int:
    """In one transaction: there are all, or none."""
    with database.transaction() as connection:
        count = 0
        for table in _TABLES:
            # What a migration has written into it.
            connection.execute(table.delete())
            for rows in _batches(directory / f"{table.name}.jsonl", table):
                connection.execute(table.insert(), rows)
                count += len(rows)
        # Whatever was on its way is not in this broker: the next tick sends it.
        connection.execute(outbox.update().where(outbox.c.settled_at.is_(None)).values(sent_at=None))
        return count


def _batches(path: Path, table: sa.Table[Any]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            batch.append({name: _value(table.c[name], value) for name, value in json.loads(line).items()})
            if len(batch) == ROWS:
                yield batch
                batch = []
    if batch:
        yield batch


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return value.isoformat() if isinstance(value, date) else value


def _value(column: sa.Column[Any], plain: Any) -> Any:
    if plain is None:
        # A column that has to have a value has JSON's null.
        return None if column.nullable else sa.JSON.NULL
    if isinstance(column.type, Instant):
        return datetime.fromisoformat(plain)
    if isinstance(column.type, sa.Date):
        return date.fromisoformat(plain)
    return b64decode(plain) if isinstance(column.type, sa.LargeBinary) else plain


def _revision() -> str:
    with database.reading() as connection:
        return str(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one())


def _has_users() -> bool:
    with database.reading() as connection:
        return connection.execute(sa.select(users.c.id).limit(1)).first() is not None


if __name__ == "__main__":
    main()
