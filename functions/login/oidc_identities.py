"""Which account an identity of another provider belongs to: the pair of issuer and subject, and nothing else.

A mail address makes an account and never finds one: whoever controls an address at some provider, or may write one
there, would else get into an account that has it. Who is signed in and knows the password may link an identity to it.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from functions.login import passwords
from functions.login.oidc_shapes import Identity, IdentityList
from functions.login.oidc_tokens import Person
from functions.login.shapes import NewUser
from functions.shared import database, languages
from functions.shared.languages import DEFAULT, Language
from functions.shared.problems import Problem
from functions.shared.tables import identities, now, users
from functions.shared.views import rfc3339

__all__ = ["link", "list_of", "open_account", "unlink", "user_of"]


def user_of(issuer: str, subject: str) -> str | None:
    """The id of the user that an identity belongs to, if there is one."""
    with database.reading() as connection:
        return _find(connection, _digest(issuer, subject))


def open_account(issuer: str, person: Person, language: Language = DEFAULT) -> str:
    """A new account for an identity that has none. Returns: the user's id.

    Raises: Problem: 403 without a verified address, 409 when an account has that address already, 422 for an address
    that cannot be one.
    """
    if not person.email or not person.verified:
        raise Problem("email-unverified", "Verify your email address with the identity provider, then sign in again.")
    try:
        email = NewUser(person.email, secrets.token_urlsafe()).email
        return _insert(issuer, person, uuid.uuid4().hex, email, language)
    except IntegrityError:
        # The same sign-in twice at the same time, perhaps.
        other = user_of(issuer, person.subject)
        if other is None:
            raise Problem("email-taken", "It was not made by this identity provider. Sign in as before.") from None
        return other


def link(user_id: str, issuer: str, subject: str) -> Identity:
    """Have an identity open an account; one that does so already stays. Raises: Problem (409) when it opens another."""
    digest = _digest(issuer, subject)
    with suppress(IntegrityError):
        _link(digest, issuer, subject, user_id)
    for identity in list_of(user_id).items:
        if identity.id == digest:
            return identity
    raise Problem("identity-taken", "Sign in by it to see which account it is.")


def list_of(user_id: str) -> IdentityList:
    """The identities that open an account."""
    mine = identities.select().where(identities.c.user_id == user_id).order_by(identities.c.created_at)
    with database.reading() as connection:
        found = connection.execute(mine).all()
    return IdentityList([Identity(row.digest, row.issuer, row.subject, rfc3339(row.created_at)) for row in found])


@database.transactional
def unlink(connection: sa.Connection, user_id: str, identity_id: str) -> None:
    """Have an identity open its account no more. Raises: Problem (404), the same for another user's and for none."""
    mine = (identities.c.user_id == user_id, identities.c.digest == identity_id)
    if connection.execute(identities.delete().where(*mine)).rowcount != 1:
        raise Problem("not-found", "There is no such identity.")


@database.transactional
def _link(connection: sa.Connection, digest: str, issuer: str, subject: str, user_id: str) -> None:
    identity = {"digest": digest, "issuer": issuer, "subject": subject, "user_id": user_id}
    connection.execute(identities.insert().values(**identity, created_at=now()))


@database.transactional
def _insert(
    connection: sa.Connection, issuer: str, person: Person, user_id: str, email: str, language: Language
) -> str:
    at = now()
    account = {"id": user_id, "email": email, "password_hash": passwords.unknown()}
    connection.execute(users.insert().values(**account, created_at=at))
    languages.note(connection, user_id, language)
    identity = {"digest": _digest(issuer, person.subject), "issuer": issuer, "subject": person.subject}
    connection.execute(identities.insert().values(**identity, user_id=user_id, created_at=at))
    return user_id


def _find(connection: sa.Connection, digest: str) -> str | None:
    query = sa.select(identities.c.user_id).where(identities.c.digest == digest)
    return connection.execute(query).scalar_one_or_none()


def _digest(issuer: str, subject: str) -> str:
    # Of the pair, because databases differ in what they take for the same text: MySQL passes over spaces at the end.
    return hashlib.sha256(f"{issuer}\0{subject}".encode()).hexdigest()
