"""Lists operators: `python -m functions.login.operators`; or makes a user one (--grant), or no longer (--revoke)."""

from __future__ import annotations

import argparse
import sys

import sqlalchemy as sa

from functions.shared import audit, database, roles, settings
from functions.shared.audit import COMMAND_LINE
from functions.shared.problems import Problem, Unavailable
from functions.shared.tables import now, operators, users

__all__ = ["every", "grant", "main", "revoke"]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m functions.login.operators", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--grant", metavar="EMAIL", help="make the user with this email address an operator")
    which.add_argument("--revoke", metavar="EMAIL", help="end that; what is signed in has no more say from then on")
    parser.add_argument("--even-last", action="store_true", help="revoke also when there is no other operator then")
    chosen = parser.parse_args()
    try:
        settings.check()
        _do(chosen)
    except (settings.SettingError, Problem, Unavailable) as error:
        sys.exit(f"audiolift: {error}")


def every() -> list[str]:
    """The email addresses of all operators."""
    query = sa.select(users.c.email).join(operators, operators.c.user_id == users.c.id).order_by(users.c.email)
    with database.reading() as connection:
        return list(connection.execute(query).scalars())


@database.transactional
def grant(connection: sa.Connection, email: str) -> bool:
    """Make somebody an operator; who is one stays one. Returns: whether there is such a user."""
    user_id = _user_of(connection, email)
    if user_id is None:
        return False
    already = operators.select().where(operators.c.user_id == user_id)
    if connection.execute(already).one_or_none() is None:
        database.insert_missing(connection, operators, user_id=user_id, granted_at=now())
        audit.write(connection, COMMAND_LINE, "operator.granted", {"user_id": user_id})
    return True


@database.transactional
def revoke(connection: sa.Connection, email: str, *, even_last: bool = False) -> bool:
    """Have an operator be one no longer. Returns: whether somebody was.

    Raises: Problem (409) when there is no other, unless `even_last`.
    """
    user_id = _user_of(connection, email)
    if user_id and not even_last:
        roles.check_not_last(connection, user_id)
    ended = connection.execute(operators.delete().where(operators.c.user_id == user_id)).rowcount == 1
    if ended:
        audit.write(connection, COMMAND_LINE, "operator.revoked", {"user_id": user_id})
    return ended


def _user_of(connection: sa.Connection, email: str) -> str | None:
    found = sa.select(users.c.id).where(users.c.email == email.strip().lower())
    return connection.execute(found).scalar_one_or_none()


def _do(chosen: argparse.Namespace) -> None:
    if chosen.grant:
        if not grant(chosen.grant):
            sys.exit("There is no account with this email address; register first.")
        return print("They are an operator now; the next sign-in says so.")
    if chosen.revoke:
        if not revoke(chosen.revoke, even_last=chosen.even_last):
            sys.exit("Nobody with this email address is an operator.")
        return print("They are no operator any more.")
    return print("\n".join(every()) or "There are no operators.")


if __name__ == "__main__":
    main()
