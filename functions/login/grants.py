"""Tokens for signed-in users: short access tokens, and refresh tokens that are used once (RFC 9700, section 4.14.2)."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
import uuid
from datetime import datetime, timedelta
from typing import Any

import jwt
import sqlalchemy as sa

from functions.login import sessions
from functions.login.shapes import Token
from functions.shared import database, settings
from functions.shared.problems import Problem
from functions.shared.tables import now, refresh_tokens
from functions.shared.tokens import ALGORITHM

__all__ = ["issue", "refresh", "revoke"]


def issue(user: Any, user_agent: str = "") -> Token:
    """Tokens for the user of this row of users, with the first refresh token of a new family: a session.

    Raises: Problem (401) when the password is another one by now, or the account is gone.
    """
    token, family = secrets.token_urlsafe(32), uuid.uuid4().hex
    _insert(user, _row(token, user.id, family, user_agent, now()))
    return _response(user.id, token, family)


def refresh(token: str, user_agent: str = "") -> Token:
    """Trade a refresh token in for new tokens of the same session.

    Raises: Problem (400). A token that was used before was copied by somebody: its whole family is revoked.
    """
    successor = secrets.token_urlsafe(32)
    row = _rotate(_digest(token), successor, user_agent)
    if row is None:
        raise Problem("invalid-grant", "Sign in again.", error="invalid_grant")
    return _response(row.user_id, successor, row.family)


@database.transactional
def revoke(connection: sa.Connection, token: str) -> None:
    """End the session that a refresh token is of, also one that was used before; what is none is fine (RFC 7009)."""
    family = sa.select(refresh_tokens.c.family).where(refresh_tokens.c.digest == _digest(token))
    if (found := connection.execute(family).scalar_one_or_none()) is not None:
        sessions.end(connection, refresh_tokens.c.family == found)


@database.transactional
def _insert(connection: sa.Connection, user: Any, values: dict[str, Any]) -> None:
    # Held: a new password ends all sessions, and this must not be one that it does not see.
    if sessions.held_hash(connection, user.id) != user.password_hash:
        raise Problem("invalid-credentials", "The password was changed a moment ago.", error="invalid_grant")
    connection.execute(refresh_tokens.insert().values(values))


@database.transactional
def _rotate(connection: sa.Connection, digest: str, successor: str, user_agent: str) -> Any:
    """Use a token up and write its successor down, in one transaction: a family revoked in between must stay so.

    Returns: its row; None when it is not good, and then its family is gone.
    """
    this, good = refresh_tokens.c.digest == digest, refresh_tokens.c.expires_at > now()
    row = connection.execute(refresh_tokens.select().where(this)).one_or_none()
    if row is None:
        return None
    sessions.held_hash(connection, row.user_id)
    unused = refresh_tokens.update().where(this, refresh_tokens.c.used_at.is_(None), good)
    if connection.execute(unused.values(used_at=now())).rowcount != 1:
        sessions.end(connection, refresh_tokens.c.family == row.family)
        return None
    next_one = _row(successor, row.user_id, row.family, user_agent, row.signed_in_at)
    connection.execute(refresh_tokens.insert().values(next_one))
    return row


def _row(token: str, user_id: str, family: str, user_agent: str, signed_in_at: datetime | None) -> dict[str, Any]:
    moment = now()
    expires_at = moment + timedelta(seconds=settings.number("REFRESH_TOKEN_SECONDS"))
    whose = {"digest": _digest(token), "user_id": user_id, "family": family, "expires_at": expires_at}
    seen = {"issued_at": moment, "signed_in_at": signed_in_at, "user_agent": sessions.cleaned(user_agent)}
    return {**whose, **seen}


def _response(user_id: str, refresh_token: str, session_id: str) -> Token:
    seconds = settings.number("ACCESS_TOKEN_SECONDS")
    return Token(_access_token(user_id), "Bearer", seconds, refresh_token, session_id)


def _access_token(user_id: str) -> str:
    key = json.loads(settings.required("SIGNING_KEY"))
    issuer, issued = settings.text("TOKEN_ISSUER"), int(time.time())
    expires = issued + settings.number("ACCESS_TOKEN_SECONDS")
    claims = {"iss": issuer, "aud": issuer, "sub": user_id, "iat": issued, "exp": expires, "jti": uuid.uuid4().hex}
    return jwt.encode(claims, jwt.PyJWK(key, ALGORITHM).key, ALGORITHM, headers={"kid": key["kid"], "typ": "at+jwt"})


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
