"""ID tokens: what the identity provider says of who has signed in, and whether it is the provider that says it."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from typing import Any

import jwt

from functions.login.oidc_provider import Provider
from functions.shared.problems import Problem

__all__ = ["ALGORITHMS", "Person", "checked", "person", "refused"]

# Signatures by a key pair, and nothing else (RFC 8725, sections 3.1 and 3.2).
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY_SECONDS = 60
# OpenID Connect Core 1.0, section 2: "It MUST NOT exceed 255 ASCII characters".
MAX_SUBJECT = 255


@dataclass(frozen=True)
class Person:
    """Who has signed in. `email` is None where the token does not say it; `verified` is about it."""

    subject: str
    email: str | None
    verified: bool


def checked(provider: Provider, client_id: str, id_token: str, access_token: str, nonce: str | None) -> Person:
    """Who an ID token is about (OpenID Connect Core 1.0, section 3.1.3.7); `nonce` is None where no browser began it.

    Raises: Problem (400) when it is not of this provider, for this client, of this sign-in, or over; Unavailable when
    the keys cannot be had.
    """
    try:
        header = jwt.get_unverified_header(id_token)
        claims = _verified(provider, client_id, id_token, header, ["nonce"] if nonce else [])
        _check_binding(claims, header["alg"], client_id, access_token, nonce)
        return person(claims)
    except (jwt.PyJWTError, ValueError) as error:
        raise refused(f"its ID token is not valid: {error}") from None


def person(claims: dict[str, Any]) -> Person:
    """Who claims are about, those of an ID token or of the UserInfo endpoint. Raises: ValueError."""
    subject, email = claims.get("sub"), claims.get("email")
    if not isinstance(subject, str) or not subject.isascii() or not 0 < len(subject) <= MAX_SUBJECT:
        raise ValueError("`sub` is not what it must be")
    # The JSON literal: some providers have sent the text "false".
    verified = claims.get("email_verified") is True
    return Person(subject, email if isinstance(email, str) else None, verified)


def refused(why: str) -> Problem:
    """The problem of a sign-in that did not come about."""
    return Problem("sign-in-refused", f"Start again from the sign-in page. What the identity provider said: {why}.")


def _verified(
    provider: Provider, client_id: str, token: str, header: dict[str, Any], more: list[str]
) -> dict[str, Any]:
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise jwt.InvalidAlgorithmError("its algorithm is not one of ours")
    return jwt.decode(
        token,
        _key(provider, header.get("kid"), algorithm),
        algorithms=[algorithm],
        issuer=provider.issuer,
        audience=client_id,
        leeway=LEEWAY_SECONDS,
        options={"require": ["iss", "sub", "aud", "exp", "iat", *more], "enforce_minimum_key_length": True},
    )


def _key(provider: Provider, kid: object, algorithm: str) -> jwt.PyJWK:
    # What the token itself brings along (jwk, jku, x5u, x5c) is not looked at.
    fitting = [key for key in provider.keys(kid) if key.get("use", "sig") == "sig" and _fits(key, algorithm)]
    # Section 10.1: without a name there must be but one.
    if len(fitting) != 1:
        raise jwt.InvalidKeyError("it is signed with an unknown key")
    return jwt.PyJWK(fitting[0], algorithm)


def _fits(key: dict[str, Any], algorithm: str) -> bool:
    kind = {"R": "RSA", "P": "RSA", "E": "EC"}[algorithm[0]] if algorithm != "EdDSA" else "OKP"
    return key.get("kty") == kind and key.get("alg", algorithm) == algorithm


def _check_binding(
    claims: dict[str, Any], algorithm: str, client_id: str, access_token: str, nonce: str | None
) -> None:
    """That the token was made for this sign-in, for us, and together with that access token. Raises: ValueError."""
    if nonce and not hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
        raise ValueError("it is of another sign-in")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else client_id) != client_id:
        raise ValueError("it is for another client")
    stated = claims.get("at_hash")
    if stated is not None and not hmac.compare_digest(str(stated).encode(), _half_hash(access_token, algorithm)):
        raise ValueError("it belongs to another access token")


def _half_hash(access_token: str, algorithm: str) -> bytes:
    """Section 3.1.3.6: the left half of the hash that the signature's algorithm has."""
    # EdDSA's own is SHA-512 for Ed25519, which is what OpenID providers use.
    name = "RS512" if algorithm == "EdDSA" else algorithm
    digest = jwt.get_algorithm_by_name(name).compute_hash_digest(access_token.encode())
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
