"""Deletes rows that have done their duty."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from functions.shared import database, settings
from functions.shared.tables import now, outbox, refresh_tokens

__all__ = ["forget"]


@database.transactional
def forget(connection: sa.Connection) -> None:
    """Refresh tokens that have expired, and events whose effect is long in the database."""
    settled = now() - timedelta(seconds=settings.number("RETENTION_SECONDS"))
    connection.execute(refresh_tokens.delete().where(refresh_tokens.c.expires_at < now()))
    connection.execute(outbox.delete().where(outbox.c.settled_at < settled))
