"""Who is an operator. The role is given and taken by command line alone: functions/login/operators.py."""

from __future__ import annotations

import sqlalchemy as sa

from functions.shared import database
from functions.shared.problems import Problem
from functions.shared.scopes import OF_A_PERSON, Scope, demand
from functions.shared.tables import operators, users

__all__ = ["check_not_last", "check_operator", "is_operator", "scopes_of"]


def is_operator(connection: sa.Connection, user_id: str) -> bool:
    """Whether a user is an operator now."""
    found = connection.execute(operators.select().where(operators.c.user_id == user_id))
    return found.one_or_none() is not None


def scopes_of(connection: sa.Connection, user_id: str) -> frozenset[Scope]:
    """All that a user may who signs in."""
    return OF_A_PERSON | ({Scope.ADMIN} if is_operator(connection, user_id) else set())


def check_not_last(connection: sa.Connection, user_id: str) -> None:
    """Refuse to take the last operator away who is not suspended. Of two who take each other away, one is refused.

    Raises: Problem (409).
    """
    if not is_operator(connection, user_id):
        return
    able = sa.and_(users.c.suspended_at.is_(None), users.c.deleted_at.is_(None))
    query = sa.select(users.c.id).join(operators, operators.c.user_id == users.c.id).where(able).order_by(users.c.id)
    if connection.execute(query.with_for_update()).scalars().all() == [user_id]:
        raise Problem("operator-needed", "There is no other operator: make somebody else one first.")


def check_operator(user_id: str) -> None:
    """Refuse who is no operator, or no longer, whatever a token says. Raises: Problem (403)."""
    with database.reading() as connection:
        demand(Scope.ADMIN, scopes_of(connection, user_id))
