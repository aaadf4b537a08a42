"""The API keys of an account: made, listed, revoked."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from functions.login.key_shapes import MAX_KEYS, ApiKey, ApiKeyList, MadeApiKey, NewApiKey
from functions.shared import account_mails, api_keys, database, kinds, owners
from functions.shared.problems import Problem
from functions.shared.scopes import parse, written
from functions.shared.tables import api_keys as table
from functions.shared.tables import now
from functions.shared.views import rfc3339

__all__ = ["create", "every", "revoke"]


def create(user_id: str, new: NewApiKey) -> tuple[MadeApiKey, str]:
    """Make a key; what is answered is the only place where it is whole.

    Returns: it, and the event of the mail that tells of it. Raises: Problem (401, 409).
    """
    key = api_keys.make()
    values = {
        "id": uuid.uuid4().hex,
        "digest": api_keys.digest(key),
        "user_id": user_id,
        "name": new.name,
        "start": key[: api_keys.SHOWN],
        "scopes": written(new.scopes),
        "created_at": now(),
        "expires_at": new.expires_at,
    }
    event_id = _insert(values)
    return MadeApiKey(**_members(values), key=key), event_id


def every(user_id: str) -> ApiKeyList:
    """All keys of an account, newest first."""
    query = table.select().where(table.c.user_id == user_id).order_by(table.c.created_at.desc(), table.c.id)
    with database.reading() as connection:
        return ApiKeyList([ApiKey(**_members(row)) for row in connection.execute(query).mappings()])


@database.transactional
def revoke(connection: sa.Connection, user_id: str, key_id: str) -> None:
    """End a key: no request with it is answered any more. Raises: Problem (404), the same for another user's key."""
    mine = (table.c.id == key_id, table.c.user_id == user_id)
    if connection.execute(table.delete().where(*mine)).rowcount != 1:
        raise Problem("not-found", "You have no such API key.")


@database.transactional
def _insert(connection: sa.Connection, values: dict[str, Any]) -> str:
    # Or each of those who make keys at once would still see room for one.
    email = owners.hold(connection, values["user_id"]).email
    counted = sa.select(sa.func.count()).select_from(table).where(table.c.user_id == values["user_id"])
    if connection.execute(counted).scalar_one() >= MAX_KEYS:
        raise Problem("too-many-keys", f"An account has at most {MAX_KEYS} API keys; revoke one that is not used.")
    connection.execute(table.insert().values(values))
    return account_mails.write(connection, kinds.KEY_MADE, email, values["user_id"], said={"name": values["name"]})


def _members(row: Any) -> dict[str, Any]:
    instants = {name: _shown(row.get(name)) for name in ("created_at", "expires_at", "last_used_at")}
    scopes = written(parse(row["scopes"])).split()
    return {"id": row["id"], "name": row["name"], "start": row["start"], "scopes": scopes, **instants}


def _shown(instant: datetime | None) -> str | None:
    return rfc3339(instant) if instant else None
