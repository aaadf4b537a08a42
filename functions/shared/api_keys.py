"""API keys by their form: what a key looks like, so that people, proxies and secret scanners know one when they see it.

A key is `al_`, 32 random letters and digits (190 bits), and six more that are a checksum of these: as GitHub's tokens,
https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/. Whose a key is, and
whether it still counts, is in keyring.py.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

from functions.shared.credentials import unauthenticated

__all__ = ["PATTERN", "PREFIX", "SHOWN", "check_form", "digest", "is_key", "make"]

PREFIX = "al_"
PATTERN = "al_[0-9A-Za-z]{38}"
# How much of a key its owner is shown later, to tell it from others.
SHOWN = len(PREFIX) + 4
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM, _CHECKSUM = 32, 6


def make() -> str:
    """A new key."""
    body = "".join(secrets.choice(_DIGITS) for _ in range(_RANDOM))
    return f"{PREFIX}{body}{_checksum(body)}"


def is_key(credential: str) -> bool:
    """Whether it is meant as a key, be it one or not: no access token begins so."""
    return credential.startswith(PREFIX)


def check_form(key: str) -> None:
    """Refuse what cannot be a key, without looking it up. Raises: Problem (401)."""
    if not re.fullmatch(PATTERN, key) or _checksum(key[len(PREFIX) : -_CHECKSUM]) != key[-_CHECKSUM:]:
        raise unauthenticated("This is no API key: a part of it is missing or mistyped.", "invalid_token")


def digest(key: str) -> str:
    """What is kept of a key: its SHA-256, in hex. That is enough: nobody guesses 190 random bits."""
    return hashlib.sha256(key.encode()).hexdigest()


def _checksum(body: str) -> str:
    """The CRC-32 in base 62."""
    number, digits = zlib.crc32(body.encode()), ""
    while len(digits) < _CHECKSUM:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
