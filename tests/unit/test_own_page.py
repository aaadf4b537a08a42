"""functions/gateway/own_page.py: what is for our own page is for no other, and its cookies are for nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from functions.gateway import contract, own_page
from functions.shared.problems import Problem
from tests.asgi import scope_of

OPERATIONS = {(each.method, each.path): each for each in contract.operations()}
HOME = {"Host": "audiolift.example.com", "X-Forwarded-Proto": "https"}
LAN = {"Host": "192.168.1.7:8080"}
COOKIE = {"Cookie": "audiolift-session=x"}


def asked(headers: dict[str, str], which: tuple[str, str] = ("DELETE", "/v1/session")) -> Request:
    """The request as it goes on to its function. Raises: Problem."""
    scope: dict[str, Any] = scope_of(*which, headers)
    request = Request(scope)
    own_page.see_to_cookies(request, OPERATIONS[which])
    return request


@pytest.mark.parametrize(
    "headers",
    [
        {**HOME, "Sec-Fetch-Site": "same-origin"},
        {**HOME, "Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {**HOME, "Origin": "https://audiolift.example.com"},
        {**LAN, "Origin": "http://192.168.1.7:8080"},
        {"Host": "gateway.audiolift.svc", "Origin": "http://localhost:8080"},
    ],
)
def test_our_own_page_is_let_through_with_its_cookie(headers: dict[str, str]) -> None:
    assert asked({**headers, **COOKIE}).headers["Cookie"] == COOKIE["Cookie"]


@pytest.mark.parametrize(
    "headers",
    [
        HOME,
        {**HOME, "Sec-Fetch-Site": "cross-site"},
        {**HOME, "Sec-Fetch-Site": "same-site", "Origin": "https://audiolift.example.com"},
        {**HOME, "Sec-Fetch-Site": "none"},
        {**HOME, "Sec-Fetch-Site": "SAME-ORIGIN"},
        {**HOME, "Origin": "null"},
        {**HOME, "Origin": "https://evil.example.com"},
        {**HOME, "Origin": "http://audiolift.example.com"},
        {**HOME, "Origin": "https://audiolift.example.com.evil.com"},
        {**HOME, "Origin": "https://audiolift.example.com:444"},
        {**HOME, "Referer": "https://audiolift.example.com/"},
        {**LAN, "Origin": "http://192.168.1.7:3000"},
        {**LAN, "Origin": "http://"},
    ],
)
@pytest.mark.parametrize("which", sorted(key for key, each in OPERATIONS.items() if each.own_page))
def test_no_other_page_is(headers: dict[str, str], which: tuple[str, str]) -> None:
    with pytest.raises(Problem) as caught:
        asked({**headers, **COOKIE}, which)
    assert caught.value.code == "wrong-origin"


def test_nobody_is_sent_to_renew_what_they_do_not_have() -> None:
    with pytest.raises(Problem) as caught:
        asked({**HOME, "Sec-Fetch-Site": "same-origin", **COOKIE}, ("POST", "/v1/session/renew"))
    assert caught.value.code == "no-session"
    secure = {"Cookie": "__Host-audiolift-session=x"}
    assert asked({**HOME, "Sec-Fetch-Site": "same-origin", **secure}, ("POST", "/v1/session/renew"))


@pytest.mark.parametrize("which", sorted(key for key, each in OPERATIONS.items() if not each.own_page))
def test_no_other_route_sees_a_cookie(which: tuple[str, str]) -> None:
    assert "Cookie" not in asked({**LAN, **COOKIE, "Sec-Fetch-Site": "same-origin"}, which).headers
