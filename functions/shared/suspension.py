"""Accounts that are closed to everybody: suspended by an operator, or deleted by their owners.

From then on nothing that they signed in with or were given is good; what is under way ends by itself. Of one that is
suspended, files and rows stay, and all is as before once it is resumed. Only sessions are over: who is resumed signs in
again. One that is deleted is so at once, and not only when sweep has deleted the last of it.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from functions.shared import audit, database, roles
from functions.shared.audit import Actor
from functions.shared.credentials import AccountGone
from functions.shared.problems import Problem
from functions.shared.tables import now, refresh_tokens, users

__all__ = ["check", "check_in", "closed", "resume", "suspend"]


def closed(user_id: Any) -> sa.ColumnElement[bool]:
    """The condition that the account of this id, which may be another table's column, is suspended or deleted."""
    account = users.alias("account")
    either = sa.or_(account.c.suspended_at.is_not(None), account.c.deleted_at.is_not(None))
    return sa.exists().where(account.c.id == user_id, either)


def check(user_id: str) -> None:
    """Refuse who is suspended, or has no account any more. Raises: Problem (401, 403), Unavailable."""
    with database.reading() as connection:
        check_in(connection, user_id)


def check_in(connection: sa.Connection, user_id: str) -> None:
    """As `check`, in the caller's transaction."""
    account = sa.select(users.c.suspended_at, users.c.deleted_at).where(users.c.id == user_id)
    row = connection.execute(account).one_or_none()
    if row is None or row.deleted_at is not None:
        raise AccountGone()
    if row.suspended_at is not None:
        raise Problem("account-suspended", "An operator has suspended this account.")


@database.transactional
def suspend(connection: sa.Connection, user_id: str, by: Actor, *, even_last: bool = False) -> bool:
    """Suspend an account, and end its sessions; one that is suspended stays so. Returns: whether there is one.

    Raises: Problem (409) when it is one's own, or, unless `even_last`, that of the last operator.
    """
    if by.name == user_id:
        raise Problem("operator-needed", "You cannot suspend yourself: another operator can.")
    if not even_last:
        roles.check_not_last(connection, user_id)
    if not _change(connection, user_id, users.c.suspended_at.is_(None), "user.suspended", by, now()):
        return _is_there(connection, user_id)
    connection.execute(refresh_tokens.delete().where(refresh_tokens.c.user_id == user_id))
    return True


@database.transactional
def resume(connection: sa.Connection, user_id: str, by: Actor) -> bool:
    """End that; an account that is not suspended stays as it is. Returns: whether there is such a one."""
    if not _change(connection, user_id, users.c.suspended_at.is_not(None), "user.resumed", by, None):
        return _is_there(connection, user_id)
    return True


def _change(
    connection: sa.Connection, user_id: str, before: sa.ColumnElement[bool], act: str, by: Actor, value: Any
) -> bool:
    mine = (users.c.id == user_id, users.c.deleted_at.is_(None), before)
    changed = connection.execute(users.update().where(*mine).values(suspended_at=value)).rowcount == 1
    if changed:
        audit.write(connection, by, act, {"user_id": user_id})
    return changed


def _is_there(connection: sa.Connection, user_id: str) -> bool:
    mine = (users.c.id == user_id, users.c.deleted_at.is_(None))
    return connection.execute(sa.select(users.c.id).where(*mine)).one_or_none() is not None
