"""What the gateway tells browsers: whose pages may use the API, and what they must not do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from functions.gateway import cors
from functions.shared.settings import SettingError
from tests.e2e.alone import serving, told
from tests.e2e.inside import check_problem

ORIGIN = "https://app.example.com"
STRANGERS = ["https://evil.example.com", "http://app.example.com", "https://app.example.com:8443", "null", "*"]
STRANGERS += [f"{ORIGIN}.evil.example.com", f"{ORIGIN}/", ORIGIN.upper(), f"{ORIGIN} https://b.example.com", ""]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a cluster tells every function."""
    data: Path = tmp_path_factory.mktemp("browser-headers")
    return told(f"sqlite:///{data}/rows.db", data)


@pytest.fixture(scope="module")
def gateway(environment: dict[str, str]) -> Iterator[httpx.Client]:
    """A gateway behind TLS that takes pages of two other origins, before login."""
    with serving("login", environment) as (_, login):
        more = {"CORS_ORIGINS": f"{ORIGIN} http://localhost:3000", "PUBLIC_URL": "https://audiolift.example.com"}
        url = str(login.base_url).rstrip("/")
        with serving("gateway", {**environment, **more, "LOGIN_URL": url}) as (_, client):
            yield client


@pytest.fixture(scope="module")
def plain(environment: dict[str, str]) -> Iterator[httpx.Client]:
    """A gateway with the defaults."""
    with serving("gateway", environment) as (_, client):
        yield client


def preflight(client: httpx.Client, path: str, origin: str = ORIGIN, method: str = "POST") -> httpx.Response:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization",
    }
    return client.options(path, headers=asked)


@pytest.mark.parametrize("origin", [ORIGIN, "http://localhost:3000"])
def test_a_page_of_an_origin_in_the_list_may_ask(gateway: httpx.Client, origin: str) -> None:
    answer = preflight(gateway, "/v1/jobs", origin)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert set(answer.headers["Access-Control-Allow-Methods"].split(", ")) == {"GET", "HEAD", "POST"}
    assert {"authorization", "content-type", "idempotency-key", "range"} <= names(answer, "Allow-Headers")


@pytest.mark.parametrize("path", ["/.well-known/jwks.json", "/v1/me", "/v1/nothing", "/", "/v1/openapi.json"])
def test_what_it_is_answered_it_may_read_whatever_it_is(gateway: httpx.Client, path: str) -> None:
    """Answers of functions, of the gateway itself, and problems."""
    answer = gateway.get(path, headers={"Origin": ORIGIN})
    assert answer.headers.get_list("Access-Control-Allow-Origin") == [ORIGIN]
    assert {"location", "etag", "retry-after", "x-request-id"} <= names(answer, "Expose-Headers")
    assert "origin" in answer.headers["Vary"].lower()


@pytest.mark.parametrize("origin", STRANGERS)
def test_a_page_of_another_origin_may_nothing(gateway: httpx.Client, origin: str) -> None:
    refused = preflight(gateway, "/v1/jobs", origin)
    check_problem(refused, 405, "method-not-allowed")
    read = gateway.get("/.well-known/jwks.json", headers={"Origin": origin})
    for answer in (refused, read):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert "origin" in answer.headers["Vary"].lower()


def test_no_answer_lets_credentials_through(gateway: httpx.Client) -> None:
    for answer in (preflight(gateway, "/v1/jobs"), gateway.get("/v1/me", headers={"Origin": ORIGIN})):
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_preflight_for_what_is_not_there_is_no_success(gateway: httpx.Client) -> None:
    check_problem(preflight(gateway, "/v1/nothing"), 404, "not-found")


def test_without_a_list_no_other_page_may_anything(plain: httpx.Client) -> None:
    check_problem(preflight(plain, "/v1/jobs"), 405, "method-not-allowed")
    answer = plain.get("/v1/openapi.json", headers={"Origin": ORIGIN})
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert "origin" not in answer.headers["Vary"].lower()


@pytest.mark.parametrize("value", ["*", "null", "app.example.com", f"{ORIGIN}/", f"{ORIGIN}/path", "https://*.a.com"])
def test_what_is_no_origin_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CORS_ORIGINS", f"{ORIGIN} {value}")
    with pytest.raises(SettingError, match="CORS_ORIGINS"):
        cors.check()


def test_behind_tls_browsers_are_told_to_stay_there(gateway: httpx.Client, plain: httpx.Client) -> None:
    for path in ("/", "/v1/me", "/.well-known/jwks.json"):
        assert gateway.get(path).headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Strict-Transport-Security" not in gateway.get("/", headers={"X-Forwarded-Proto": "http"}).headers
    assert "Strict-Transport-Security" not in plain.get("/").headers


def test_the_page_needs_none_of_what_browsers_could_give_it(plain: httpx.Client) -> None:
    policy = plain.get("/").headers["Permissions-Policy"]
    assert {"camera=()", "microphone=()", "geolocation=()"} <= set(policy.split(", "))


def names(answer: httpx.Response, kind: str) -> set[str]:
    return {name.lower() for name in answer.headers[f"Access-Control-{kind}"].split(", ")}
