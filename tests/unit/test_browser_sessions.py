"""functions/login/browser.py and shared/cookies.py: a browser is signed in by a cookie that no script sees."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from functions.login import operators, sessions
from functions.shared import tokens
from tests.asgi import Answered
from tests.unit.login import PASSWORD, asked, code, member, register

pytestmark = pytest.mark.usefixtures("tables", "secrets", "anna")

ANNA = "anna@example.com"
ATTRIBUTES = "; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict"


@pytest.fixture
def anna(tables: None, secrets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has an account."""
    monkeypatch.setenv("VERIFY_EMAIL", "off")
    assert register(ANNA).status == 201


def entered(**headers: str) -> Answered:
    return asked("POST", "/v1/session", {"email": ANNA, "password": PASSWORD}, **headers)


def brought(answer: Answered) -> str:
    """The Cookie header of a browser that got this answer."""
    return answer.cookies[0].partition(";")[0]


def renewed(cookie: str, scope: str | None = None, **headers: str) -> Answered:
    body = {"scope": scope} if scope else {}
    return asked("POST", "/v1/session/renew", body, Cookie=cookie, Content_Length=str(len(json.dumps(body))), **headers)


def test_the_cookie_is_hidden_from_scripts_and_other_sites_and_by_tls_from_neighbours_too() -> None:
    plain, by_tls = entered(), entered(X_Forwarded_Proto="https")
    assert re.fullmatch(rf"audiolift-session=[\w-]{{43}}{ATTRIBUTES}", plain.cookies[0])
    assert re.fullmatch(rf"__Host-audiolift-session=[\w-]{{43}}{ATTRIBUTES}; Secure", by_tls.cookies[0])
    assert plain.headers["cache-control"] == "no-store"
    assert "refresh_token" not in str(plain.body)


def test_a_renewal_gives_the_next_cookie_of_the_same_session() -> None:
    first = entered()
    second = renewed(brought(first))
    assert member(second, "session_id") == member(first, "session_id")
    assert brought(second) != brought(first)
    assert renewed(brought(second)).status == 200


def test_by_tls_the_name_that_anybody_can_set_is_not_looked_at() -> None:
    cookie = brought(entered())
    assert code(renewed(cookie, X_Forwarded_Proto="https")) == (401, "no-session")
    assert renewed(cookie).status == 200


@pytest.mark.parametrize("cookie", ["", "other=x", "audiolift-session=", "x", "a-audiolift-session=x"])
def test_a_browser_without_a_cookie_has_no_session(cookie: str) -> None:
    answer = renewed(cookie)
    assert code(answer) == (401, "no-session")
    assert member(answer, "reason") == "none"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.cookies == ()


def test_a_cookie_that_is_over_is_taken_back_and_said_to_be() -> None:
    answer = renewed("audiolift-session=no such token")
    assert member(answer, "reason") == "over"
    assert answer.cookies[0].startswith("audiolift-session=; Path=/; Max-Age=0;")


def test_of_two_cookies_of_the_name_none_counts() -> None:
    theirs, mine = (brought(entered()) for _ in range(2))
    assert renewed(f"{theirs}; {mine}").status == 401
    assert renewed(f"a=b; {mine}").status == 200


def test_a_sign_in_is_a_new_session_and_ends_the_one_that_was_there() -> None:
    planted = entered()
    answer = entered(Cookie=brought(planted))
    assert member(answer, "session_id") != member(planted, "session_id")
    assert renewed(brought(planted)).status == 401
    assert renewed(brought(answer)).status == 200


def test_signing_out_ends_the_session_and_takes_the_cookie_back() -> None:
    cookie = brought(entered())
    older = brought(renewed(cookie))
    answer = asked("DELETE", "/v1/session", Cookie=older)
    assert answer.status == 204
    assert [each.partition(";")[0] for each in answer.cookies] == ["audiolift-session=", "audiolift-access="]
    assert all("; Max-Age=0;" in each for each in answer.cookies)
    assert renewed(older).status == 401
    assert asked("DELETE", "/v1/session").status == 204


def test_another_password_signs_everybody_out_but_this_browser() -> None:
    here, there = entered(), entered()
    body = {"password": PASSWORD, "new_password": "another passphrase"}
    mine = f"Bearer {member(here, 'access_token')}"
    answer = asked("POST", "/v1/session/password", body, Authorization=mine, Cookie=brought(here))
    assert answer.status == 200
    assert renewed(brought(answer)).status == 200
    assert [renewed(brought(each)).status for each in (here, there)] == [401, 401]


def test_an_operator_s_page_has_no_more_scopes_than_others_until_it_asks() -> None:
    operators.grant(ANNA)
    signed_in = entered()
    assert "admin" not in member(signed_in, "scope").split()
    assert "admin" in member(signed_in, "available_scope").split()
    as_operator = renewed(brought(signed_in), "admin")
    assert member(as_operator, "scope") == "admin"
    as_person = renewed(brought(as_operator))
    assert member(as_person, "scope") == "jobs:read jobs:write account:read account:write"
    # Nothing is used up by what cannot be had.
    assert code(renewed(brought(as_person), "everything")) == (400, "invalid-scope")
    assert renewed(brought(as_person)).status == 200


def test_a_browser_is_one_session_in_the_list_however_many_of_its_tokens_are_alive() -> None:
    cookie = brought(entered(User_Agent="Firefox"))
    for _ in range(3):
        newest = renewed(cookie, User_Agent="Firefox")
    user_id = tokens.bearer(f"Bearer {member(newest, 'access_token')}").user_id
    assert [each.user_agent for each in sessions.list_of(user_id).items] == ["Firefox"]
