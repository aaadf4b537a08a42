"""The HTTP API, through the gateway: accounts, tokens, whose job it is, and what it says when something is wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest

from tests.e2e.inside import check_problem, forge, secrets
from tests.patience import PATIENCE
from tests.system import PASSWORD, Audiolift, User

NOBODY = "0" * 32


@pytest.fixture
def anyone(audiolift: Audiolift) -> Iterator[httpx.Client]:
    """A client without a token."""
    with httpx.Client(base_url=audiolift.url, timeout=PATIENCE) as client:
        yield client


@pytest.mark.parametrize(
    ("account", "about"),
    [
        ({"email": "nobody", "password": PASSWORD}, "email"),
        ({"email": "two@at@example.com", "password": PASSWORD}, "email"),
        ({"email": "line\nfeed@example.com", "password": PASSWORD}, "email"),
        ({"email": ["a@example.com"], "password": PASSWORD}, "email"),
        ({"password": PASSWORD}, "email"),
        ({"email": "a@example.com", "password": "short"}, "password"),
        ({"email": "a@example.com", "password": "x" * 257}, "password"),
        ({"email": "a@example.com"}, "password"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_account_that_cannot_be_is_refused_with_the_field_to_mend(
    anyone: httpx.Client, account: dict[str, Any], about: str
) -> None:
    problem = check_problem(anyone.post("/v1/users", json=account), 422, "invalid-account")

    assert problem["detail"].startswith(f"`{about}`")


def test_an_address_has_one_account_however_it_is_written(anyone: httpx.Client, user: User) -> None:
    again = anyone.post("/v1/users", json={"email": user.email.upper(), "password": PASSWORD})

    check_problem(again, 409, "email-taken")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        pytest.param(b"[" * 5000, id="deep"),
        pytest.param(b'{"email": "' + b"a" * 70_000 + b'"}', id="large"),
        pytest.param(rb'{"email": "\ud800@example.com", "password": "long enough"}', id="half a character"),
    ],
)
def test_what_is_no_json_object_is_refused(anyone: httpx.Client, body: bytes) -> None:
    response = anyone.post("/v1/users", content=body, headers={"Content-Type": "application/json"})

    check_problem(response, 400, "bad-request")


def test_an_account_comes_as_json_only(anyone: httpx.Client) -> None:
    check_problem(anyone.post("/v1/users", data={"email": "a@example.com"}), 415, "unsupported-media-type")


def test_a_wrong_password_and_an_unknown_address_are_answered_alike(anyone: httpx.Client, user: User) -> None:
    said = [
        check_problem(sign_in(anyone, username=name, password=password), 401, "invalid-credentials")
        for name, password in ((user.email, "not the password"), ("nobody@example.com", PASSWORD))
    ]

    assert said[0] == said[1]
    assert said[0]["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "form", [{}, {"username": "a@example.com", "password": PASSWORD}, {"grant_type": "implicit"}], ids=str
)
def test_a_grant_type_that_is_not_offered_is_named_as_such(anyone: httpx.Client, form: dict[str, str]) -> None:
    problem = check_problem(anyone.post("/v1/token", data=form), 400, "unsupported-grant")

    assert problem["error"] == "unsupported_grant_type"


def test_a_form_for_a_token_is_bounded(anyone: httpx.Client) -> None:
    check_problem(sign_in(anyone, username="a" * 100_000, password=PASSWORD), 400, "bad-request")


def test_http_basic_signs_in(anyone: httpx.Client, user: User) -> None:
    response = anyone.post("/v1/token", auth=(user.email, PASSWORD))

    assert response.json()["token_type"] == "Bearer"
    check_problem(anyone.post("/v1/token", auth=(user.email, "wrong")), 401, "invalid-credentials")


def test_a_refresh_token_is_good_once_and_its_theft_ends_the_family(anyone: httpx.Client, user: User) -> None:
    first = user.sign_in()["refresh_token"]
    second = refresh(anyone, first).json()["refresh_token"]

    check_problem(refresh(anyone, first), 400, "invalid-grant")
    check_problem(refresh(anyone, second), 400, "invalid-grant")


@pytest.mark.parametrize("token", ["", "made up", "é" * 1000])
def test_an_unknown_refresh_token_is_refused(anyone: httpx.Client, token: str) -> None:
    check_problem(refresh(anyone, token), 400, "invalid-grant")


def test_a_token_says_whose_it_is(audiolift: Audiolift, anyone: httpx.Client, user: User) -> None:
    assert user.http.get("/v1/me").json()["email"] == user.email
    check_problem(get(anyone, forge(audiolift), "/v1/me"), 401, "unauthenticated")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic YTpi", "Bearer a.b.c", "Bearer ÿ", "Bearer a b"])
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/me"])
def test_without_a_token_there_is_a_challenge(anyone: httpx.Client, path: str, header: str | None) -> None:
    headers = {} if header is None else {b"Authorization": header.encode()}
    response = anyone.get(path, headers=headers)

    check_problem(response, 401, "unauthenticated")
    assert response.headers["WWW-Authenticate"].startswith("Bearer ")


def test_tokens_that_are_over_or_meant_for_something_else_are_refused(
    audiolift: Audiolift, anyone: httpx.Client, user: User
) -> None:
    good = {"iss": "audiolift", "aud": "audiolift", "sub": "nobody", "iat": 1, "exp": 2**40}
    forged = {
        "over": forge(audiolift, exp=int(time.time()) - 3600),
        "other issuer": forge(audiolift, iss="elsewhere"),
        "other audience": forge(audiolift, aud="elsewhere"),
        "no end": jwt.encode({"sub": "nobody"}, "x" * 32, "HS256"),
        "an ID token": forge(audiolift, {"typ": "JWT"}),
        "unknown key": forge(audiolift, {"kid": "another"}),
        "no signature": jwt.encode(good, "", "none", headers={"typ": "at+jwt"}),
        "a link": jwt.encode(good, secrets(audiolift)["link-secret"], "HS256", headers={"typ": "at+jwt"}),
    }

    for what, token in forged.items():
        assert get(anyone, token, "/v1/jobs").status_code == 401, what
    sub = user.http.get("/v1/me").json()["id"]
    assert get(anyone, forge(audiolift, sub=sub), "/v1/jobs").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("POST", "/retry"),
        ("GET", "/events"),
        ("GET", "/audio"),
        ("HEAD", "/audio"),
    ],
)
def test_somebody_elses_job_does_not_exist(
    user: User, owner: User, done: dict[str, Any], method: str, path: str
) -> None:
    theirs = user.http.request(method, f"/v1/jobs/{done['id']}{path}")
    none = user.http.request(method, f"/v1/jobs/{NOBODY}{path}")

    assert theirs.status_code == none.status_code == 404
    assert theirs.text == none.text
    assert owner.job(done["id"])["updated_at"] == done["updated_at"]


def test_somebody_elses_running_job_goes_on(audiolift: Audiolift, user: User, failed: dict[str, Any]) -> None:
    other = audiolift.user()

    check_problem(other.http.post(f"/v1/jobs/{failed['id']}/retry"), 404, "not-found")
    check_problem(other.http.delete(f"/v1/jobs/{failed['id']}"), 404, "not-found")
    assert user.job(failed["id"]) == failed
    assert other.http.get("/v1/jobs").json()["items"] == []


@pytest.mark.parametrize("path", ["/v1", "/v1/nothing", "/v1/jobs/", "/v1//jobs", "/v1/jobs/a/b", "/assets/../main.py"])
def test_an_address_that_leads_nowhere_is_not_found(anyone: httpx.Client, path: str) -> None:
    check_problem(anyone.get(path), 404, "not-found")


@pytest.mark.parametrize("job_id", ["%00", "%ff", "..%2f..%2fetc", "'; DROP TABLE jobs;--", "a" * 5000, "%F0%9F%8E%AC"])
def test_a_hostile_id_is_just_not_found(user: User, job_id: str) -> None:
    for path in ("", "/audio", "/events"):
        check_problem(user.http.get(f"/v1/jobs/{job_id}{path}"), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/jobs", "GET, HEAD, POST"),
        ("GET", "/v1/users", "POST"),
        ("DELETE", "/v1/token", "POST"),
        ("PUT", f"/v1/jobs/{NOBODY}", "DELETE, GET, HEAD, PATCH"),
        ("POST", f"/v1/jobs/{NOBODY}/audio", "GET, HEAD"),
        ("TRACE", "/", "GET, HEAD"),
    ],
)
def test_a_method_that_is_not_taken_is_answered_with_those_that_are(
    anyone: httpx.Client, method: str, path: str, allowed: str
) -> None:
    response = anyone.request(method, path)

    check_problem(response, 405, "method-not-allowed")
    assert response.headers["Allow"] == allowed


def test_every_answer_carries_the_security_headers(anyone: httpx.Client, user: User) -> None:
    for response in (anyone.get("/"), anyone.get("/v1/jobs"), user.http.get("/v1/jobs"), anyone.get("/nothing")):
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def sign_in(client: httpx.Client, **form: str) -> httpx.Response:
    return client.post("/v1/token", data={"grant_type": "password", **form})


def refresh(client: httpx.Client, token: str) -> httpx.Response:
    return client.post("/v1/token", data={"grant_type": "refresh_token", "refresh_token": token})


def get(client: httpx.Client, token: str, path: str) -> httpx.Response:
    return client.get(path, headers={"Authorization": f"Bearer {token}"})
