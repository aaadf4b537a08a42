"""Hashes of passwords: argon2id, and the same time for those that do not exist."""

from __future__ import annotations

import functools
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from functions.login.policy import MAX_PASSWORD

__all__ = ["hash_of", "is_right", "unknown"]

# OWASP's first choice for argon2id: 19 MiB, 2 passes, 1 lane (Password Storage Cheat Sheet).
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hash_of(password: str) -> str:
    """What is kept of a password: 97 characters."""
    return _HASHER.hash(password)


def is_right(kept: str | None, password: str) -> bool:
    """Whether that is the password whose hash was kept; as late for None, which no password has."""
    try:
        _HASHER.verify(kept or unknown(), password[:MAX_PASSWORD])
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None and len(password) <= MAX_PASSWORD


@functools.cache
def unknown() -> str:
    """The hash of a password that nobody knows."""
    return _HASHER.hash(secrets.token_urlsafe(32))
