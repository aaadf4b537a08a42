"""Sessions: what a sign-in leads to. One is a family of refresh tokens, of which the one that is unused is alive."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from functions.login.shapes import Session, SessionList
from functions.shared import database, owners
from functions.shared.credentials import AccountGone
from functions.shared.problems import Problem
from functions.shared.tables import now, refresh_tokens
from functions.shared.views import rfc3339

__all__ = ["cleaned", "end", "end_every", "end_one", "held_hash", "list_of"]

MAX_AGENT, MOST = 200, 100


def list_of(user_id: str) -> SessionList:
    """The sessions of a user that are alive, those that were used last first, 100 at most."""
    alive = (refresh_tokens.c.user_id == user_id, refresh_tokens.c.used_at.is_(None))
    query = refresh_tokens.select().where(*alive, refresh_tokens.c.expires_at > now())
    with database.reading() as connection:
        found = connection.execute(query.order_by(refresh_tokens.c.expires_at.desc()).limit(MOST)).all()
    # Of a browser's, several tokens may be alive.
    newest = {row.family: row for row in reversed(found)}
    return SessionList([_view(row) for row in reversed(newest.values())])


@database.transactional
def end_one(connection: sa.Connection, user_id: str, session_id: str) -> None:
    """End a session of a user. Raises: Problem (404), the same for another user's session and for none."""
    owners.hold(connection, user_id)
    if not end(connection, refresh_tokens.c.user_id == user_id, refresh_tokens.c.family == session_id):
        raise Problem("not-found", "You have no such session.")


@database.transactional
def end_every(connection: sa.Connection, user_id: str) -> None:
    """Sign a user out everywhere."""
    owners.hold(connection, user_id)
    end(connection, refresh_tokens.c.user_id == user_id)


def end(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> int:
    """End sessions, in the caller's transaction. Returns: how many tokens there were."""
    return connection.execute(refresh_tokens.delete().where(*which)).rowcount


def held_hash(connection: sa.Connection, user_id: str) -> str | None:
    """The password's hash of a user, whose sessions nobody else begins, renews or ends before this transaction does.

    Otherwise a token that is being renewed could have a successor that outlives the end of all sessions. None when
    the account is gone.
    """
    with suppress(AccountGone):
        return str(owners.hold(connection, user_id).password_hash)
    return None


def cleaned(user_agent: str) -> str:
    """What a program says that it is, cut to 200 characters that can be shown."""
    return "".join(character for character in user_agent if character.isprintable())[:MAX_AGENT]


def _view(row: Any) -> Session:
    begun, used = (moment and rfc3339(moment) for moment in (row.signed_in_at, row.issued_at))
    return Session(row.family, begun, used, row.user_agent or "")
