"""Tokens: who a request is from, without asking another function.

Access tokens are JWTs (RFC 9068: typ at+jwt) signed ES256; only the keys of JWKS count, and only that algorithm
(RFC 8725, section 3.1). Signed links are JWTs of their own types and key: none can stand in for another (section 3.11).
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from functions.shared import credentials, scopes, settings
from functions.shared.credentials import unauthenticated
from functions.shared.problems import Problem
from functions.shared.scopes import OF_A_PERSON, Caller, Scope

__all__ = ["ALGORITHM", "Link", "archive", "archived", "bearer", "link", "linked"]

ALGORITHM = "ES256"
# By so much the clocks of two machines may differ (RFC 7519, section 4.1.4: "no more than a few minutes").
CLOCK_SKEW_SECONDS = 60
LINK_ALGORITHM = "HS256"
LINK_TYPE, ARCHIVE_TYPE = "audiolift-link+jwt", "audiolift-archive+jwt"
# Ours have some 600 characters. Of so many the outcome is kept.
MAX_CHARS, MAX_KNOWN = 4096, 1024


@dataclass(frozen=True)
class Link:
    """What a signed link says: the job whose file it opens, and what it can be revoked by.

    `id` is its row in links, for one that the owner made; all others of the job go by `generation`, which the job
    counts up when all of its links are revoked. Those of a release that knew no generations are of the first, 0.
    """

    job_id: str
    id: str | None = None
    generation: int = 0


def bearer(authorization: str | None) -> Caller:
    """Whose access token is in an Authorization header (RFC 6750, section 2.1), and what it is for.

    Raises: Problem (401).
    """
    token = credentials.sent(authorization)
    try:
        claims = _sound(token)
        return Caller(str(claims["sub"]), _scopes(claims), until=float(claims["exp"]) + CLOCK_SKEW_SECONDS)
    except jwt.ExpiredSignatureError:
        raise unauthenticated(
            "The access token has expired; get a new one at POST /v1/token.", "invalid_token"
        ) from None
    except jwt.InvalidTokenError:
        raise unauthenticated(
            "The access token is not valid; get a new one at POST /v1/token.", "invalid_token"
        ) from None


def link(said: Link, expires_at: float) -> str:
    """The token that lets whoever holds it download the MP3 of one job until expires_at (Unix time)."""
    more: dict[str, Any] = {"jti": said.id} if said.id else {}
    more |= {"gen": said.generation} if said.generation else {}
    return _signed(LINK_TYPE, said.job_id, expires_at, more)


def linked(token: str) -> Link:
    """What a signed link says. Whether it was revoked is for the caller to see.

    Raises: Problem (404) when it is forged or altered, (410) when its time is over.
    """
    claims = _opened(LINK_TYPE, token)
    return Link(str(claims["sub"]), claims.get("jti"), int(claims.get("gen", 0)))


def archive(archive_id: str, expires_at: float) -> str:
    """The token that lets whoever holds it download a zip until expires_at (Unix time)."""
    return _signed(ARCHIVE_TYPE, archive_id, expires_at, {})


def archived(token: str) -> str:
    """The id of the zip that a signed link is about. Raises: Problem (404, 410), as `linked`."""
    return str(_opened(ARCHIVE_TYPE, token)["sub"])


def _signed(kind: str, subject: str, expires_at: float, more: Mapping[str, Any]) -> str:
    claims = {"sub": subject, "exp": int(expires_at), **more}
    return jwt.encode(claims, settings.required("LINK_SECRET"), LINK_ALGORITHM, headers={"typ": kind})


def _opened(kind: str, token: str) -> Mapping[str, Any]:
    """What a signed link of this type says."""
    try:
        decoded = jwt.decode_complete(
            token, settings.required("LINK_SECRET"), algorithms=[LINK_ALGORITHM], options={"require": ["exp", "sub"]}
        )
        if decoded["header"].get("typ") != kind:
            raise jwt.InvalidTokenError
        claims: Mapping[str, Any] = decoded["payload"]
        return claims
    except jwt.ExpiredSignatureError:
        raise Problem("link-over", "It was good until a certain time, which has passed.") from None
    except jwt.InvalidTokenError:
        raise Problem("not-found", "This is no link that we have made. Copy the whole of it, and try again.") from None


def _sound(token: str) -> Mapping[str, Any]:
    """The claims of a token that is good now. Raises: InvalidTokenError."""
    if len(token) > MAX_CHARS:
        raise jwt.InvalidTokenError("too long")
    claims = _verified(token, settings.required("JWKS"), settings.text("TOKEN_ISSUER"))
    if claims is None:
        raise jwt.InvalidTokenError
    if int(claims["exp"]) <= time.time() - CLOCK_SKEW_SECONDS:
        raise jwt.ExpiredSignatureError
    return claims


# A signature is most of what a refusal costs, and good or bad for ever. Whether a token is over is asked each time.
@functools.lru_cache(MAX_KNOWN)
def _verified(token: str, jwks: str, issuer: str) -> Mapping[str, Any] | None:
    """The claims of a token whose end alone is not checked; None for one that is not good, and never will be.

    Raises: ImmatureSignatureError.
    """
    try:
        return _decoded(token, jwks, issuer)
    except jwt.ImmatureSignatureError:
        # It may be good later.
        raise
    except jwt.InvalidTokenError:
        return None


def _decoded(token: str, jwks: str, issuer: str) -> dict[str, Any]:
    header = jwt.get_unverified_header(token)
    if header.get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("not an access token")
    claims: dict[str, Any] = jwt.decode(
        token,
        _key(str(header.get("kid")), jwks),
        algorithms=[ALGORITHM],
        issuer=issuer,
        audience=issuer,
        leeway=CLOCK_SKEW_SECONDS,
        options={"require": ["exp", "iat", "iss", "aud", "sub"], "verify_exp": False},
    )
    try:
        int(claims["exp"])
    except (TypeError, ValueError, OverflowError):
        raise jwt.InvalidTokenError("exp is no time") from None
    return claims


def _scopes(claims: Mapping[str, Any]) -> frozenset[Scope]:
    """The scopes of a token (RFC 9068, section 2.2.3). One of the release before this one says none, and is for all."""
    if "scope" not in claims:
        return OF_A_PERSON
    if not isinstance(claims["scope"], str):
        raise jwt.InvalidTokenError("scope is no text")
    return scopes.parse(claims["scope"])


@functools.lru_cache(4)
def _key(kid: str, jwks: str) -> jwt.PyJWK:
    for key in json.loads(jwks)["keys"]:
        if key.get("kid") == kid and key.get("alg", ALGORITHM) == ALGORITHM:
            return jwt.PyJWK(key, ALGORITHM)
    raise jwt.InvalidTokenError("signed with an unknown key")
