"""Attacks on the running system, to be read from top to bottom. Each must fail, and say nothing that helps.

Tokens · sessions of browsers · sign-in · sign-in by a provider · other people's things · what a request may set ·
addresses and names · webhooks · request smuggling. What is elsewhere: hostile videos in tests/unit/test_hostile.py
and test_confinement.py, addresses to fetch from in test_fetch.py, slow clients in test_pace.py, revoked links in
test_live.py, every single claim of an ID token in test_oidc_tokens.py.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from jwt.utils import base64url_encode
from werkzeug.http import parse_options_header

from functions.gateway import contract
from functions.login import keys
from functions.shared import tokens
from functions.shared.operations import Access
from functions.shared.scopes import Scope
from tests.e2e.alone import serving, told
from tests.e2e.inside import check_problem, forge, secrets
from tests.patience import PATIENCE
from tests.servers import OidcProvider
from tests.system import PASSWORD, Audiolift, User

NOW = int(time.time())
FOREVER = NOW + 10**9


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, httpx.Client]]:
    """gateway and login as their own servers, with nothing before them."""
    data = tmp_path_factory.mktemp("edge")
    environment = told(f"sqlite:///{data}/rows.db", data)
    with serving("login", environment) as (_, login):
        url = str(login.base_url).rstrip("/")
        with serving("gateway", {**environment, "LOGIN_URL": url}) as (_, gateway):
            yield {"gateway": gateway, "login": login}


# Tokens


def encoded(part: object) -> str:
    return base64url_encode(json.dumps(part).encode()).decode()


def refused(audiolift: Audiolift, token: str) -> None:
    """Nobody is let in by this token, and the answer has nothing of it."""
    answer = httpx.get(f"{audiolift.url}/v1/me", headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE)
    check_problem(answer, 401, "unauthenticated")
    assert "eve" not in answer.text
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_sound_token_is_taken_or_nothing_below_means_anything(audiolift: Audiolift, user: User) -> None:
    sub = user.http.get("/v1/me").json()["id"]
    token = forge(audiolift, sub=sub)
    answer = httpx.get(f"{audiolift.url}/v1/me", headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE)
    assert answer.json()["id"] == sub


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", "HS256", "ES384", "RS256"])
@pytest.mark.parametrize("signature", ["", "AAAA"])
def test_an_algorithm_of_the_attackers_choice(audiolift: Audiolift, algorithm: str, signature: str) -> None:
    kid = json.loads(secrets(audiolift)["signing-key"])["kid"]
    claims = {"iss": "audiolift", "aud": "audiolift", "sub": "eve", "iat": NOW, "exp": FOREVER}
    refused(audiolift, f"{encoded({'alg': algorithm, 'typ': 'at+jwt', 'kid': kid})}.{encoded(claims)}.{signature}")


def test_the_public_key_as_a_shared_secret(audiolift: Audiolift) -> None:
    public = json.loads(secrets(audiolift)["jwks"])["keys"][0]
    claims = {"iss": "audiolift", "aud": "audiolift", "sub": "eve", "iat": NOW, "exp": FOREVER}
    hmac = jwt.get_algorithm_by_name("HS256")
    for secret in (json.dumps(public), public["x"], secrets(audiolift)["jwks"]):
        content = f"{encoded({'alg': 'HS256', 'typ': 'at+jwt', 'kid': public['kid']})}.{encoded(claims)}"
        signature = base64url_encode(hmac.sign(content.encode(), secret.encode())).decode()
        refused(audiolift, f"{content}.{signature}")


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c", "x5t"])
def test_a_key_that_the_token_brings_along(audiolift: Audiolift, name: str) -> None:
    evil = json.loads(keys.make()["signing-key"])
    public = {part: value for part, value in evil.items() if part != "d"}
    values = {"jwk": public, "x5c": [base64.b64encode(b"a certificate").decode()]}
    kid = json.loads(secrets(audiolift)["signing-key"])["kid"]
    header = {"typ": "at+jwt", "kid": kid, name: values.get(name, "https://evil.example.com/keys")}
    claims = {"iss": "audiolift", "aud": "audiolift", "sub": "eve", "iat": NOW, "exp": FOREVER}
    refused(audiolift, jwt.encode(claims, jwt.PyJWK(evil).key, "ES256", headers=header))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example.com"},
        {"aud": "another service"},
        {"aud": ["another service"]},
        {"exp": NOW - 3600},
        {"nbf": FOREVER},
        {"iat": FOREVER},
        {"sub": None},
        {"sub": ["eve"]},
    ],
    ids=lambda claims: "-".join(claims),
)
def test_a_token_that_is_for_something_else_or_not_now(audiolift: Audiolift, claims: dict[str, Any]) -> None:
    refused(audiolift, forge(audiolift, **claims))


@pytest.mark.parametrize("typ", ["JWT", "rt+jwt", tokens.LINK_TYPE, "AT+JWT ", ""])
def test_a_token_of_another_type(audiolift: Audiolift, typ: str) -> None:
    refused(audiolift, forge(audiolift, {"typ": typ}))


@pytest.mark.parametrize(
    "kid", ["../../../../dev/null", "/etc/passwd", "' OR 1=1 --", "http://evil.example.com", "\x00", "x" * 20_000]
)
def test_a_key_id_that_leads_elsewhere(audiolift: Audiolift, kid: str) -> None:
    refused(audiolift, forge(audiolift, {"kid": kid}))


def test_a_flood_of_key_ids_is_answered_without_asking_anybody(edge: dict[str, httpx.Client]) -> None:
    """The gateway alone, whose functions are left out of it: no token makes it fetch or start anything."""
    evil = json.loads(keys.make()["signing-key"])
    for _ in range(300):
        header = {"kid": uuid.uuid4().hex, "typ": "at+jwt"}
        token = jwt.encode({"sub": "eve"}, jwt.PyJWK(evil).key, "ES256", headers=header)
        answer = edge["gateway"].get("/v1/jobs", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401


def test_a_token_whose_account_is_gone(audiolift: Audiolift) -> None:
    """Of one that never was, and of one that its owner has just deleted: sweep need not have been there."""
    refused(audiolift, forge(audiolift, sub="eve"))
    gone = audiolift.user()
    gone.http.request("DELETE", "/v1/me", json={"password": PASSWORD}).raise_for_status()
    refused(audiolift, gone.tokens["access_token"])
    for path, content in (("/v1/jobs", b"x"), ("/v1/webhooks", b"{}"), ("/v1/archives", b"{}")):
        check_problem(gone.http.post(path, content=content), 401, "unauthenticated")


def test_a_refresh_token_as_an_access_token(audiolift: Audiolift, user: User) -> None:
    refused(audiolift, user.tokens["refresh_token"])


def test_a_stolen_refresh_token_ends_the_sign_in_of_thief_and_owner(user: User) -> None:
    def refresh(token: str) -> httpx.Response:
        return user.http.post("/v1/token", data={"grant_type": "refresh_token", "refresh_token": token})

    stolen = user.tokens["refresh_token"]
    of_the_thief = refresh(stolen).json()["refresh_token"]
    check_problem(refresh(stolen), 400, "invalid-grant")
    check_problem(refresh(of_the_thief), 400, "invalid-grant")


# Sessions of browsers: a cookie that others may send along, set, or have

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


@contextmanager
def browser(audiolift: Audiolift, user: User) -> Iterator[httpx.Client]:
    """A browser that the user has just signed in with."""
    with httpx.Client(base_url=audiolift.url, timeout=PATIENCE, headers=OWN_PAGE) as client:
        client.post("/v1/session", json={"email": user.email, "password": PASSWORD}).raise_for_status()
        yield client


@pytest.mark.parametrize("path", ["renew", "", "oidc", "password"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.com"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "", "Origin": "null"},
        {"Sec-Fetch-Site": "", "Origin": "https://evil.example.com", "X-Forwarded-Host": "evil.example.com"},
        {"Sec-Fetch-Site": ""},
    ],
)
def test_another_page_that_uses_the_cookie(
    audiolift: Audiolift, user: User, path: str, headers: dict[str, str]
) -> None:
    """It can neither renew, nor end, nor begin a session: not even one of its author's."""
    with browser(audiolift, user) as client:
        before = dict(client.cookies)
        sent = {"Authorization": user.http.headers["Authorization"], **headers}
        for method in ("POST",) if path else ("POST", "DELETE"):
            answer = client.request(method, f"/v1/session/{path}".rstrip("/"), json={}, headers=sent)
            check_problem(answer, 403, "wrong-origin")
            assert "set-cookie" not in answer.headers
        assert dict(client.cookies) == before
        assert client.post("/v1/session/renew", json={}).status_code == 200


@pytest.mark.parametrize("name", ["sign-in", "register", "sign-out", "upload"])
def test_a_form_on_another_page(audiolift: Audiolift, user: User, name: str) -> None:
    with browser(audiolift, user) as client:
        before, cross = dict(client.cookies), {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.com"}
        answer = client.post(f"/plain/{name}", data={"email": user.email, "password": PASSWORD}, headers=cross)
        assert (answer.status_code, answer.headers["X-Problem"]) == (403, "wrong-origin")
        assert dict(client.cookies) == before
        assert client.post("/v1/session/renew").status_code == 200


def test_the_cookie_at_any_other_address(audiolift: Audiolift, user: User) -> None:
    with browser(audiolift, user) as client:
        for each in contract.operations():
            if each.access is Access.TOKEN:
                path, tus = re.sub("<[^>]+>", "0" * 32, each.path), {"Tus-Resumable": "1.0.0"}
                answer = client.request(each.method, path, headers=tus)
                check_problem(answer, 401, "unauthenticated")


def test_a_cookie_that_was_planted(audiolift: Audiolift, user: User) -> None:
    """Session fixation: the attacker's own cookie is there first, or beside the victim's, for a path of its own."""
    eve = audiolift.user()
    with browser(audiolift, eve) as attacker, browser(audiolift, user) as victim:
        planted, own = attacker.cookies["audiolift-session"], victim.cookies["audiolift-session"]
        both = {"Cookie": f"audiolift-session={planted}; audiolift-session={own}"}
        check_problem(
            httpx.post(f"{victim.base_url}/v1/session/renew", headers={**OWN_PAGE, **both}, timeout=PATIENCE),
            401,
            "no-session",
        )
        body = {"email": user.email, "password": PASSWORD}
        signed_in = httpx.post(
            f"{victim.base_url}/v1/session",
            json=body,
            headers={**OWN_PAGE, "Cookie": f"audiolift-session={planted}"},
            timeout=PATIENCE,
        )
        assert planted not in signed_in.headers["set-cookie"]
        check_problem(attacker.post("/v1/session/renew"), 401, "no-session")


def test_a_cookie_that_was_copied(audiolift: Audiolift, user: User) -> None:
    """The thief renews at once, within the grace; the owner goes on, and the thief comes again, too late."""
    with (
        browser(audiolift, user) as owner,
        httpx.Client(base_url=audiolift.url, headers=OWN_PAGE, timeout=PATIENCE) as thief,
    ):
        thief.cookies.update(owner.cookies)
        assert [each.post("/v1/session/renew").status_code for each in (thief, owner, owner)] == [200] * 3
        with sqlite3.connect(audiolift.data / "audiolift.db") as database:
            database.execute("UPDATE refresh_tokens SET used_at = '2026-01-01' WHERE used_at IS NOT NULL")
        check_problem(thief.post("/v1/session/renew"), 401, "no-session")
        check_problem(owner.post("/v1/session/renew"), 401, "no-session")


def test_a_cookie_after_the_end_of_its_session(audiolift: Audiolift, user: User) -> None:
    with browser(audiolift, user) as client:
        kept = client.cookies["audiolift-session"]
        assert client.delete("/v1/session").status_code == 204
        client.cookies.set("audiolift-session", kept)
        check_problem(client.post("/v1/session/renew"), 401, "no-session")


# Sign-in


@pytest.mark.parametrize("size", [257, 60_000, 1_000_000])
def test_a_password_that_is_a_book(user: User, size: int) -> None:
    form = {"grant_type": "password", "username": user.email, "password": "x" * size}
    assert user.http.post("/v1/token", data=form).status_code in (400, 401)
    account = {"email": f"{uuid.uuid4().hex}@example.com", "password": "x" * size}
    assert user.http.post("/v1/users", json=account).status_code in (400, 422)


@pytest.mark.parametrize("body", ['{"email":' * 7000, "[" * 60_000, '{"email": "a@b.c", "password": ' + "[" * 60_000])
def test_json_without_a_bottom(user: User, body: str) -> None:
    answer = user.http.post("/v1/users", content=body, headers={"Content-Type": "application/json"})
    check_problem(answer, 400, "bad-request")


@pytest.mark.parametrize("coding", ["gzip", "BR", "identity, gzip"])
def test_a_body_that_would_have_to_be_unpacked(edge: dict[str, httpx.Client], coding: str) -> None:
    answer = edge["gateway"].post("/v1/users", json={}, headers={"Content-Encoding": coding})
    check_problem(answer, 415, "unsupported-media-type")
    assert answer.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    "trick",
    [
        "{}\u200b@example.com",
        "{}@example\u3002com",
        "{}@ｅxample.com",
        "{}\u212a@example.com",
        "{}@example.com\x00",
        "{}@example.com\r\nBcc: eve@example.com",
        "{}@example.com,eve@example.com",
        "\u202e{}@example.com",
        "=?utf-8?q?{}?=@example.com",
        '"{}"@example.com',
        "{}@[127.0.0.1]",
        "{}@xn--.com@example.com",
    ],
)
def test_an_address_that_is_another_for_others(user: User, trick: str) -> None:
    account = {"email": trick.format(uuid.uuid4().hex), "password": PASSWORD}
    check_problem(user.http.post("/v1/users", json=account), 422, "invalid-account")


def test_an_address_in_other_letters_is_the_same_account(user: User) -> None:
    for email in (user.email.upper(), f" {user.email}", f"{user.email}\t"):
        check_problem(user.http.post("/v1/users", json={"email": email, "password": PASSWORD}), 409, "email-taken")


def test_the_time_of_an_answer_does_not_tell_who_has_an_account(edge: dict[str, httpx.Client]) -> None:
    """Wrong passwords of known and unknown addresses, in turn, until it is sure that the times are of one kind."""
    login, email = edge["login"], ""
    known: list[float] = []
    unknown: list[float] = []
    for _ in range(10):
        for _ in range(3):
            email, other = (f"{uuid.uuid4().hex}@example.com" for _ in range(2))
            login.post("/v1/users", json={"email": email, "password": PASSWORD}).raise_for_status()
            # After ten, who guesses has to wait.
            for _ in range(8):
                known.append(seconds_of(login, email))
                unknown.append(seconds_of(login, other))
        if 0.35 < share_slower(known, unknown) < 0.65:
            break
    assert 0.25 < share_slower(known, unknown) < 0.75
    # The measure would see it: an answer for which no password is checked.
    quick = [seconds_of(login, email, grant="none") for _ in range(40)]
    assert share_slower(known, quick) > 0.9


def seconds_of(login: httpx.Client, email: str, grant: str = "password") -> float:
    form = {"grant_type": grant, "username": email, "password": "not the password"}
    begun = time.perf_counter()
    assert login.post("/v1/token", data=form).status_code in (400, 401)
    return time.perf_counter() - begun


def share_slower(these: list[float], those: list[float]) -> float:
    """Of all pairs, the share in which the one of `these` took longer (Mann and Whitney's U, as a share)."""
    return sum(one > other for one in these for other in those) / (len(these) * len(those))


def test_the_answer_does_not_tell_who_has_an_account(user: User) -> None:
    said = []
    for email in (user.email, f"{uuid.uuid4().hex}@example.com"):
        form = {"grant_type": "password", "username": email, "password": "not the password"}
        answer = user.http.post("/v1/token", data=form)
        told_by = {name: value for name, value in answer.headers.items() if name not in ("date", "x-request-id")}
        said.append((answer.status_code, answer.text, told_by))
    assert said[0] == said[1]


# Sign-in by an identity provider; what a browser does is in tests/browser/test_oidc.py


def post(by_provider: tuple[Audiolift, OidcProvider], path: str, **more: Any) -> httpx.Response:
    return httpx.post(f"{by_provider[0].url}{path}", timeout=PATIENCE, **more)


def finish(by_provider: tuple[Audiolift, OidcProvider], given: dict[str, str]) -> httpx.Response:
    return post(by_provider, "/v1/oidc/callback", json=given)


def come_back(by_provider: tuple[Audiolift, OidcProvider], name: str = "", **claims: Any) -> dict[str, str]:
    """What the page would send, after somebody new has signed in at the provider."""
    name, provider = name or uuid.uuid4().hex, by_provider[1]
    provider.know(name, **{"email": f"{name}@example.com", "email_verified": True, **claims})
    started = post(by_provider, "/v1/oidc/start").json()
    back = provider.sign_in(started["authorization_url"], name)
    kept = {name: started[name] for name in ("nonce", "code_verifier")}
    return {"code": back["code"], "iss": back["iss"], **kept}


def test_a_code_that_is_replayed(by_provider: tuple[Audiolift, OidcProvider]) -> None:
    given = come_back(by_provider)
    assert finish(by_provider, given).status_code == 200
    check_problem(finish(by_provider, given), 400, "sign-in-refused")


def test_a_code_that_was_seen_on_its_way(by_provider: tuple[Audiolift, OidcProvider]) -> None:
    """Without what the victim's tab keeps, it is worth nothing; nor is it with what the attacker's has."""
    own = post(by_provider, "/v1/oidc/start").json()
    stolen = {**come_back(by_provider), "nonce": own["nonce"], "code_verifier": own["code_verifier"]}
    check_problem(finish(by_provider, stolen), 400, "sign-in-refused")


def test_a_code_that_is_pushed_onto_the_victim(by_provider: tuple[Audiolift, OidcProvider]) -> None:
    """Session fixation: the victim's tab would send the attacker's code with its own nonce and verifier."""
    of_eve, of_anna = come_back(by_provider), come_back(by_provider)
    check_problem(finish(by_provider, {**of_anna, "code": of_eve["code"]}), 400, "sign-in-refused")


def test_a_redirect_to_somewhere_else(by_provider: tuple[Audiolift, OidcProvider]) -> None:
    evil = "https://evil.example.com/"
    headers = {"X-Forwarded-Host": "evil.example.com", "Origin": evil, "Referer": evil}
    for more in (
        {"params": {"redirect_uri": evil}},
        {"json": {"redirect_uri": evil}},
        {"data": {"redirect_uri": evil}},
    ):
        started = post(by_provider, "/v1/oidc/start", headers=headers, **more).json()
        assert "evil" not in started["authorization_url"]
    assert finish(by_provider, {**come_back(by_provider), "redirect_uri": evil}).status_code == 200


def test_a_stolen_token_that_would_let_an_identity_in_for_good(by_provider: tuple[Audiolift, OidcProvider]) -> None:
    victim = by_provider[0].user()
    linking = {**come_back(by_provider), "password": "a guess, and a long one"}
    check_problem(victim.http.post("/v1/me/identities", json=linking), 403, "wrong-password")
    check_problem(victim.http.post("/v1/me/identities", json=come_back(by_provider)), 400, "bad-request")
    assert victim.http.get("/v1/me/identities").json() == {"items": []}


def test_an_identity_that_opens_another_account_already(by_provider: tuple[Audiolift, OidcProvider]) -> None:
    victim, eve = by_provider[0].user(), by_provider[0].user()
    name = uuid.uuid4().hex
    linked = victim.http.post("/v1/me/identities", json={**come_back(by_provider, name), "password": PASSWORD})
    assert linked.status_code == 201
    again = eve.http.post("/v1/me/identities", json={**come_back(by_provider, name), "password": PASSWORD})
    check_problem(again, 409, "identity-taken")
    there = f"/v1/me/identities/{linked.json()['id']}"
    check_problem(eve.http.request("DELETE", there, json={"password": PASSWORD}), 404, "not-found")
    check_problem(victim.http.request("DELETE", there, json={"password": "not hers, and long"}), 403, "wrong-password")
    assert victim.http.get("/v1/me/identities").json()["items"] == [linked.json()]
    assert victim.http.request("DELETE", there, json={"password": PASSWORD}).status_code == 204


def test_another_persons_address_at_the_provider(by_provider: tuple[Audiolift, OidcProvider]) -> None:
    victim = by_provider[0].user()
    for verified, status, code in ((False, 403, "email-unverified"), (True, 409, "email-taken")):
        given = come_back(by_provider, email=victim.email, email_verified=verified)
        check_problem(finish(by_provider, given), status, code)
    assert victim.sign_in()


# Other people's things: every route of the API, by nobody and by somebody else

GUARDED = [each for each in contract.operations() if each.access is Access.TOKEN]
# Operators see everybody's; who is none is told so.
OF_ONE_JOB = [each for each in GUARDED if "<job_id>" in each.path and each.scope is not Scope.ADMIN]


def named(operation: contract.Target) -> str:
    return f"{operation.method} {operation.path}"


@pytest.mark.parametrize("operation", GUARDED, ids=named)
def test_without_a_token(audiolift: Audiolift, done: dict[str, Any], operation: contract.Target) -> None:
    path = operation.path.replace("<job_id>", done["id"]).replace("<upload_id>", done["id"])
    for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": "Basic YTpi"}, {"Cookie": "token=x"}):
        answer = httpx.request(operation.method, f"{audiolift.url}{path}", headers=headers, timeout=PATIENCE)
        check_problem(answer, 401, "unauthenticated")


@pytest.mark.parametrize("operation", OF_ONE_JOB, ids=named)
def test_somebody_elses_job(user: User, owner: User, done: dict[str, Any], operation: contract.Target) -> None:
    """Answered as a job that does not exist, and nothing happens to it."""
    before = owner.job(done["id"])
    theirs = user.http.request(operation.method, operation.path.replace("<job_id>", done["id"]))
    nobodys = user.http.request(operation.method, operation.path.replace("<job_id>", uuid.uuid4().hex))
    check_problem(theirs, 404, "not-found")
    assert theirs.json() == nobodys.json()
    assert owner.job(done["id"]) == before


def test_somebody_elses_jobs_are_in_no_list(user: User, done: dict[str, Any]) -> None:
    for query in (
        {},
        {"state": "done"},
        {"user_id": "x"},
        {"limit": "100"},
        {"cursor": base64.b64encode(b"x").decode()},
    ):
        assert done["id"] not in user.http.get("/v1/jobs", params=query).text


def test_a_method_that_another_header_names(owner: User, done: dict[str, Any]) -> None:
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        assert owner.http.get(f"/v1/jobs/{done['id']}", headers={name: "DELETE"}).status_code == 200
    assert owner.http.get(f"/v1/jobs/{done['id']}", params={"_method": "DELETE"}).status_code == 200
    assert owner.job(done["id"])["state"] == "done"


def test_somebody_elses_upload_and_its_parts(user: User, owner: User, audiolift: Audiolift) -> None:
    """Read, written over, ended, or made a part of another video."""
    tus = {"Tus-Resumable": "1.0.0"}
    sent = {**tus, "Upload-Length": "10", "Content-Type": "application/offset+octet-stream"}
    theirs = owner.http.post("/v1/uploads", content=b"0123", headers={**sent, "Upload-Concat": "partial"})
    path = theirs.headers["Location"]
    for concat in (path, f"{audiolift.url}{path}", f"https://x{path} {path}/../{'0' * 32}"):
        stolen = user.http.post("/v1/uploads", headers={**tus, "Upload-Concat": f"final;{concat}"})
        assert stolen.status_code in (400, 404)
    for headers in ({**sent, "Upload-Offset": "4"}, {**sent, "Upload-Offset": "0"}):
        check_problem(user.http.patch(path, content=b"456789", headers=headers), 404, "not-found")
        override = {**headers, "X-HTTP-Method-Override": "PATCH"}
        check_problem(user.http.post(path, content=b"456789", headers=override), 404, "not-found")
    check_problem(user.http.delete(path, headers=tus), 404, "not-found")
    check_problem(user.http.post(path, headers={**tus, "X-HTTP-Method-Override": "DELETE"}), 404, "not-found")
    assert owner.http.head(path, headers=tus).headers["Upload-Offset"] == "4"
    owner.http.delete(path, headers=tus).raise_for_status()


@pytest.mark.parametrize("path", ["..%2fvideo", "%00", "'", "0" * 31 + "%0a", "%2e%2e%2fjobs", "A" * 32])
def test_an_upload_that_is_a_path(user: User, path: str) -> None:
    for method in ("HEAD", "PATCH", "DELETE"):
        sent = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
        assert user.http.request(method, f"/v1/uploads/{path}", headers=sent).status_code in (404, 405)


def test_metadata_that_is_more_than_a_name(user: User) -> None:
    sent = {"Tus-Resumable": "1.0.0", "Upload-Length": "10"}
    for key, value in (("state", "done"), ("user_id", "x"), ("id", "0" * 32), ("video", "../../secrets.json")):
        pair = f"{key} {base64.b64encode(value.encode()).decode()}"
        answer = user.http.post("/v1/uploads", headers={**sent, "Upload-Metadata": pair})
        assert key in check_problem(answer, 400, "bad-option")["detail"]
    name = base64.b64encode(b"../../etc/passwd\r\nBcc: all@example.com").decode()
    made = user.http.post("/v1/uploads", headers={**sent, "Upload-Metadata": f"filename {name}"})
    job = user.job(made.headers["Location"].rpartition("/")[2])
    assert job["filename"] == "passwdBcc: all@example.com"
    user.http.delete(made.headers["Location"], headers=sent)


def test_a_signed_link_that_is_changed(audiolift: Audiolift, owner: User, done: dict[str, Any]) -> None:
    (mail,) = [each for each in owner.wait_for_mails(1) if "/v1/files/" in each["text"]][:1]
    link = re.search(r"/v1/files/(\S+)", mail["text"])
    assert link
    head, body, signature = link[1].split(".")
    assert owner.http.head(link[0]).status_code == 200
    other = encoded({"sub": uuid.uuid4().hex, "exp": FOREVER})
    later = encoded({**json.loads(base64.urlsafe_b64decode(body + "==")), "exp": FOREVER})
    unsigned = encoded({"alg": "none", "typ": tokens.LINK_TYPE})
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    for tampered in (
        f"{head}.{other}.{signature}",
        f"{head}.{later}.{signature}",
        f"{head}.{body}.{flipped}",
        f"{unsigned}.{body}.",
        f"{head}.{body}.",
        f"{head}.{body}",
        forge(audiolift, sub=done["id"]),
        forge(audiolift, {"typ": tokens.LINK_TYPE}, sub=done["id"]),
    ):
        answer = httpx.get(f"{audiolift.url}/v1/files/{tampered}", timeout=PATIENCE)
        check_problem(answer, 404, "not-found")


# What a request may set


def test_members_that_are_not_the_callers_to_set(user: User) -> None:
    email, id_ = f"{uuid.uuid4().hex}@example.com", "0" * 32
    more = {"id": id_, "role": "operator", "roles": ["operator"], "email_verified": True, "password_hash": "x"}
    more |= {"created_at": "2000-01-01T00:00:00Z", "is_admin": True, "quota": 10**9}
    made = user.http.post("/v1/users", json={"email": email, "password": PASSWORD, **more})
    assert made.status_code in (201, 400, 422)
    if made.status_code == 201:
        assert made.json()["id"] != id_
        assert not made.json()["created_at"].startswith("2000")
        assert "operator" not in made.text


def test_what_is_not_the_callers_to_say_of_a_job(user: User, owner: User, empty: Path) -> None:
    theirs = owner.http.get("/v1/me").json()["id"]
    more = {"id": "0" * 32, "user_id": theirs, "state": "done", "audio": "x", "video": "../../secrets.json"}
    query = {"filename": "mine.mp4", **more}
    answer = user.http.post("/v1/jobs", params=query, content=b"x", headers={"Content-Type": "video/mp4"})
    assert answer.status_code in (202, 400)
    if answer.status_code == 202:
        job = answer.json()
        assert (job["id"] != "0" * 32, job["state"] != "done") == (True, True)
        assert user.job(job["id"])
        check_problem(owner.http.get(f"/v1/jobs/{job['id']}"), 404, "not-found")


# What we are to fetch

INWARD = [
    "http://127.0.0.1:8080/v1/me",
    "http://localhost/",
    "http://[::1]/",
    "http://[::ffff:169.254.169.254]/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://0x7f.1/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[fe80::1%25lo]/",
    "http://user@127.0.0.1/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "http://example.com\\@127.0.0.1/",
    "http://127.0.0.1\r\nHost: example.com/",
    "//127.0.0.1/",
]


@pytest.mark.parametrize("url", INWARD)
def test_a_url_that_leads_into_our_network(user: User, url: str) -> None:
    single = user.http.post("/v1/jobs", json={"source_url": url})
    (item,) = user.http.post("/v1/batches", json={"items": [{"source_url": url}]}).json()["items"]
    if single.status_code == 202:
        # A name, which is looked up when it is connected to.
        for job in (single.json(), item["job"]):
            assert user.wait(job["id"])["error"]["code"] in ("refused-url", "unreachable")
    else:
        check_problem(single, 400, "bad-request")
        assert item["status"] == 400


def test_a_batch_that_is_a_bomb(user: User) -> None:
    deep = '{"items": ' + "[" * 100_000 + "]" * 100_000 + "}"
    wide = '{"items": [' + ",".join(["0"] * 1_000_000) + "]}"
    huge = '{"items": ["' + "x" * 5_000_000 + '"]}'
    for body in (deep, wide, huge):
        answer = user.http.post("/v1/batches", content=body, headers={"Content-Type": "application/json"})
        check_problem(answer, 400, "bad-request")
    many = {"source_url": "https://example.com/", **{f"x{number}": number for number in range(1000)}}
    (item,) = user.http.post("/v1/batches", json={"items": [many]}).json()["items"]
    assert item["status"] == 400


def test_somebody_elses_batch_and_key(user: User, owner: User) -> None:
    items, once = [{"source_url": "https://nobody.invalid/x.mp4"}], {"Idempotency-Key": uuid.uuid4().hex}
    theirs = owner.http.post("/v1/batches", json={"items": items}, headers=once).json()
    mine = user.http.post("/v1/batches", json={"items": items}, headers=once).json()
    assert mine["id"] != theirs["id"]
    assert user.http.get("/v1/jobs", params={"batch": theirs["id"]}).json()["items"] == []


# Addresses and names

INJECTIONS = [
    "a\r\nSet-Cookie: evil=1\r\n\r\n<html>.mp4",
    'a"; filename="evil.html',
    "a\n.mp4",
    "../../../etc/cron.d/x.mp4",
]


@pytest.mark.parametrize("name", INJECTIONS)
def test_a_file_name_that_ends_a_header(user: User, video: Path, name: str) -> None:
    job = user.convert(video, filename=name)
    assert job["state"] == "done"
    answer = user.http.get(job["links"]["audio"])
    assert "set-cookie" not in answer.headers
    (disposition,) = answer.headers.get_list("Content-Disposition")
    kind, parameters = parse_options_header(disposition)
    assert (kind, list(parameters)) == ("attachment", ["filename"])
    assert parameters["filename"].endswith(".mp3")
    assert not {"\r", "\n", "/", "\\"} & set(parameters["filename"])
    mail = user.wait_for_mails(1)[0]
    assert "\n" not in mail["subject"]


@pytest.mark.parametrize("value", ["a b", "<script>", "x" * 1000, "é", '"', "a\tb"])
def test_a_request_id_that_is_none(audiolift: Audiolift, value: str) -> None:
    headers = {"X-Request-Id": value.encode()}
    answer = httpx.get(f"{audiolift.url}/v1/me", headers=headers, timeout=PATIENCE)  # type: ignore[arg-type]
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-Id"])


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example.com",
        "//evil.example.com/%2e%2e",
        "/%2f%2fevil.example.com",
        "/%5cevil.example.com",
        "/v1/jobs/",
        "/v1//jobs",
        "/v1/docs/..//evil.example.com",
        "/?next=https://evil.example.com",
        "/v1/oidc?redirect_uri=https://evil.example.com",
    ],
)
def test_a_redirect_that_leads_away(edge: dict[str, httpx.Client], path: str) -> None:
    head, _ = talk(edge["gateway"], b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path.encode())[0]
    assert not 300 <= head < 400


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../main.py",
        "/assets/..%2fmain.py",
        "/assets/%2e%2e/main.py",
        "/assets/%2e%2e%2fmain.py",
        "/assets/..%5cmain.py",
        "/assets/%252e%252e%252fmain.py",
        "/assets/....//main.py",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/assets/app.js%00.html",
        "/assets/sound",
        "/assets/sound/",
        "/assets/sound/.",
        "/assets/sound/..",
        "/assets/sound/../../main.py",
        "/assets/sound/..%2fapp.js",
        "/assets/.",
        "/assets/",
        "/assets/%c0%ae%c0%ae/main.py",
        "/assets/current/../main.py",
        "/assets/current/..%2f..%2fmain.py",
        "/assets/current/core/..%2f..%2f..%2fmain.py",
        "/assets/current/%2fetc%2fpasswd",
        "/assets/current/index.html",
        "/assets/current/icon.svg%00",
    ],
)
def test_a_file_that_is_not_of_the_page(edge: dict[str, httpx.Client], path: str) -> None:
    request = b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path.encode()
    ((status, body),) = talk(edge["gateway"], request)
    assert status == 404
    assert json.loads(body)["code"] == "not-found"


@pytest.mark.parametrize("host", ["evil.example.com", "evil:1", "evil.example.com:80\tx", "evil b", "'\"><script>evil"])
def test_a_host_of_the_attackers_choice(edge: dict[str, httpx.Client], host: str) -> None:
    """Nothing that we say, link or send is made from it."""
    for name in ("gateway", "login"):
        for path in ("/", "/v1/users", "/.well-known/jwks.json", "/v1/nothing"):
            request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Host: {host}\r\nConnection: close\r\n\r\n"
            answer = said(edge[name], request.encode())
            assert answer
            assert b"evil" not in answer


def test_a_host_that_a_proxy_is_said_to_have_seen(owner: User, done: dict[str, Any]) -> None:
    evil = {"X-Forwarded-Host": "evil.example.com", "Forwarded": "host=evil.example.com", "X-Original-URL": "/v1/me"}
    for path in (f"/v1/jobs/{done['id']}", "/v1/jobs", "/v1/me"):
        answer = owner.http.get(path, headers=evil)
        assert answer.status_code == 200
        assert "evil" not in answer.text + str(answer.headers)


# Webhooks: what their owner makes us post, and where to; names that lead inside are in tests/unit/test_webhooks.py


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:8080/v1/admin/jobs",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "https://10.0.0.1/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https://user:password@example.com/",
        "https://example.com/\r\nX-Evil: 1",
        "https://example.com/ HTTP/1.1",
        "https://bücher.example/",
        "https://",
    ],
)
def test_a_webhook_that_leads_inside(user: User, url: str) -> None:
    check_problem(user.http.post("/v1/webhooks", json={"url": url}), 400, "bad-request")
    made = user.http.post("/v1/webhooks", json={"url": "https://nowhere.invalid/"}).raise_for_status().json()
    check_problem(user.http.patch(f"/v1/webhooks/{made['id']}", json={"url": url}), 400, "bad-request")
    assert user.http.get(f"/v1/webhooks/{made['id']}").json()["url"] == "https://nowhere.invalid/"


def test_a_webhook_s_secret_of_the_attackers_choice(user: User) -> None:
    chosen = {"url": "https://nowhere.invalid/", "secret": "whsec_AAAA", "id": "0" * 32}
    check_problem(user.http.post("/v1/webhooks", json=chosen), 400, "bad-request")


@pytest.mark.parametrize(
    "number", ["json://evil.example/{number}", "+49151/12345678?x=", "+4915112345678@evil", "{number}", "+\r\n1234567"]
)
def test_a_number_for_sms_that_is_more_than_a_number(user: User, number: str) -> None:
    """It becomes a part of the operator's URL."""
    check_problem(user.http.put("/v1/me/phone", json={"number": number}), 400, "bad-request")


# Request smuggling (RFC 9112, section 11.2): shapes that two programs may take for different requests

POST = b"POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
GET = b"GET /v1/nothing HTTP/1.1\r\n"
JWKS = b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
SHAPES = {
    "Content-Length before Transfer-Encoding": POST + b"Content-Length: 4\r\n" + CHUNKED + b"0\r\n\r\n",
    "Transfer-Encoding before Content-Length": POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n",
    "the same length twice": POST + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "a list of lengths": POST + b"Content-Length: 0, 44\r\n\r\n",
    "a signed length": POST + b"Content-Length: +0\r\n\r\n",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a hexadecimal length": POST + b"Content-Length: 0x0\r\n\r\n",
    "an empty length": POST + b"Content-Length: \r\n\r\n",
    "a length beyond all numbers": POST + b"Content-Length: 18446744073709551616\r\n\r\n",
    "a space before the colon of a length": POST + b"Content-Length : 0\r\n\r\n",
    "a space before the colon of a coding": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a coding that is none": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a coding before chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a coding after chunked": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "two codings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked behind a control character": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunked in quotes": POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "chunked in HTTP/1.0": POST.replace(b"1.1", b"1.0") + b"Connection: keep-alive\r\n" + CHUNKED + b"0\r\n\r\n",
    "a folded line": POST + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "a folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a folded first line": GET + b" Host: x\r\n\r\n",
    "bare line feeds": POST.replace(b"\r\n", b"\n") + b"Content-Length: 0\n\n",
    "a bare line feed at the end": POST + b"Content-Length: 0\r\n\n",
    "a bare carriage return": POST + b"X: a\rTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
    "a null": POST + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "a space in a name": POST + b"X Y: b\r\nContent-Length: 0\r\n\r\n",
    "a line without a colon": POST + b"nothing\r\nContent-Length: 0\r\n\r\n",
    "a chunk that ends with a line feed": POST + CHUNKED + b"0\n\n",
    "a chunk extension that ends with a line feed": POST + CHUNKED + b"0;a\n\r\n\r\n",
    "a chunk size in another notation": POST + CHUNKED + b"0x0\r\n\r\n",
    "a chunk size with a space": POST + CHUNKED + b"0 \r\n\r\n",
    "a negative chunk": POST + CHUNKED + b"-1\r\n\r\n",
    "a chunk beyond all numbers": POST + CHUNKED + b"10000000000000000\r\n\r\n",
    "a chunk longer than it says": POST + CHUNKED + b"1\r\nab0\r\n\r\n",
    "two hosts": GET + b"Host: x\r\nHost: y\r\n\r\n",
    "no host": GET + b"\r\n",
    "HTTP/0.9": b"GET /v1/nothing\r\n\r\n",
    "HTTP/2 in plain text": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/2.0 by name": GET.replace(b"1.1", b"2.0") + b"Host: x\r\n\r\n",
    "HTTP/1.2": GET.replace(b"1.1", b"1.2") + b"Host: x\r\n\r\n",
    "a space in the address": b"GET /v1/a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "a control character in the address": b"GET /v1/a\x01b HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tunnel": b"CONNECT evil.example.com:443 HTTP/1.1\r\nHost: evil.example.com:443\r\n\r\n",
    "a method that is none": b"G@T / HTTP/1.1\r\nHost: x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}
SMUGGLED = b"GET /v1/smuggled?secret HTTP/1.1\r\nHost: x\r\nX-Secret: secret\r\n\r\n"


def said(client: httpx.Client, request: bytes) -> bytes:
    """All that a server says to these bytes until it ends the connection."""
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=PATIENCE) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as stream:
            return stream.read()


def talk(client: httpx.Client, request: bytes) -> list[tuple[int, bytes]]:
    """The answers to these bytes: status and body of each."""
    found = re.split(rb"HTTP/1\.1 (\d{3}) ", said(client, request))
    return [
        (int(status), rest.partition(b"\r\n\r\n")[2]) for status, rest in zip(found[1::2], found[2::2], strict=True)
    ]


@pytest.mark.parametrize("name", ["gateway", "login"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_request_that_may_be_two(edge: dict[str, httpx.Client], name: str, shape: bytes) -> None:
    """It is answered once, by 400 as problem details that repeat nothing; what follows is never looked at."""
    ((status, body),) = talk(edge[name], shape + SMUGGLED)
    assert status == 400
    assert json.loads(body)["code"] == "bad-request"
    assert b"secret" not in body


@pytest.mark.parametrize("name", ["gateway", "login"])
@pytest.mark.parametrize("protocol", [b"websocket", b"h2c", b"HTTP/2.0, SHTTP/1.3"])
def test_a_change_of_protocol_that_hides_a_request(edge: dict[str, httpx.Client], name: str, protocol: bytes) -> None:
    upgrade = GET + b"Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: " + protocol + b"\r\n\r\n"
    ((status, _),) = talk(edge[name], upgrade + SMUGGLED)
    assert status == 404


@pytest.mark.parametrize("name", ["gateway", "login"])
def test_a_sound_request_before_a_broken_one_is_answered_and_the_broken_one_is_not(
    edge: dict[str, httpx.Client], name: str
) -> None:
    ((status, _),) = talk(edge[name], GET + b"Host: x\r\n\r\n" + SHAPES["two lengths"] + SMUGGLED)
    assert status == 404


@pytest.mark.parametrize("name", ["gateway", "login"])
def test_a_body_that_is_a_request_is_a_body(edge: dict[str, httpx.Client], name: str) -> None:
    body = GET + b"Host: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED)
    ((status, _),) = talk(edge[name], body + SMUGGLED)
    assert status == 404


@pytest.mark.parametrize("name", ["gateway", "login"])
@pytest.mark.parametrize("size", [70_000, 3_000_000])
def test_a_head_without_end(edge: dict[str, httpx.Client], name: str, size: int) -> None:
    ((status, body),) = talk(edge[name], JWKS + b"X-Secret: " + b"secret" * (size // 6) + b"\r\n\r\n")
    assert status == 431
    assert json.loads(body)["code"] == "headers-too-large"
    assert b"secret" not in body
