"""Brings the tables to the newest revision: `python -m functions.shared.migrate`, before a rollout, by a Job."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from functions.shared import settings

__all__ = ["config", "main", "upgrade"]


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
    """The command line."""
    argparse.ArgumentParser(prog="python -m functions.shared.migrate", description=__doc__).parse_args()
    upgrade()


if __name__ == "__main__":
    main()
