"""Tokens for signed-in users: short access tokens, and refresh tokens that are used once (RFC 9700, section 4.14.2).

A program keeps its refresh token itself, and a second use ends the session. A browser keeps it as a cookie, which all
of its tabs share: two may send the same one at once, and the answer that brings the next one may be lost. So its
tokens are of generations: the first use of one makes the next generation the newest, and for GRACE_SECONDS more, those
of the generation before it get tokens of the newest one, too. Any older one was copied, and ends the session.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
import sqlalchemy as sa

from functions.login import sessions, sign_ins
from functions.login.shapes import Token
from functions.shared import database, roles, settings, suspension
from functions.shared.problems import Problem
from functions.shared.scopes import OF_A_PERSON, Scope, narrowed, parse, written
from functions.shared.tables import now, refresh_tokens
from functions.shared.tokens import ALGORITHM

__all__ = ["GRACE_SECONDS", "Granted", "begin", "issue", "refresh", "renew", "revoke", "signed", "tokens"]

# Why so many, and what a thief could make of them: docs/sign-in.md.
GRACE_SECONDS = 60


@dataclass(frozen=True)
class Granted:
    """What a sign-in or its renewal gave. `scopes` are what an access token is to be for, `held` all it could be.

    `event_id` is the event of the mail about the sign-in, if it is to be told.
    """

    user_id: str
    session_id: str
    refresh_token: str
    scopes: frozenset[Scope]
    held: frozenset[Scope]
    event_id: str | None = None


def issue(user: Any, user_agent: str = "", asked: str = "") -> Token:
    """Tokens for a program of the user of this row of users: `begin` says the rest."""
    return tokens(begin(user, user_agent, asked, in_cookie=False))


def refresh(token: str, user_agent: str = "", asked: str = "") -> Token:
    """Trade a program's refresh token in for new tokens of the same session: `renew` says the rest."""
    return tokens(renew(token, user_agent, asked, in_cookie=False))


def begin(user: Any, user_agent: str, asked: str, *, in_cookie: bool, seen: sign_ins.Seen | None = None) -> Granted:
    """A session of the user of this row of users, with the first refresh token of a new family.

    It is for all that the user may, or for the scopes that are `asked`. What is `seen` of the sign-in is noted with it.
    Raises: Problem (401) when the password is another one by now, or the account is gone; (400) for a scope that the
    user cannot have; (403) when the account is suspended.
    """
    token, family = secrets.token_urlsafe(32), uuid.uuid4().hex
    about = {"family": family, "generation": 0 if in_cookie else None}
    scopes, event_id = _begin(user, token, about, user_agent, asked, seen)
    return Granted(user.id, family, token, scopes, scopes, event_id)


def renew(token: str, user_agent: str, asked: str, *, in_cookie: bool) -> Granted:
    """Trade a refresh token in for the next one of its session; the access token may be for less, if `asked`.

    A browser's token is good where it is a cookie, a program's elsewhere, and neither ends by being sent to the other.
    Raises: Problem (400). A token that was used before was copied by somebody: its whole family is revoked.
    """
    successor = secrets.token_urlsafe(32)
    granted = _rotate(_digest(token), successor, user_agent, asked, in_cookie)
    if granted is None:
        raise Problem("invalid-grant", "Sign in again.", error="invalid_grant")
    return granted


@database.transactional
def revoke(connection: sa.Connection, token: str) -> None:
    """End the session that a refresh token is of, also one that was used before; what is none is fine (RFC 7009)."""
    family = sa.select(refresh_tokens.c.family).where(refresh_tokens.c.digest == _digest(token))
    if (found := connection.execute(family).scalar_one_or_none()) is not None:
        sessions.end(connection, refresh_tokens.c.family == found)


@database.transactional
def _begin(
    connection: sa.Connection,
    user: Any,
    token: str,
    about: dict[str, Any],
    user_agent: str,
    asked: str,
    seen: sign_ins.Seen | None,
) -> tuple[frozenset[Scope], str | None]:
    # Held: a new password ends all sessions, and this must not be one that it does not see.
    if sessions.held_hash(connection, user.id) != user.password_hash:
        raise Problem("invalid-credentials", "The password was changed a moment ago.", error="invalid_grant")
    suspension.check_in(connection, user.id)
    scopes = narrowed(asked, roles.scopes_of(connection, user.id))
    whose = {"user_id": user.id, "scope": written(scopes), **about}
    connection.execute(refresh_tokens.insert().values(_row(token, user_agent, now(), whose)))
    return scopes, seen and sign_ins.note(connection, user, seen)


@database.transactional
def _rotate(
    connection: sa.Connection, digest: str, successor: str, user_agent: str, asked: str, in_cookie: bool
) -> Granted | None:
    """Use a token up and write its successor down, in one transaction: a family revoked in between must stay so.

    The successor is for all that the sign-in was for, whatever is asked now (RFC 6749, section 6).

    Returns: None when the token is not good, and then its family is gone.
    Raises: Problem (400) for a scope that the sign-in was not for, or that its user has lost; nothing is used up then.
    """
    generation = refresh_tokens.c.generation
    kind = generation.is_not(None) if in_cookie else generation.is_(None)
    this = refresh_tokens.select().where(refresh_tokens.c.digest == digest, kind)
    row = connection.execute(this).one_or_none()
    if row is None:
        return None
    sessions.held_hash(connection, row.user_id)
    if not _spent(connection, row) and not _in_grace(connection, row):
        sessions.end(connection, refresh_tokens.c.family == row.family)
        return None
    # The release before this one writes no scope, and means all.
    of_the_sign_in = OF_A_PERSON if row.scope is None else parse(row.scope)
    held = of_the_sign_in & roles.scopes_of(connection, row.user_id)
    following = None if row.generation is None else row.generation + 1
    whose = {"user_id": row.user_id, "family": row.family, "scope": row.scope, "generation": following}
    connection.execute(refresh_tokens.insert().values(_row(successor, user_agent, row.signed_in_at, whose)))
    return Granted(row.user_id, row.family, successor, narrowed(asked, held), held)


def _spent(connection: sa.Connection, row: Any) -> bool:
    """Use a token up, and a browser's others of its generation with it. Returns: whether it was good."""
    of_family, unused = refresh_tokens.c.family == row.family, refresh_tokens.c.used_at.is_(None)
    good = (refresh_tokens.c.digest == row.digest, unused, refresh_tokens.c.expires_at > now())
    used = refresh_tokens.update().values(used_at=now())
    if connection.execute(used.where(*good)).rowcount != 1:
        return False
    if row.generation is not None:
        connection.execute(used.where(of_family, unused, refresh_tokens.c.generation == row.generation))
    return True


def _in_grace(connection: sa.Connection, row: Any) -> bool:
    """Whether a token is a browser's, of the generation before the newest, and not for long."""
    if row.generation is None:
        return False
    moment = now()
    lately = refresh_tokens.c.used_at > moment - timedelta(seconds=GRACE_SECONDS)
    before = sa.and_(refresh_tokens.c.digest == row.digest, lately, refresh_tokens.c.expires_at > moment)
    after = sa.and_(refresh_tokens.c.generation > row.generation, refresh_tokens.c.used_at.is_not(None))
    telling = sa.select(refresh_tokens.c.digest).where(refresh_tokens.c.family == row.family, before | after)
    return connection.execute(telling).scalars().all() == [row.digest]


def _row(token: str, user_agent: str, signed_in_at: datetime | None, whose: dict[str, Any]) -> dict[str, Any]:
    moment = now()
    expires_at = moment + timedelta(seconds=settings.number("REFRESH_TOKEN_SECONDS"))
    seen = {"issued_at": moment, "signed_in_at": signed_in_at, "user_agent": sessions.cleaned(user_agent)}
    return {"digest": _digest(token), "expires_at": expires_at, **whose, **seen}


def tokens(granted: Granted) -> Token:
    """What a program is answered."""
    seconds, scope = settings.number("ACCESS_TOKEN_SECONDS"), written(granted.scopes)
    access = signed(granted.user_id, granted.scopes)
    return Token(access, "Bearer", seconds, scope, granted.session_id, granted.refresh_token)


def signed(user_id: str, scopes: frozenset[Scope]) -> str:
    """An access token (RFC 9068)."""
    key = json.loads(settings.required("SIGNING_KEY"))
    issuer, issued = settings.text("TOKEN_ISSUER"), int(now().timestamp())
    expires = issued + settings.number("ACCESS_TOKEN_SECONDS")
    who = {"iss": issuer, "aud": issuer, "sub": user_id, "scope": written(scopes)}
    claims = {**who, "iat": issued, "exp": expires, "jti": uuid.uuid4().hex}
    return jwt.encode(claims, jwt.PyJWK(key, ALGORITHM).key, ALGORITHM, headers={"kid": key["kid"], "typ": "at+jwt"})


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
