"""Brings the tables to the newest revision: `python -m functions.shared.migrate`, before a rollout, by a Job.

It waits for two minutes for a database that starts at the same time.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from functions.shared import database, settings
from functions.shared.database import DatabaseUnavailable
from functions.shared.problems import Unavailable

__all__ = ["config", "main", "upgrade"]

# Four times this, as often as the Job is tried, is within its deadline.
WAIT_SECONDS, PAUSE_SECONDS = 120, 2
# What PyMySQL says of a server that cannot be reached (from CR_UNKNOWN_ERROR on), that has too many connections, or
# ends (MySQL's error reference). A wrong password, say, stays wrong.
CLIENT_ERRORS, AWAY = 2000, (1040, 1053)


def config() -> Config:
    """Alembic's configuration; there is no alembic.ini."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    return made


def upgrade() -> None:
    """Run every migration that the database at DATABASE_URL has not seen. Safe to repeat."""
    url = sa.make_url(settings.text("DATABASE_URL"))
    if url.get_backend_name() == "sqlite" and url.database:
        os.makedirs(os.path.dirname(url.database) or ".", exist_ok=True)
    command.upgrade(config(), "head")


def main() -> None:
    """The command line. The exit status is 1, with one message, when the database cannot be reached."""
    about = (__doc__ or "").partition("\n")[0]
    argparse.ArgumentParser(prog="python -m functions.shared.migrate", description=about).parse_args()
    try:
        _wait()
        upgrade()
    except Unavailable as error:
        sys.exit(f"audiolift: {error}. Is DATABASE_URL right, and the database there?")


def _wait() -> None:
    """Until the database answers. Raises: Unavailable when it does not in time, or refuses."""
    ends = time.monotonic() + WAIT_SECONDS
    while error := _missing():
        if not _is_away(error) or time.monotonic() > ends:
            raise error
        print(f"waiting for the database: {error}", file=sys.stderr, flush=True)
        time.sleep(PAUSE_SECONDS)


def _missing() -> DatabaseUnavailable | None:
    if database.engine().url.get_backend_name() == "sqlite":
        return None
    try:
        with database.reading() as connection:
            connection.execute(sa.text("SELECT 1"))
    except DatabaseUnavailable as error:
        return error
    return None


def _is_away(error: DatabaseUnavailable) -> bool:
    code = database.code_of(error)
    return code is not None and (code >= CLIENT_ERRORS or code in AWAY)


if __name__ == "__main__":
    main()
