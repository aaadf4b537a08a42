"""functions/shared/tokens.py: whose requests are believed."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest

from functions.login import keys
from functions.shared import tokens
from functions.shared.problems import Problem
from functions.shared.scopes import OF_A_PERSON

JOB = "0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01"


@pytest.fixture
def key(secrets: dict[str, str]) -> dict[str, Any]:
    """The private JWK that tokens are signed with."""
    value: dict[str, Any] = json.loads(secrets["signing-key"])
    return value


def test_a_sound_token_says_who_it_is(key: dict[str, Any]) -> None:
    assert tokens.bearer(f"Bearer {signed(key)}").user_id == "anna"
    assert tokens.bearer(f"bearer  {signed(key)} ").user_id == "anna"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Token x", "x", "é", "Bearer\tx"])
def test_without_a_token_nobody_is_let_in(key: dict[str, Any], header: str | None) -> None:
    with pytest.raises(Problem) as caught:
        tokens.bearer(header)
    assert caught.value.status == 401
    assert caught.value.headers["WWW-Authenticate"] == 'Bearer realm="audiolift"'


@pytest.mark.parametrize(
    "token", ["x", ".", "..", "a.b.c", "é.é.é", "\x00", "e30.e30.", "e30.e30.e30", "W10.W10.x", "x" * 100_000, "[" * 9]
)
def test_what_was_never_a_token_is_refused(key: dict[str, Any], token: str) -> None:
    refused(token)


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": "audiolift-link+jwt"},
        {"typ": None},
        {"typ": ["at+jwt"]},
        {"kid": "another"},
        {"kid": 5},
        {"kid": None},
        {"kid": "../../etc/passwd"},
    ],
)
def test_a_token_of_another_type_or_key_is_refused(key: dict[str, Any], header: dict[str, Any]) -> None:
    refused(raw(key, header))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "somebody"},
        {"aud": "somebody"},
        {"aud": []},
        {"aud": 5},
        {"iss": None},
        {"exp": 0},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": time.time() + 3600},
        {"nbf": time.time() + 3600},
        {"sub": None},
        {"sub": 5},
        {"sub": ["anna"]},
    ],
)
def test_a_token_with_other_claims_is_refused(key: dict[str, Any], claims: dict[str, Any]) -> None:
    refused(signed(key, claims))


def test_a_token_says_what_it_is_for_and_one_of_the_release_before_is_for_all_that_a_person_may(
    key: dict[str, Any],
) -> None:
    assert tokens.bearer(f"Bearer {signed(key, {'scope': 'jobs:read admin x'})}").scopes == {"jobs:read", "admin"}
    assert tokens.bearer(f"Bearer {signed(key, {'scope': ''})}").scopes == set()
    assert tokens.bearer(f"Bearer {signed(key)}").scopes == OF_A_PERSON


@pytest.mark.parametrize("scope", [None, 5, ["jobs:read"], {"jobs:read": True}, True])
def test_a_token_whose_scope_is_no_text_is_refused(key: dict[str, Any], scope: Any) -> None:
    refused(signed(key, {"scope": scope}))


@pytest.mark.parametrize("missing", ["iss", "aud", "exp", "iat", "sub"])
def test_a_token_that_leaves_a_claim_out_is_refused(key: dict[str, Any], missing: str) -> None:
    refused(signed(key, {missing: ...}))


def test_a_token_that_is_over_is_told_apart_for_the_client_s_sake(key: dict[str, Any]) -> None:
    assert "expired" in refused(signed(key, {"exp": int(time.time()) - 3600})).detail


@pytest.mark.parametrize(("claim", "past"), [("exp", True), ("iat", False), ("nbf", False)])
def test_clocks_may_differ_by_a_minute(key: dict[str, Any], claim: str, past: bool) -> None:
    direction = -1 if past else 1
    near, far = (time.time() + direction * seconds for seconds in (57, 63))
    assert tokens.bearer(f"Bearer {signed(key, {claim: int(near)})}").user_id == "anna"
    refused(signed(key, {claim: int(far)}))


def test_a_token_that_was_good_is_refused_once_it_is_over(key: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its signature is not checked again; its end is."""
    token, started = signed(key), time.time()
    checked = tokens._verified.cache_info().misses
    for _ in range(3):
        assert tokens.bearer(f"Bearer {token}").user_id == "anna"
    assert tokens._verified.cache_info().misses == checked + 1
    monkeypatch.setattr(time, "time", lambda: started + 60 + tokens.CLOCK_SKEW_SECONDS + 1)
    assert "expired" in refused(token).detail


def test_a_token_of_later_is_good_later(key: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    token = signed(key, {"nbf": int(time.time()) + 90})
    refused(token)
    monkeypatch.setattr(tokens, "CLOCK_SKEW_SECONDS", 100)
    assert tokens.bearer(f"Bearer {token}").user_id == "anna"


def test_long_tokens_are_not_kept(key: dict[str, Any]) -> None:
    known = tokens._verified.cache_info().currsize
    refused(f"{signed(key)}{'x' * 5000}")
    assert tokens._verified.cache_info().currsize == known


@pytest.mark.parametrize("exp", [float("nan"), float("inf"), [1], {}, "", True])
def test_a_token_without_a_sound_end_is_refused(key: dict[str, Any], exp: Any) -> None:
    refused(signed(key, {"exp": exp}))


def test_an_unsigned_token_is_refused(key: dict[str, Any]) -> None:
    header = {"alg": "none", "typ": "at+jwt", "kid": key["kid"]}
    refused(f"{encoded(header)}.{encoded(claims_of({}))}.")


def test_the_public_key_does_not_serve_as_a_shared_secret(secrets: dict[str, str], key: dict[str, Any]) -> None:
    public = json.loads(secrets["jwks"])["keys"][0]
    pem = public_pem(public)
    for secret in (
        pem,
        secrets["jwks"].encode(),
        json.dumps(public).encode(),
        base64.urlsafe_b64decode(public["x"] + "="),
    ):
        refused(raw({"kid": key["kid"]}, {"alg": "HS256"}, hmac_secret=secret))


def test_a_signature_of_another_key_is_refused(key: dict[str, Any]) -> None:
    other = json.loads(keys.make()["signing-key"])
    refused(signed({**other, "kid": key["kid"]}))


def test_a_key_that_the_token_brings_along_is_not_looked_at(key: dict[str, Any]) -> None:
    other = json.loads(keys.make()["signing-key"])
    public = {name: value for name, value in other.items() if name != "d"}
    for header in ({"jwk": public}, {"jku": "https://eve.example.com/jwks.json"}, {"x5u": "https://eve.example.com"}):
        refused(raw({**other, "kid": key["kid"]}, header))


def test_a_token_that_was_tampered_with_is_refused(key: dict[str, Any]) -> None:
    head, _, signature = signed(key).split(".")
    refused(f"{head}.{encoded(claims_of({'sub': 'berta'}))}.{signature}")


def test_tokens_of_the_last_key_are_good_while_its_public_half_is_listed(
    monkeypatch: pytest.MonkeyPatch, secrets: dict[str, str], key: dict[str, Any]
) -> None:
    new = json.loads(keys.make()["jwks"])["keys"]
    monkeypatch.setenv("JWKS", json.dumps({"keys": new + json.loads(secrets["jwks"])["keys"]}))
    assert tokens.bearer(f"Bearer {signed(key)}").user_id == "anna"
    monkeypatch.setenv("JWKS", json.dumps({"keys": new}))
    refused(signed(key))


def test_a_link_is_good_for_its_job_until_its_time(key: dict[str, Any]) -> None:
    for said in (tokens.Link(JOB), tokens.Link(JOB, "a" * 32), tokens.Link(JOB, generation=3)):
        assert tokens.linked(tokens.link(said, time.time() + 60)) == said
        with pytest.raises(Problem) as caught:
            tokens.linked(tokens.link(said, time.time() - 60))
        assert (caught.value.status, caught.value.code) == (410, "link-over")


def test_the_links_of_the_release_before_are_of_the_first_generation(secrets: dict[str, str]) -> None:
    until = int(time.time()) + 60
    claims = {"sub": JOB, "exp": until}
    old = jwt.encode(claims, secrets["link-secret"], "HS256", headers={"typ": tokens.LINK_TYPE})
    assert tokens.linked(old) == tokens.Link(JOB)
    assert tokens.link(tokens.Link(JOB), until) == old


def test_a_link_is_no_access_token_and_an_access_token_is_no_link(key: dict[str, Any]) -> None:
    refused(tokens.link(tokens.Link(JOB), time.time() + 60))
    not_found(signed(key))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "e30.e30.e30", "\x00", "x" * 100_000])
def test_what_was_never_a_link_finds_nothing(key: dict[str, Any], token: str) -> None:
    not_found(token)


def test_a_forged_link_finds_nothing(secrets: dict[str, str]) -> None:
    claims, right = {"sub": JOB, "exp": time.time() + 60}, {"typ": tokens.LINK_TYPE}
    not_found(jwt.encode(claims, "x" * 32, "HS256", headers=right))
    not_found(f"{encoded({'alg': 'none', **right})}.{encoded(claims)}.")
    not_found(jwt.encode(claims, secrets["link-secret"], "HS256", headers={"typ": "JWT"}))
    not_found(jwt.encode({"sub": JOB}, secrets["link-secret"], "HS256", headers=right))
    not_found(jwt.encode(claims, secrets["link-secret"] * 2, "HS512", headers=right))


def test_keys_are_made_anew_each_time_and_the_public_set_holds_no_secret() -> None:
    one, two = keys.make(), keys.make()
    assert not set(one.values()) & set(two.values())
    for public in json.loads(one["jwks"])["keys"]:
        assert "d" not in public
        assert (public["kty"], public["crv"], public["alg"]) == ("EC", "P-256", "ES256")
    assert len(base64.urlsafe_b64decode(one["link-secret"] + "=")) == 32


def claims_of(changes: dict[str, Any]) -> dict[str, Any]:
    issued = int(time.time())
    claims = {"iss": "audiolift", "aud": "audiolift", "sub": "anna", "iat": issued, "exp": issued + 60, **changes}
    return {name: value for name, value in claims.items() if value is not ...}


def signed(key: dict[str, Any], changes: dict[str, Any] | None = None) -> str:
    """A token with a sound header, and other claims. `...` leaves one out."""
    return raw(key, {}, claims=claims_of(changes or {}))


def raw(
    key: dict[str, Any], header: dict[str, Any], *, claims: dict[str, Any] | None = None, hmac_secret: bytes = b""
) -> str:
    """A token as no library would make it: signed by hand over any header and claims."""
    header = {"alg": "ES256", "typ": "at+jwt", "kid": key["kid"], **header}
    content = f"{encoded(header)}.{encoded(claims or claims_of({}))}".encode()
    if hmac_secret:
        algorithm, secret = jwt.get_algorithm_by_name("HS256"), hmac_secret
    else:
        algorithm, secret = jwt.get_algorithm_by_name("ES256"), jwt.PyJWK(key, "ES256").key
    return f"{content.decode()}.{base64url(algorithm.sign(content, secret))}"


def encoded(value: Any) -> str:
    return base64url(json.dumps(value).encode())


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def public_pem(public: dict[str, Any]) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem: bytes = jwt.PyJWK(public, "ES256").key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def refused(token: str) -> Problem:
    with pytest.raises(Problem) as caught:
        tokens.bearer(f"Bearer {token}")
    assert caught.value.status == 401
    assert 'error="invalid_token"' in caught.value.headers["WWW-Authenticate"]
    return caught.value


def not_found(token: str) -> None:
    with pytest.raises(Problem) as caught:
        tokens.linked(token)
    assert caught.value.status == 404
