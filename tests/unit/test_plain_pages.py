"""functions/gateway/plain: what its pages say of errors and of hostile names, in whose language."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from functions.gateway.plain import rendering, visits
from functions.shared.credentials import AccountGone, unauthenticated
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


@pytest.mark.parametrize(
    ("problem", "language", "said"),
    [
        (AccountGone(), "en", "This account does not exist any more. It was deleted."),
        (AccountGone(), "de", "Dieses Konto gibt es nicht mehr. Es wurde gelöscht."),
        (unauthenticated("", "invalid_token"), "en", "Your session has ended. Please sign in again."),
        (Problem("account-suspended", ""), "en", "The account is suspended. An operator has suspended this account."),
    ],
)
def test_to_whom_nothing_is_open_any_more_reads_why_and_can_begin_anew(
    problem: Problem, language: str, said: str
) -> None:
    answer = visits.told(asked(language), problem)
    page = bytes(answer.body).decode()
    assert (answer.status_code, said in page, 'action="/plain/sign-in"' in page) == (problem.status, True, True)
    gone = [cookie for name, cookie in answer.headers.items() if name == "set-cookie"]
    assert [each.partition("=")[0] for each in gone] == ["audiolift-access", "audiolift-session"]
    assert all("Max-Age=0" in each for each in gone)
