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
from functions.shared import database, roles, settings
from functions.shared.problems import Problem
from functions.shared.scopes import OF_A_PERSON, Scope, narrowed, parse, written
from functions.shared.tables import now, refresh_tokens
from functions.shared.tokens import ALGORITHM

__all__ = ["issue", "refresh"]


def issue(user_id: str, asked: str = "") -> Token:
    """Tokens for a user, with the first refresh token of a new family; for all that the user may, or what is `asked`.

    Raises: Problem (400) for a scope that the user cannot have.
    """
    token = secrets.token_urlsafe(32)
    return _response(user_id, token, _begin(user_id, token, asked))


def refresh(token: str, asked: str = "") -> Token:
    """Trade a refresh token in for new tokens; the access token may be for less than the sign-in was, if `asked`.

    Raises: Problem (400). A token that was used before was copied by somebody: its whole family is revoked.
    """
    successor = secrets.token_urlsafe(32)
    rotated = _rotate(_digest(token), successor, asked)
    if rotated is None:
        raise Problem("invalid-grant", "Sign in again.", error="invalid_grant")
    return _response(rotated[0], successor, rotated[1])


@database.transactional
def _begin(connection: sa.Connection, user_id: str, token: str, asked: str) -> frozenset[Scope]:
    scopes = narrowed(asked, roles.scopes_of(connection, user_id))
    connection.execute(refresh_tokens.insert().values(_row(token, user_id, uuid.uuid4().hex, written(scopes))))
    return scopes


@database.transactional
def _rotate(connection: sa.Connection, digest: str, successor: str, asked: str) -> tuple[str, frozenset[Scope]] | None:
    """Use a token up and write its successor down, in one transaction: a family revoked in between must stay so.

    The successor is for all that the sign-in was for, whatever is asked now (RFC 6749, section 6).

    Returns: whose it is, and for what the access token may be; None when it is not good, and then its family is gone.
    Raises: Problem (400) for a scope that the sign-in was not for, or that its user has lost; nothing is used up then.
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
    # The release before this one writes no scope, and means all.
    of_the_sign_in = OF_A_PERSON if row.scope is None else parse(row.scope)
    scopes = narrowed(asked, of_the_sign_in & roles.scopes_of(connection, row.user_id))
    connection.execute(refresh_tokens.insert().values(_row(successor, row.user_id, row.family, row.scope)))
    return str(row.user_id), scopes


def _row(token: str, user_id: str, family: str, scope: str | None) -> dict[str, Any]:
    expires_at = now() + timedelta(seconds=settings.number("REFRESH_TOKEN_SECONDS"))
    who = {"user_id": user_id, "family": family, "scope": scope}
    return {"digest": _digest(token), **who, "expires_at": expires_at}


def _response(user_id: str, refresh_token: str, scopes: frozenset[Scope]) -> Token:
    seconds = settings.number("ACCESS_TOKEN_SECONDS")
    return Token(_access_token(user_id, scopes), "Bearer", seconds, refresh_token, written(scopes))


def _access_token(user_id: str, scopes: frozenset[Scope]) -> str:
    key = json.loads(settings.required("SIGNING_KEY"))
    issuer, issued = settings.text("TOKEN_ISSUER"), int(time.time())
    expires = issued + settings.number("ACCESS_TOKEN_SECONDS")
    who = {"iss": issuer, "aud": issuer, "sub": user_id, "scope": written(scopes)}
    claims = {**who, "iat": issued, "exp": expires, "jti": uuid.uuid4().hex}
    return jwt.encode(claims, jwt.PyJWK(key, ALGORITHM).key, ALGORITHM, headers={"kid": key["kid"], "typ": "at+jwt"})


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
