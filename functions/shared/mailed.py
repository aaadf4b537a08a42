"""Tokens that are sent by mail: whoever has one can read the mail of that address. Each is good once, and not for long.

Nobody has a token before its mail is made: until then its row has a digest that no token has. It is made of the mail's
id and LINK_SECRET, so that two copies of one mail have the same link; the database has digests only, and nothing that a
token could be made of without the secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from functions.shared import database, settings
from functions.shared.problems import Problem
from functions.shared.tables import mailed_tokens as table
from functions.shared.tables import now

__all__ = ["Purpose", "forget", "invalid_link", "is_good", "issue", "mint", "read", "spend"]


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


def issue(
    connection: sa.Connection,
    purpose: Purpose,
    mail_id: str,
    email: str,
    user_id: str | None,
    password_hash: str | None = None,
) -> datetime:
    """Note what whoever gets this mail may do, in the caller's transaction. Returns: until when.

    `password_hash` is that of an account to be made.
    """
    about = {"purpose": purpose, "email": email, "user_id": user_id, "password_hash": password_hash}
    ends = now() + LIFETIMES[purpose]
    nobodys = secrets.token_hex(32)
    connection.execute(table.insert().values(digest=nobodys, mail_id=mail_id, expires_at=ends, **about))
    return ends


@database.transactional
def mint(connection: sa.Connection, mail_id: str) -> str | None:
    """The token for a mail that is about to leave, the same each time. Returns: None when it is good no more."""
    token = _made_for(mail_id)
    known = table.update().where(*_of(mail_id)).values(digest=_digest(token))
    return token if connection.execute(known).rowcount == 1 else None


def is_good(connection: sa.Connection, mail_id: str) -> bool:
    """Whether the token of a mail is, or would be, good."""
    return connection.execute(sa.select(table.c.digest).where(*_of(mail_id))).first() is not None


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


def _of(mail_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (table.c.mail_id == mail_id, table.c.expires_at > now())


def _made_for(mail_id: str) -> str:
    # Nothing else is made of LINK_SECRET by a text that begins so: JSON Web Tokens are signed by one in Base64.
    made = hmac.new(settings.required("LINK_SECRET").encode(), f"mailed-token\0{mail_id}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(made.digest()).rstrip(b"=").decode()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
