"""Whose an API key is. Each request looks its key up, so that one that is revoked is refused from then on."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from functions.shared import api_keys, database, scopes
from functions.shared.credentials import unauthenticated
from functions.shared.problems import Unavailable
from functions.shared.scopes import FOR_KEYS, Caller
from functions.shared.tables import api_keys as table
from functions.shared.tables import now

__all__ = ["LAST_USED_SECONDS", "holder"]

log = logging.getLogger(__name__)

# How exactly it is known when a key was last used: a write for each request would be dear.
LAST_USED_SECONDS = 60


def holder(key: str) -> Caller:
    """Who a request with this key is from. Raises: Problem (401) when the key is unknown, revoked, or over."""
    row = _found(api_keys.digest(key))
    if row is None:
        raise unauthenticated("There is no such API key; it may have been revoked.", "invalid_token")
    if row.expires_at is not None and row.expires_at <= now():
        raise unauthenticated("The API key has expired; make a new one at POST /v1/api-keys.", "invalid_token")
    if row.last_used_at is None or row.last_used_at < _lately():
        _try_to_note_use(row.id)
    until = row.expires_at.timestamp() if row.expires_at else None
    return Caller(row.user_id, scopes.parse(row.scopes) & FOR_KEYS, row.id, until)


def _found(digest: str) -> Any:
    with database.reading() as connection:
        return connection.execute(table.select().where(table.c.digest == digest)).one_or_none()


def _lately() -> Any:
    return now() - timedelta(seconds=LAST_USED_SECONDS)


def _try_to_note_use(key_id: str) -> None:
    # It is for people to look at: no request fails for it.
    try:
        _note_use(key_id)
    except Unavailable as error:
        log.warning("the use of an API key is not written down: %s", error)


@database.transactional
def _note_use(connection: sa.Connection, key_id: str) -> None:
    stale = sa.or_(table.c.last_used_at.is_(None), table.c.last_used_at < _lately())
    connection.execute(table.update().where(table.c.id == key_id, stale).values(last_used_at=now()))
