"""Runs Alembic on the engine that the functions use."""

from __future__ import annotations

from alembic import context

from functions.shared.database import engine
from functions.shared.tables import metadata

with engine().connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
