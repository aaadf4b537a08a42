"""Signing up, in and out."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, Request, Route, expect

from tests.browser.screen import (
    SLOW_MS,
    card,
    choose,
    module,
    not_a_video,
    problem,
    sign_in,
    sign_out,
    sign_up,
    workspace,
)
from tests.system import PASSWORD

OpenPage = Callable[..., Page]


def test_a_wrong_password_is_said_and_can_be_put_right(open_page: OpenPage) -> None:
    email = sign_up(open_page())
    page = open_page()
    sign_in(page, email, "not the password")
    expect(problem(page)).to_contain_text("password is wrong. Check both and try again.", timeout=SLOW_MS)
    sign_in(page, email)
    expect(workspace(page)).to_be_visible()
    expect(problem(page)).to_be_hidden()
    expect(page.get_by_role("banner")).to_contain_text(email)


def test_an_address_is_taken_once(open_page: OpenPage) -> None:
    email = sign_up(open_page())
    page = open_page()
    page.get_by_role("button", name="Create an account").click()
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(problem(page)).to_contain_text("There already is an account", timeout=SLOW_MS)


def test_a_reload_keeps_one_signed_in(page: Page) -> None:
    page.reload()
    expect(workspace(page)).to_be_visible(timeout=SLOW_MS)


def test_signing_out_leaves_nothing_to_the_next_person(page: Page) -> None:
    choose(page, not_a_video("private.mp4"))
    expect(card(page, "private.mp4")).to_contain_text("Failed", timeout=SLOW_MS)
    sign_out(page)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0
    sign_up(page)
    expect(page.get_by_text("Nothing here yet.")).to_be_visible(timeout=SLOW_MS)
    expect(card(page, "private.mp4")).to_have_count(0)


def test_a_refused_token_is_renewed_once_and_silently(page: Page) -> None:
    sent: list[Request] = []

    def spoil_the_first(route: Route) -> None:
        sent.append(route.request)
        spoilt = {**route.request.headers, "authorization": "Bearer spoilt"}
        route.continue_(headers=spoilt if len(sent) == 1 else route.request.headers)

    check = page.get_by_role("button", name="Check for mail")
    expect(check).to_be_visible(timeout=SLOW_MS)
    page.route("**/v1/me/mail", spoil_the_first)
    with page.expect_response("**/v1/session/renew") as renewal:
        check.click()
    assert renewal.value.ok
    expect(page.get_by_role("status")).to_contain_text("No new mail")
    expect(problem(page)).to_be_hidden()
    assert len(sent) == 2


def test_a_session_that_is_over_says_so(page: Page) -> None:
    token = page.context.request.post("/v1/session/renew", headers={"Sec-Fetch-Site": "same-origin"}).json()
    everywhere = {"Authorization": f"Bearer {token['access_token']}"}
    assert page.context.request.delete("/v1/me/sessions", headers=everywhere).ok
    page.evaluate(
        "(address) => import(address).then(({ renew }) => renew()).catch(() => {})", module(page, "core/session.js")
    )
    expect(problem(page)).to_contain_text("Your session has ended. Please sign in again.", timeout=SLOW_MS)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_server_that_is_gone_does_not_end_the_session(page: Page) -> None:
    page.route("**/v1/**", lambda route: route.abort())
    page.reload()
    expect(page.get_by_text("The server does not answer. We keep trying.", exact=True).first).to_be_visible()
    expect(page.get_by_role("heading", name="Sign in")).to_be_hidden()
    page.unroute_all()
    page.get_by_role("button", name="Try now").click()
    expect(workspace(page)).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("button", name="Try now")).to_be_hidden()
