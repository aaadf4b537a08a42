"""functions/gateway/plain: what its pages say of errors and of hostile names, in whose language."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from functions.gateway.plain import rendering
from functions.shared.problems import PROBLEMS, Problem
from tests.asgi import scope_of

EVIL = "<script>alert(1)</script>"


def asked(language: str = "en") -> Request:
    return Request(scope_of("GET", "/plain", {"Accept-Language": language}))


@pytest.mark.parametrize("code", PROBLEMS)
def test_every_problem_has_a_page(code: str) -> None:
    answer = rendering.problem_page(asked(), Problem(code, EVIL, {"Retry-After": "5", "WWW-Authenticate": "Bearer"}))
    assert answer.status_code == PROBLEMS[code].status
    assert (answer.headers["X-Problem"], answer.headers["Retry-After"]) == (code, "5")
    # A browser would ask for a password by itself.
    assert "www-authenticate" not in answer.headers
    assert EVIL not in bytes(answer.body).decode()


def test_a_page_speaks_the_reader_s_language() -> None:
    answer = rendering.problem_page(asked("fr, de;q=0.9, en;q=0.1"), Problem("too-large", ""))
    assert answer.headers["Content-Language"] == "de"
    assert '<html lang="de">' in bytes(answer.body).decode()
    assert "Das Video ist zu groß." in bytes(answer.body).decode()


@pytest.mark.parametrize("state", ["converting", "done", "failed", "a-state-of-a-newer-release"])
def test_a_name_is_a_name_and_what_is_under_way_looks_again(state: str) -> None:
    job = {"id": "0" * 32, "filename": EVIL, "state": state, "progress": 0.4, "active": True, "error": None}
    page = bytes(rendering.page(asked(), "job", job={**job, "download": f'/v1/files/"{EVIL}'}, refresh=3).body).decode()
    assert EVIL not in page
    assert '<meta http-equiv="refresh" content="3">' in page
    assert f"{EVIL}".replace("<", "&lt;").replace(">", "&gt;") in page
    assert "&amp;" not in page, "escaped twice"


@pytest.mark.parametrize(
    ("hint", "said"),
    [("no-host", "no host of that name"), (None, "without signing in"), ("of-a-newer-release", "without signing in")],
)
def test_why_there_is_no_mp3_is_said_as_exactly_as_it_is_known(hint: str | None, said: str) -> None:
    error = {"code": "unreachable", "title": "", "detail": "", "hint": hint}
    job = {"id": "0" * 32, "filename": "x", "state": "failed", "progress": 0, "active": False, "error": error}
    page = bytes(rendering.page(asked(), "job", job={**job, "download": None}).body).decode()
    assert said in page
