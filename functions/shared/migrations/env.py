"""Runs Alembic on the engine that the functions use."""

from __future__ import annotations

from alembic import context

from functions.shared.database import engine
from functions.shared.tables import metadata

with engine().connect() as connection:
    if connection.dialect.name == "sqlite":
        # SQLite takes a column away by making the table anew: the end of the old one must take no rows of others along.
        connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
    context.configure(connection=connection, target_metadata=metadata, compare_type=True, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
