"""Accounts: an email address and an argon2id hash of the password."""

from __future__ import annotations

import functools
import re
import uuid
from typing import Any

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy.exc import IntegrityError

from functions.shared import database
from functions.shared.problems import Problem
from functions.shared.tables import now, users

__all__ = ["check_password", "create", "public", "read"]

# OWASP's first choice for argon2id: 19 MiB, 2 passes, 1 lane (Password Storage Cheat Sheet).
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# HTML, section 4.10.5.1.5: what a browser takes for an address. Stricter than RFC 5322: one address, in plain ASCII.
_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_EMAIL = re.compile(rf"[a-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*")
# RFC 5321, section 4.5.3.1.3, less the angle brackets.
MAX_EMAIL = 254
# NIST SP 800-63B, section 5.1.1.2: at least 8 characters, long ones welcome, no composition rules.
MIN_PASSWORD, MAX_PASSWORD = 8, 256


def create(email: Any, password: Any) -> dict[str, Any]:
    """Make an account. Returns: what `public` shows of it. Raises: Problem (422 or 409)."""
    values = {"id": uuid.uuid4().hex, "email": _email(email), "created_at": now()}
    password_hash = _HASHER.hash(_password(password))
    try:
        _insert({"password_hash": password_hash, **values})
    except IntegrityError:
        raise Problem("email-taken", "Sign in with this address, or use another one.") from None
    return public(values)


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


def read(user_id: str) -> dict[str, Any]:
    """What `public` shows of an account. Raises: Problem (401) when it is gone."""
    with database.reading() as connection:
        row = connection.execute(users.select().where(users.c.id == user_id)).mappings().one_or_none()
    if row is None:
        raise Problem("unauthenticated", "This account does not exist any more.")
    return public(dict(row))


def public(user: dict[str, Any]) -> dict[str, Any]:
    """The part of an account that its owner sees."""
    return {
        "id": user["id"],
        "email": user["email"],
        "created_at": user["created_at"].isoformat().replace("+00:00", "Z"),
    }


@database.transactional
def _insert(connection: sa.Connection, values: dict[str, Any]) -> None:
    connection.execute(users.insert().values(values))


@functools.cache
def _decoy() -> str:
    return _HASHER.hash("nobody has this password")


def _email(email: Any) -> str:
    address = email.strip().lower() if isinstance(email, str) and email.isascii() else ""
    # "=?" begins an encoded word (RFC 2047), which a mail library may take for another address.
    if len(address) > MAX_EMAIL or "=?" in address or not _EMAIL.fullmatch(address):
        raise Problem("invalid-account", "`email` must be an email address.")
    return address


def _password(password: Any) -> str:
    if not isinstance(password, str) or not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise Problem("invalid-account", f"`password` must have {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
    return password
