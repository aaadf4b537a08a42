"""Tokens that are sent by mail: whoever has one can read the mail of that address. Each is good once, and not for long.

The database has digests only, and so has the log: in mails a token stands behind the # of a link to the page, which
browsers keep to themselves.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from functions.shared import database
from functions.shared.problems import Problem
from functions.shared.tables import mailed_tokens as table
from functions.shared.tables import now

__all__ = ["Purpose", "forget", "invalid_link", "issue", "read", "spend"]


class Purpose(StrEnum):
    """What a token is for; the value is in the database."""

    REGISTER = "register"
    ADDRESS = "address"
    RESET = "reset"


LIFETIMES = {
    Purpose.REGISTER: timedelta(days=1),
    Purpose.ADDRESS: timedelta(days=1),
    # OWASP Forgot Password Cheat Sheet: a short time.
    Purpose.RESET: timedelta(minutes=30),
}


@database.transactional
def issue(
    connection: sa.Connection, purpose: Purpose, email: str, user_id: str | None, password_hash: str | None = None
) -> str:
    """A new token, for whoever gets it by mail. `password_hash` is that of an account to be made."""
    token = secrets.token_urlsafe(32)
    about = {"purpose": purpose, "email": email, "user_id": user_id, "password_hash": password_hash}
    ends = now() + LIFETIMES[purpose]
    connection.execute(table.insert().values(digest=_digest(token), expires_at=ends, **about))
    return token


def read(token: str, *purposes: Purpose) -> Any:
    """The row of a token that is good. Raises: Problem (400)."""
    good = (table.c.digest == _digest(token), table.c.purpose.in_(purposes), table.c.expires_at > now())
    with database.reading() as connection:
        row = connection.execute(table.select().where(*good)).one_or_none()
    if row is None:
        raise invalid_link()
    return row


def spend(connection: sa.Connection, row: Any) -> None:
    """Use a token up, in the transaction of its effect. Raises: Problem (400) when another has been faster."""
    good = (table.c.digest == row.digest, table.c.expires_at > now())
    if connection.execute(table.delete().where(*good)).rowcount != 1:
        raise invalid_link()


def forget(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> None:
    """Tokens that are good no more, in the caller's transaction."""
    connection.execute(table.delete().where(*which))


def invalid_link() -> Problem:
    """The problem of a token that is unknown, used up or over."""
    return Problem("invalid-link", "It is good once, and not for long. Ask for another mail.")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
