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
from functions.shared import database, roles, settings, suspension
from functions.shared.problems import Problem
from functions.shared.scopes import OF_A_PERSON, Scope, narrowed, parse, written
from functions.shared.tables import now, refresh_tokens
from functions.shared.tokens import ALGORITHM

__all__ = ["issue", "refresh", "revoke"]


def issue(user: Any, user_agent: str = "", asked: str = "") -> Token:
    """Tokens for the user of this row of users, with the first refresh token of a new family: a session.

    They are for all that the user may, or for the scopes that are `asked`.
    Raises: Problem (401) when the password is another one by now, or the account is gone; (400) for a scope that the
    user cannot have; (403) when the account is suspended.
    """
    token, family = secrets.token_urlsafe(32), uuid.uuid4().hex
    return _response(user.id, token, family, _begin(user, token, family, user_agent, asked))


def refresh(token: str, user_agent: str = "", asked: str = "") -> Token:
    """Trade a refresh token in for new tokens of the same session; the access token may be for less, if `asked`.

    Raises: Problem (400). A token that was used before was copied by somebody: its whole family is revoked.
    """
    successor = secrets.token_urlsafe(32)
    rotated = _rotate(_digest(token), successor, user_agent, asked)
    if rotated is None:
        raise Problem("invalid-grant", "Sign in again.", error="invalid_grant")
    row, scopes = rotated
    return _response(row.user_id, successor, row.family, scopes)


@database.transactional
def revoke(connection: sa.Connection, token: str) -> None:
    """End the session that a refresh token is of, also one that was used before; what is none is fine (RFC 7009)."""
    family = sa.select(refresh_tokens.c.family).where(refresh_tokens.c.digest == _digest(token))
    if (found := connection.execute(family).scalar_one_or_none()) is not None:
        sessions.end(connection, refresh_tokens.c.family == found)


@database.transactional
def _begin(
    connection: sa.Connection, user: Any, token: str, family: str, user_agent: str, asked: str
) -> frozenset[Scope]:
    # Held: a new password ends all sessions, and this must not be one that it does not see.
    if sessions.held_hash(connection, user.id) != user.password_hash:
        raise Problem("invalid-credentials", "The password was changed a moment ago.", error="invalid_grant")
    suspension.check_in(connection, user.id)
    scopes = narrowed(asked, roles.scopes_of(connection, user.id))
    whose = {"user_id": user.id, "family": family, "scope": written(scopes)}
    connection.execute(refresh_tokens.insert().values(_row(token, user_agent, now(), whose)))
    return scopes


@database.transactional
def _rotate(
    connection: sa.Connection, digest: str, successor: str, user_agent: str, asked: str
) -> tuple[Any, frozenset[Scope]] | None:
    """Use a token up and write its successor down, in one transaction: a family revoked in between must stay so.

    The successor is for all that the sign-in was for, whatever is asked now (RFC 6749, section 6).

    Returns: its row, and for what the access token may be; None when it is not good, and then its family is gone.
    Raises: Problem (400) for a scope that the sign-in was not for, or that its user has lost; nothing is used up then.
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
    # The release before this one writes no scope, and means all.
    of_the_sign_in = OF_A_PERSON if row.scope is None else parse(row.scope)
    scopes = narrowed(asked, of_the_sign_in & roles.scopes_of(connection, row.user_id))
    whose = {"user_id": row.user_id, "family": row.family, "scope": row.scope}
    connection.execute(refresh_tokens.insert().values(_row(successor, user_agent, row.signed_in_at, whose)))
    return row, scopes


def _row(token: str, user_agent: str, signed_in_at: datetime | None, whose: dict[str, Any]) -> dict[str, Any]:
    moment = now()
    expires_at = moment + timedelta(seconds=settings.number("REFRESH_TOKEN_SECONDS"))
    seen = {"issued_at": moment, "signed_in_at": signed_in_at, "user_agent": sessions.cleaned(user_agent)}
    return {"digest": _digest(token), "expires_at": expires_at, **whose, **seen}


def _response(user_id: str, refresh_token: str, session_id: str, scopes: frozenset[Scope]) -> Token:
    seconds = settings.number("ACCESS_TOKEN_SECONDS")
    return Token(_access_token(user_id, scopes), "Bearer", seconds, refresh_token, written(scopes), session_id)


def _access_token(user_id: str, scopes: frozenset[Scope]) -> str:
    key = json.loads(settings.required("SIGNING_KEY"))
    issuer, issued = settings.text("TOKEN_ISSUER"), int(time.time())
    expires = issued + settings.number("ACCESS_TOKEN_SECONDS")
    who = {"iss": issuer, "aud": issuer, "sub": user_id, "scope": written(scopes)}
    claims = {**who, "iat": issued, "exp": expires, "jti": uuid.uuid4().hex}
    return jwt.encode(claims, jwt.PyJWK(key, ALGORITHM).key, ALGORITHM, headers={"kid": key["kid"], "typ": "at+jwt"})


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
