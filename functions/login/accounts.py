"""Accounts: an email address and an argon2id hash of the password."""

from __future__ import annotations

import functools
import secrets
import uuid
from typing import Any

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy.exc import IntegrityError

from functions.login.shapes import MAX_PASSWORD, NewUser, User
from functions.shared import database
from functions.shared.problems import Problem
from functions.shared.tables import now, users
from functions.shared.views import rfc3339

__all__ = ["check_password", "create", "no_password", "read"]

# OWASP's first choice for argon2id: 19 MiB, 2 passes, 1 lane (Password Storage Cheat Sheet).
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def create(new: NewUser) -> User:
    """Make an account. Raises: Problem (409)."""
    user_id, created_at = uuid.uuid4().hex, now()
    password_hash = _HASHER.hash(new.password)
    try:
        _insert({"id": user_id, "email": new.email, "password_hash": password_hash, "created_at": created_at})
    except IntegrityError:
        raise Problem("email-taken", "Sign in with this address, or use another one.") from None
    return User(user_id, new.email, rfc3339(created_at))


def check_password(email: str, password: str) -> str:
    """The id of the user with this email address and password. Raises: Problem (401), as late for unknown ones."""
    with database.reading() as connection:
        query = sa.select(users.c.id, users.c.password_hash).where(users.c.email == email.strip().lower())
        row = connection.execute(query).one_or_none()
    try:
        _HASHER.verify(row.password_hash if row else _decoy(), password[:MAX_PASSWORD])
    except VerificationError:
        row = None
    if row is None or len(password) > MAX_PASSWORD:
        raise Problem("invalid-credentials", "Check both and try again.", error="invalid_grant")
    return str(row.id)


def no_password() -> str:
    """The hash of an account that nobody signs in to by password."""
    return _HASHER.hash(secrets.token_urlsafe(32))


def read(user_id: str) -> User:
    """An account. Raises: Problem (401) when it is gone."""
    with database.reading() as connection:
        row = connection.execute(users.select().where(users.c.id == user_id)).one_or_none()
    if row is None:
        raise Problem("unauthenticated", "This account does not exist any more.")
    return User(row.id, row.email, rfc3339(row.created_at))


@database.transactional
def _insert(connection: sa.Connection, values: dict[str, Any]) -> None:
    connection.execute(users.insert().values(values))


@functools.cache
def _decoy() -> str:
    return _HASHER.hash("nobody has this password")
