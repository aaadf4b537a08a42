"""What takes a mail: registering where addresses are confirmed, a new address, and a forgotten password.

Nobody learns whether there is an account: the same rows are written, and the same is answered, for known addresses and
unknown ones; only the owner of the address gets another mail.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from functions.login import accounts, passwords, policy
from functions.login.shapes import User
from functions.shared import account_mails, attempts, database, kinds, languages, mailed
from functions.shared.attempts import MAILS, PASSWORDS, RESETS
from functions.shared.languages import Language
from functions.shared.mailed import Purpose
from functions.shared.tables import mailed_tokens

__all__ = ["change_address", "change_password", "confirm", "forgot", "register", "reset"]


def register(email: str, password: str, language: Language) -> str | None:
    """Note an account to be made. Returns: the event of the mail about it; None after too many.

    `language` is that of whoever asks; the owner of an account that there is has one already.
    """
    password_hash = passwords.hash_of(password)
    if attempts.seconds_left(MAILS, email):
        return None
    return _register(email, password_hash, language, accounts.by_email(email))


@database.transactional
def _register(connection: sa.Connection, email: str, password_hash: str, language: Language, owner: Any) -> str:
    kind, user_id = (kinds.KNOWN, owner.id) if owner else (kinds.CONFIRM, None)
    return account_mails.with_link(
        connection, kind, Purpose.REGISTER, email, user_id, user_id, None if owner else language, password_hash
    )


def change_address(user: Any, email: str) -> str | None:
    """Note another address for the user of this row. Returns: the event of the mail about it; None after too many."""
    if attempts.seconds_left(MAILS, email):
        return None
    return _change_address(user, email, languages.of(user.id), accounts.by_email(email))


@database.transactional
def _change_address(connection: sa.Connection, user: Any, email: str, language: Language, other: Any) -> str:
    # Among nobody's notices when the address is free: by its own notices, an account could tell which ones are.
    kind, user_id, chosen = (kinds.KNOWN, other.id, None) if other else (kinds.CONFIRM_ADDRESS, None, language)
    return account_mails.with_link(connection, kind, Purpose.ADDRESS, email, user.id, user_id, chosen)


def forgot(email: str) -> str | None:
    """Let whoever reads the mail of an account choose another password. Returns: an event, also of a mail to nobody."""
    if attempts.seconds_left(RESETS, email):
        return None
    return _forgot(email, accounts.by_email(email))


@database.transactional
def _forgot(connection: sa.Connection, email: str, owner: Any) -> str:
    user_id = owner and owner.id
    return account_mails.with_link(connection, kinds.RESET, Purpose.RESET, email, user_id, user_id)


def confirm(token: str, password: str, language: Language) -> tuple[User, str | None]:
    """Make the account, or change its address, that the token was mailed for.

    `language` is that of whoever asks, which a new account gets.
    The password is that of the account: whoever opens a link without having asked for it cannot give it, and gives
    nobody an account with their address.
    Returns: it, and the event of a mail that tells of it, if one does.
    Raises: Problem (400, 403, 409, 429).
    """
    found = mailed.read(token, Purpose.REGISTER, Purpose.ADDRESS)
    if found.purpose == Purpose.REGISTER:
        _check(found, password)
        return _open(found, language), None
    return accounts.move(accounts.prove(found.user_id, password), found.email, found)


def reset(token: str, password: str) -> str:
    """Another password for the account that the token was mailed for. Returns: the event of the mail that tells of it.

    Raises: Problem (400, 422).
    """
    found = mailed.read(token, Purpose.RESET)
    policy.check(password, found.email, "new_password")
    if found.user_id is None:
        raise mailed.invalid_link()
    return accounts.set_password(accounts.row(found.user_id), passwords.hash_of(password), found)


def change_password(user: Any, password: str) -> tuple[Any, str]:
    """Another password for the user of this row, who has proven to be that.

    Returns: the row as it is then, and the event of the mail that tells of it.
    Raises: Problem (422; 403 when it was changed meanwhile).
    """
    policy.check(password, user.email, "new_password")
    event_id = accounts.set_password(user, passwords.hash_of(password))
    return accounts.row(user.id), event_id


def _check(found: Any, password: str) -> None:
    # Not by the address: nobody but who has the link can make its owner wait.
    attempts.check(PASSWORDS, found.digest)
    if found.user_id or not passwords.is_right(found.password_hash, password):
        raise accounts.wrong_password()


def _open(found: Any, language: Language) -> User:
    try:
        return _insert(found, language)
    except IntegrityError:
        raise accounts.taken() from None


@database.transactional
def _insert(connection: sa.Connection, found: Any, language: Language) -> User:
    mailed.spend(connection, found)
    others = (mailed_tokens.c.email == found.email, mailed_tokens.c.purpose == Purpose.REGISTER)
    mailed.forget(connection, *others)
    return accounts.insert(connection, found.email, found.password_hash, language)
