"""Tokens for signed-in users: short access tokens, and refresh tokens that are used once (RFC 9700, section 4.14.2)."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
import uuid
from datetime import timedelta
from typing import Any

import jwt
import sqlalchemy as sa

from functions.login.shapes import Token
from functions.shared import database, settings
from functions.shared.problems import Problem
from functions.shared.tables import now, refresh_tokens
from functions.shared.tokens import ALGORITHM

__all__ = ["issue", "refresh"]


def issue(user_id: str) -> Token:
    """Tokens for a user, with the first refresh token of a new family."""
    token = secrets.token_urlsafe(32)
    _insert(_row(token, user_id, uuid.uuid4().hex))
    return _response(user_id, token)


def refresh(token: str) -> Token:
    """Trade a refresh token in for new tokens.

    Raises: Problem (400). A token that was used before was copied by somebody: its whole family is revoked.
    """
    successor = secrets.token_urlsafe(32)
    user_id = _rotate(_digest(token), successor)
    if user_id is None:
        raise Problem("invalid-grant", "Sign in again.", error="invalid_grant")
    return _response(user_id, successor)


@database.transactional
def _insert(connection: sa.Connection, values: dict[str, Any]) -> None:
    connection.execute(refresh_tokens.insert().values(values))


@database.transactional
def _rotate(connection: sa.Connection, digest: str, successor: str) -> str | None:
    """Use a token up and write its successor down, in one transaction: a family revoked in between must stay so.

    Returns: whose it is; None when it is not good, and then its family is gone.
    """
    this, good = refresh_tokens.c.digest == digest, refresh_tokens.c.expires_at > now()
    unused = refresh_tokens.update().where(this, refresh_tokens.c.used_at.is_(None), good)
    fresh = connection.execute(unused.values(used_at=now())).rowcount == 1
    row = connection.execute(refresh_tokens.select().where(this)).one_or_none()
    if row is None:
        return None
    if not fresh:
        connection.execute(refresh_tokens.delete().where(refresh_tokens.c.family == row.family))
        return None
    connection.execute(refresh_tokens.insert().values(_row(successor, row.user_id, row.family)))
    return str(row.user_id)


def _row(token: str, user_id: str, family: str) -> dict[str, Any]:
    expires_at = now() + timedelta(seconds=settings.number("REFRESH_TOKEN_SECONDS"))
    return {"digest": _digest(token), "user_id": user_id, "family": family, "expires_at": expires_at}


def _response(user_id: str, refresh_token: str) -> Token:
    return Token(_access_token(user_id), "Bearer", settings.number("ACCESS_TOKEN_SECONDS"), refresh_token)


def _access_token(user_id: str) -> str:
    key = json.loads(settings.required("SIGNING_KEY"))
    issuer, issued = settings.text("TOKEN_ISSUER"), int(time.time())
    expires = issued + settings.number("ACCESS_TOKEN_SECONDS")
    claims = {"iss": issuer, "aud": issuer, "sub": user_id, "iat": issued, "exp": expires, "jti": uuid.uuid4().hex}
    return jwt.encode(claims, jwt.PyJWK(key, ALGORITHM).key, ALGORITHM, headers={"kid": key["kid"], "typ": "at+jwt"})


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
