"""A session of a browser: in all of its tabs, over what goes wrong on the way, until one says that it is to end."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from tests.browser.screen import SLOW_MS, module, sign_in, sign_out, sign_up, workspace
from tests.system import PASSWORD

OpenPage = Callable[..., Page]
RENEWAL = "**/v1/session/renew"


def tab(context: BrowserContext) -> Page:
    """Another tab of the same browser."""
    page = context.new_page()
    page.goto("/")
    return page


def form(page: Page) -> None:
    """The page asks to sign in."""
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=SLOW_MS)


def whose(page: Page) -> Locator:
    """The address of the account that is signed in."""
    return page.locator("#account-email")


def test_every_tab_is_signed_in_and_out_with_the_others(open_page: OpenPage) -> None:
    page = open_page()
    waiting = tab(page.context)
    form(waiting)
    email = sign_up(page)
    expect(workspace(waiting)).to_be_visible(timeout=SLOW_MS)
    third = tab(page.context)
    for each in (page, waiting, third):
        expect(whose(each)).to_have_text(email, timeout=SLOW_MS)
    sign_out(third)
    for each in (page, waiting, third):
        form(each)
    page.reload()
    form(page)


def test_another_account_in_one_tab_is_the_account_of_all(open_page: OpenPage) -> None:
    other = sign_up(open_page())
    page = open_page()
    sign_up(page)
    second = tab(page.context)
    expect(workspace(second)).to_be_visible(timeout=SLOW_MS)
    second.evaluate(
        "([address, ...given]) => import(address).then((it) => it.signIn(...given))",
        [module(second, "core/session.js"), other, PASSWORD],
    )
    expect(whose(page)).to_have_text(other, timeout=SLOW_MS)


def test_many_tabs_that_begin_at_once_all_stay_signed_in_also_without_locks(open_page: OpenPage) -> None:
    page = open_page()
    page.context.add_init_script("delete Navigator.prototype.locks")
    sign_up(page)
    tabs = [page, *(page.context.new_page() for _ in range(3))]
    for each in tabs:
        each.goto("/", wait_until="commit")
    for each in tabs:
        expect(workspace(each)).to_be_visible(timeout=SLOW_MS)
    page.reload()
    expect(workspace(page)).to_be_visible(timeout=SLOW_MS)


def test_an_answer_that_is_lost_signs_nobody_out(page: Page) -> None:
    lost: list[int] = []

    def lose_the_first(route: Route) -> None:
        if lost:
            return route.fallback()
        lost.append(route.fetch().status)
        return route.abort()

    page.route(RENEWAL, lose_the_first)
    page.reload()
    expect(workspace(page)).to_be_visible(timeout=SLOW_MS)
    assert lost == [200]


def test_a_server_that_is_away_shows_no_form_and_signing_out_says_that_it_cannot(page: Page) -> None:
    page.route("**/v1/session", lambda route: route.abort())
    sign_out(page)
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer.")
    expect(workspace(page)).to_be_visible()
    page.route(RENEWAL, lambda route: route.fulfill(status=503))
    page.reload()
    expect(page.get_by_text("The server does not answer. We keep trying.").first).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("heading", name="Sign in")).to_be_hidden()
    page.unroute_all()
    expect(workspace(page)).to_be_visible(timeout=SLOW_MS)


def test_two_browsers_of_one_account_do_not_end_each_other(open_page: OpenPage) -> None:
    page, other = open_page(), open_page()
    email = sign_up(page)
    sign_in(other, email)
    expect(workspace(other)).to_be_visible(timeout=SLOW_MS)
    sign_out(page)
    form(page)
    other.reload()
    expect(workspace(other)).to_be_visible(timeout=SLOW_MS)
