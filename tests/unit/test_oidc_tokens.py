"""functions/login/oidc_tokens.py: which ID tokens are believed. Each is signed by hand, with one thing wrong."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from functions.login.oidc_provider import Provider
from functions.login.oidc_tokens import Person, checked
from functions.shared.problems import Problem

ISSUER, CLIENT, NONCE, ACCESS = "https://id.example.com", "audiolift", "the nonce of this sign-in", "an access token"
RSA = rsa.generate_private_key(65537, 2048)
PRIVATE: dict[str, Any] = {
    "RS256": RSA,
    "PS384": RSA,
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
HASHES = {"RS256": "sha256", "PS384": "sha384", "ES256": "sha256", "ES512": "sha512", "EdDSA": "sha512"}


class Told(Provider):
    """A provider whose keys are those that it is told to have."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        super().__init__(ISSUER)
        self.told = list(keys)

    def keys(self, kid: object) -> list[dict[str, Any]]:
        return [key for key in self.told if kid is None or key["kid"] == kid]


def public(algorithm: str = "RS256", **more: Any) -> dict[str, Any]:
    """The JWK of the key for an algorithm; `...` leaves a member out."""
    maker: Any = {"R": RSAAlgorithm, "P": RSAAlgorithm, "E": ECAlgorithm}[algorithm[0]]
    maker = OKPAlgorithm if algorithm == "EdDSA" else maker
    key = maker.to_jwk(PRIVATE[algorithm].public_key(), as_dict=True)
    members = {**key, "kid": algorithm, "use": "sig", "alg": algorithm, **more}
    return {name: value for name, value in members.items() if value is not ...}


def token(algorithm: str = "RS256", header: dict[str, Any] | None = None, key: Any = None, **claims: Any) -> str:
    """A sound ID token, but for these claims; `...` leaves one out."""
    at = int(time.time())
    sound = {"iss": ISSUER, "aud": CLIENT, "sub": "anna", "iat": at, "exp": at + 60, "nonce": NONCE}
    sound |= {"email": "anna@example.com", "email_verified": True}
    body = {name: value for name, value in (sound | claims).items() if value is not ...}
    named = {"kid": algorithm, "alg": algorithm, **(header or {})}
    head = {name: value for name, value in named.items() if value is not ...}
    content = ".".join(encoded(json.dumps(part).encode()) for part in (head, body))
    signer = jwt.get_algorithm_by_name(algorithm)
    return f"{content}.{encoded(signer.sign(content.encode(), key or PRIVATE[algorithm]))}"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def check(id_token: str, provider: Provider | None = None, access: str = ACCESS, nonce: str = NONCE) -> Person:
    return checked(provider or Told(public()), CLIENT, id_token, access, nonce)


def refused(id_token: str, provider: Provider | None = None, **given: str) -> None:
    with pytest.raises(Problem) as caught:
        check(id_token, provider, **given)
    assert (caught.value.status, caught.value.code) == (400, "sign-in-refused")


def test_a_sound_token_says_who_has_signed_in() -> None:
    assert check(token()) == Person("anna", "anna@example.com", True)


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_every_signature_by_a_key_pair_counts(algorithm: str) -> None:
    digest = hashlib.new(HASHES[algorithm], ACCESS.encode()).digest()
    at_hash = encoded(digest[: len(digest) // 2])
    assert check(token(algorithm, at_hash=at_hash), Told(public(algorithm))).subject == "anna"
    refused(token(algorithm, at_hash=at_hash), Told(public(algorithm)), access="another")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example.com"},
        {"iss": ISSUER + "/"},
        {"iss": ...},
        {"aud": "other"},
        {"aud": []},
        {"aud": ["other", "third"]},
        {"aud": ...},
        {"aud": [CLIENT, "other"]},
        {"aud": [CLIENT, "other"], "azp": "other"},
        {"azp": "other"},
        {"azp": None},
        {"exp": 1},
        {"exp": ...},
        {"iat": ...},
        {"iat": 4_000_000_000},
        {"nbf": 4_000_000_000},
        {"nonce": ...},
        {"nonce": "of another sign-in"},
        {"nonce": ""},
        {"nonce": [NONCE]},
        {"sub": ...},
        {"sub": ""},
        {"sub": 5},
        {"sub": "x" * 256},
        {"sub": "änna"},
        {"at_hash": "x"},
        {"at_hash": 5},
        {"at_hash": "é"},
    ],
    ids=str,
)
def test_a_token_with_another_claim_is_refused(claims: dict[str, Any]) -> None:
    refused(token(**claims))


def test_a_token_for_several_says_that_it_is_for_us() -> None:
    assert check(token(aud=[CLIENT, "other"], azp=CLIENT)).subject == "anna"
    assert check(token(aud=[CLIENT])).subject == "anna"


def test_clocks_may_differ_by_half_a_minute() -> None:
    assert check(token(exp=int(time.time()) - 50)).subject == "anna"
    refused(token(exp=int(time.time()) - 70))


def test_an_unsigned_token_is_refused() -> None:
    head, body, _ = token().split(".")
    for header in ({"alg": "none"}, {"alg": "None", "kid": "RS256"}, {"alg": ""}, {"alg": None}, {"alg": ["RS256"]}):
        refused(f"{encoded(json.dumps(header).encode())}.{body}.")
    refused(f"{head}.{body}.")


def test_the_public_key_does_not_serve_as_a_shared_secret() -> None:
    """Also when it is listed in such a way that it could."""
    key = public()
    secrets = [json.dumps(key).encode(), key["n"].encode(), base64.urlsafe_b64decode(key["n"] + "==")]
    octets = {"kty": "oct", "kid": "RS256", "k": encoded(secrets[0])}
    for secret in secrets:
        for provider in (Told(key), Told(octets)):
            refused(token("HS256", {"kid": "RS256"}, key=secret), provider)


def test_keys_that_the_token_brings_along_are_not_looked_at() -> None:
    eve = rsa.generate_private_key(65537, 2048)
    jwk = RSAAlgorithm.to_jwk(eve.public_key(), as_dict=True)
    for header in ({"jwk": jwk}, {"jku": "https://evil.example.com"}, {"x5u": "https://evil.example.com"}):
        refused(token(header=header, key=eve))
        refused(token(header={**header, "kid": "eve"}, key=eve))


def test_a_key_is_used_for_what_it_is_listed_for_only() -> None:
    refused(token(), Told(public(use="enc")))
    refused(token(), Told(public(alg="RS512")))
    refused(token(), Told(public(alg="RSA-OAEP")))
    assert check(token(), Told(public(use=..., alg=...))).subject == "anna"
    refused(token("ES256", {"kid": "RS256"}), Told(public(alg=...)))


def test_a_token_that_names_no_key_is_taken_when_there_is_but_one() -> None:
    assert check(token(header={"kid": ...}), Told(public("RS256"), public("ES256"))).subject == "anna"
    refused(token(header={"kid": ...}), Told(public("RS256"), public("RS256", kid="second")))


def test_two_keys_of_one_name_are_none() -> None:
    refused(token(), Told(public(), public()))


def test_a_key_that_can_be_broken_is_no_key() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    listed = {**RSAAlgorithm.to_jwk(weak.public_key(), as_dict=True), "kid": "RS256"}
    refused(token(key=weak), Told(listed))


def test_what_must_be_understood_is_not_passed_over() -> None:
    refused(token(header={"crit": ["exp"], "exp": 1}))


def test_a_token_that_was_tampered_with_is_refused() -> None:
    head, _, signature = token().split(".")
    _, body, _ = token(sub="berta").split(".")
    refused(f"{head}.{body}.{signature}")


@pytest.mark.parametrize("text", ["", "x", "..", "a.b.c", "é.é.é", "e30.e30.", "W10.W10.x", "[" * 99_999, "x" * 99_999])
def test_what_was_never_a_token_is_refused(text: str) -> None:
    refused(text)


@pytest.mark.parametrize("verified", [False, None, ..., "true", "false", 1, [True]])
def test_an_address_is_verified_by_the_word_true_alone(verified: object) -> None:
    assert check(token(email_verified=verified)) == Person("anna", "anna@example.com", False)


@pytest.mark.parametrize("email", [None, ..., 5, ["anna@example.com"], {}])
def test_an_address_is_a_text(email: object) -> None:
    assert check(token(email=email)).email is None
