"""What takes a mail: registering where addresses are confirmed, a new address, and a forgotten password.

Nobody learns whether there is an account: the same rows are written, and the same is answered, for known addresses and
unknown ones; only the owner of the address gets another mail.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from functions.login import accounts, letters, mailed, passwords, policy
from functions.login.letters import Letter
from functions.login.mailed import Purpose
from functions.login.shapes import User
from functions.shared import attempts, database, kinds, languages
from functions.shared.attempts import MAILS, PASSWORDS, RESETS
from functions.shared.languages import Language
from functions.shared.tables import mailed_tokens

__all__ = ["change_address", "change_password", "confirm", "forgot", "key_made", "register", "reset"]


def register(email: str, password: str, language: Language) -> Letter | None:
    """Note an account to be made. Returns: the mail to be sent; None after too many.

    `language` is that of whoever asks; the owner of an account that there is has one already.
    """
    password_hash = passwords.hash_of(password)
    if attempts.seconds_left(MAILS, email):
        return None
    owner = accounts.by_email(email)
    token = mailed.issue(Purpose.REGISTER, email, owner and owner.id, password_hash)
    theirs = languages.of(owner.id if owner else "")
    return letters.known(email, theirs) if owner else letters.confirm(email, token, language)


def change_address(user: Any, email: str) -> Letter | None:
    """Note another address for the user of this row. Returns: the mail to be sent; None after too many."""
    if attempts.seconds_left(MAILS, email):
        return None
    token = mailed.issue(Purpose.ADDRESS, email, user.id)
    other = accounts.by_email(email)
    language = languages.of(other.id if other else user.id)
    return letters.known(email, language) if other else letters.confirm_address(email, token, language)


def forgot(email: str) -> Letter | None:
    """Let whoever reads the mail of an account choose another password. Returns: the mail to be sent, if any."""
    if attempts.seconds_left(RESETS, email):
        return None
    owner = accounts.by_email(email)
    token = mailed.issue(Purpose.RESET, email, owner and owner.id)
    language = languages.of(owner.id if owner else "")
    return letters.reset(owner.email, token, language) if owner else None


def confirm(token: str, password: str, language: Language) -> tuple[User, Letter | None]:
    """Make the account, or change its address, that the token was mailed for. Returns: it, and a mail to be sent.

    `language` is that of whoever asks, which a new account gets.
    The password is that of the account: whoever opens a link without having asked for it cannot give it, and gives
    nobody an account with their address.
    Raises: Problem (400, 403, 409, 429).
    """
    found = mailed.read(token, Purpose.REGISTER, Purpose.ADDRESS)
    if found.purpose == Purpose.REGISTER:
        _check(found, password)
        return _open(found, language), None
    user = accounts.prove(found.user_id, password)
    return accounts.move(user, found.email, found), letters.address_changed(user.email, languages.of(user.id))


def reset(token: str, password: str) -> Letter:
    """Another password for the account that the token was mailed for. Returns: the mail to be sent.

    Raises: Problem (400, 422).
    """
    found = mailed.read(token, Purpose.RESET)
    policy.check(password, found.email, "new_password")
    if found.user_id is None:
        raise mailed.invalid_link()
    user = accounts.row(found.user_id)
    accounts.set_password(user, passwords.hash_of(password), found)
    return letters.password_changed(user.email, languages.of(user.id))


def change_password(user: Any, password: str) -> Any:
    """Another password for the user of this row, who has proven to be that. Returns: the row as it is then.

    Raises: Problem (422; 403 when it was changed meanwhile).
    """
    policy.check(password, user.email, "new_password")
    accounts.set_password(user, passwords.hash_of(password))
    return accounts.row(user.id)


def key_made(user_id: str, name: str) -> Letter | None:
    """The mail about an API key that was made, if it is wanted. Raises: Problem (401) when the account is gone."""
    if not kinds.is_mailed(user_id, kinds.KEY_MADE):
        return None
    return letters.key_made(accounts.row(user_id).email, name, languages.of(user_id))


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
