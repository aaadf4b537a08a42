"""Accounts: an email address and a hash of the password. Made, read, changed, and marked to be deleted."""

from __future__ import annotations

import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from functions.login import passwords
from functions.login.shapes import Account, Quotas, Usage, User
from functions.shared import account_mails, attempts, database, kinds, languages, mailed, quotas
from functions.shared.attempts import PASSWORDS
from functions.shared.credentials import AccountGone
from functions.shared.languages import DEFAULT, Language
from functions.shared.problems import Problem
from functions.shared.tables import mailed_tokens, now, refresh_tokens, users
from functions.shared.views import rfc3339

__all__ = [
    "by_email",
    "check_password",
    "close",
    "create",
    "insert",
    "move",
    "prove",
    "read",
    "row",
    "set_password",
    "taken",
    "wrong_password",
]


def create(email: str, password: str, language: Language = DEFAULT) -> User:
    """Make an account, whose owner is written to in this language. Raises: Problem (409)."""
    password_hash = passwords.hash_of(password)
    try:
        return _create(email, password_hash, language)
    except IntegrityError:
        raise taken() from None


def insert(connection: sa.Connection, email: str, password_hash: str, language: Language) -> User:
    """Make an account, in the caller's transaction. Raises: IntegrityError when the address has one."""
    values: dict[str, Any] = {"id": uuid.uuid4().hex, "email": email, "password_hash": password_hash}
    values["created_at"] = now()
    connection.execute(users.insert().values(**values))
    languages.note(connection, values["id"], language)
    return _view(values)


def check_password(email: str, password: str) -> Any:
    """The row of the user with this email address and password.

    Raises: Problem (401), as late for unknown addresses; 429 after too many, known or not.
    """
    email = email.strip().lower()
    attempts.check(PASSWORDS, email)
    found = by_email(email)
    if not passwords.is_right(found and found.password_hash, password):
        raise Problem("invalid-credentials", "Check both and try again.", error="invalid_grant")
    _begin_anew(email)
    return found


def prove(user_id: str, password: str) -> Any:
    """The row of a signed-in user who knows the password. Raises: Problem (403, 429; 401 when it is gone)."""
    found = row(user_id)
    attempts.check(PASSWORDS, found.email)
    if not passwords.is_right(found.password_hash, password):
        raise wrong_password()
    _begin_anew(found.email)
    return found


def read(user_id: str) -> Account:
    """An account. Raises: Problem (401) when it is gone."""
    found = row(user_id)
    with database.reading() as connection:
        has, may = quotas.used(connection, user_id), quotas.allowed(connection, user_id)
    limits = Quotas(**{quota: limit or None for quota, limit in may.items()})
    return Account(found.id, found.email, rfc3339(found.created_at), Usage(**has), limits)


def row(user_id: str) -> Any:
    """The row of a user. Raises: Problem (401) when it is gone."""
    if (found := _row(users.c.id == user_id)) is None:
        raise AccountGone()
    return found


def by_email(email: str) -> Any:
    """The row of the user with this address, which is in lower case; or None."""
    return _row(users.c.email == email)


@database.transactional
def set_password(connection: sa.Connection, user: Any, password_hash: str, spent: Any = None) -> str:
    """Another password for the user of this row, by the row of a mailed token if it took one.

    The user is signed out everywhere, and all tokens that were mailed end. Returns: the event of the mail about it.
    Raises: Problem (403 when the password was changed meanwhile, 400 when the token is used up).
    """
    if spent is not None:
        mailed.spend(connection, spent)
    same = (users.c.id == user.id, users.c.password_hash == user.password_hash, users.c.deleted_at.is_(None))
    if connection.execute(users.update().where(*same).values(password_hash=password_hash)).rowcount != 1:
        raise Problem("wrong-password", "The password was changed a moment ago.")
    _end_all(connection, user.id)
    attempts.forget(connection, PASSWORDS, user.email)
    return account_mails.write(connection, kinds.PASSWORD_CHANGED, user.email, user.id)


def move(user: Any, email: str, spent: Any = None) -> tuple[User, str | None]:
    """Another address for the user of this row, by the row of a mailed token if it took one.

    Returns: the account, and the event of the mail to the former address, where addresses are confirmed.
    Raises: Problem (409; 400 when the token is used up).
    """
    try:
        event_id = _move(user, email, spent)
    except IntegrityError:
        raise taken() from None
    return read(user.id), event_id


def close(user: Any) -> str:
    """Mark an account as deleted: from now on nobody can sign in, and its address is free. Sweep deletes the rest.

    Returns: the event of the mail about it. Raises: Problem (401) when it was deleted meanwhile.
    """
    return _close(user, languages.of(user.id))


def wrong_password() -> Problem:
    """The problem of whoever is signed in, or has a link, and does not know the password."""
    return Problem("wrong-password", "Enter the password of the account.")


def taken() -> Problem:
    """The problem of an address that another account has."""
    return Problem("email-taken", "Sign in with this address, or use another one.")


@database.transactional
def _create(connection: sa.Connection, email: str, password_hash: str, language: Language) -> User:
    return insert(connection, email, password_hash, language)


@database.transactional
def _move(connection: sa.Connection, user: Any, email: str, spent: Any) -> str | None:
    if spent is not None:
        mailed.spend(connection, spent)
    connection.execute(users.update().where(users.c.id == user.id, users.c.deleted_at.is_(None)).values(email=email))
    # Also those that whoever reads the mail of the former address may still have.
    mailed.forget(connection, mailed_tokens.c.user_id == user.id)
    return account_mails.write(connection, kinds.ADDRESS_CHANGED, user.email, user.id) if spent is not None else None


@database.transactional
def _close(connection: sa.Connection, user: Any, language: Language) -> str:
    # Not an address, so that no mail goes there, and nobody registers it.
    values = {"email": f"deleted-{user.id}", "password_hash": passwords.unknown(), "deleted_at": now()}
    this = (users.c.id == user.id, users.c.deleted_at.is_(None))
    if not connection.execute(users.update().where(*this).values(**values)).rowcount:
        # Another request was faster, and its mail is enough.
        raise AccountGone()
    _end_all(connection, user.id)
    account_mails.forget(connection, user.id)
    # Nobody's notice: the mail may have to wait for longer than the account's rows are there.
    return account_mails.write(connection, kinds.DELETED, user.email, language=language)


@database.transactional
def _begin_anew(connection: sa.Connection, email: str) -> None:
    attempts.forget(connection, PASSWORDS, email)


def _end_all(connection: sa.Connection, user_id: str) -> None:
    # The row of the user is this transaction's by now: a refresh and a sign-in wait for it, and look again.
    connection.execute(refresh_tokens.delete().where(refresh_tokens.c.user_id == user_id))
    mailed.forget(connection, mailed_tokens.c.user_id == user_id)


def _row(which: sa.ColumnElement[bool]) -> Any:
    with database.reading() as connection:
        return connection.execute(users.select().where(which, users.c.deleted_at.is_(None))).one_or_none()


def _view(values: Any) -> User:
    return User(values["id"], values["email"], rfc3339(values["created_at"]))
