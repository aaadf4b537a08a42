"""What one does with one's own account on the page."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.browser.screen import SLOW_MS, open_account, problem, sign_in, sign_out, sign_up, workspace
from tests.system import PASSWORD

OpenPage = Callable[..., Page]
NEW = "another passphrase"


def settings(page: Page) -> Locator:
    """The part about the account, opened."""
    open_account(page)
    return page.get_by_role("region", name="Your account", exact=True)


def test_a_changed_password_is_the_one_that_counts_and_one_stays_signed_in(open_page: OpenPage) -> None:
    page = open_page()
    email = sign_up(page)
    form = settings(page).get_by_role("form", name="Change your password")
    form.get_by_label("Current password").fill("not the password")
    form.get_by_label("New password").fill(NEW)
    form.get_by_role("button").click()
    expect(problem(page)).to_contain_text("The password is wrong", timeout=SLOW_MS)
    form.get_by_label("Current password").fill(PASSWORD)
    form.get_by_role("button").click()
    expect(page.get_by_text("Your password was changed.")).to_be_focused(timeout=SLOW_MS)
    page.reload()
    expect(page.get_by_role("heading", name="Your account", exact=True)).to_be_focused(timeout=SLOW_MS)
    other = open_page()
    sign_in(other, email, NEW)
    expect(workspace(other)).to_be_visible(timeout=SLOW_MS)


def test_a_common_password_is_refused_in_plain_words(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("button", name="Create an account").click()
    page.get_by_label("Email").fill("somebody@example.org")
    page.get_by_label("Password", exact=True).fill("password1")
    page.keyboard.press("Enter")
    expect(problem(page)).to_contain_text("must not be one that many people have", timeout=SLOW_MS)


def test_another_session_is_ended_from_here(open_page: OpenPage) -> None:
    page, other = open_page(), open_page()
    email = sign_up(page)
    sign_in(other, email)
    expect(workspace(other)).to_be_visible(timeout=SLOW_MS)
    listed = settings(page).get_by_role("list", name="Where you are signed in").get_by_role("listitem")
    expect(listed).to_have_count(2)
    expect(listed.filter(has_text="This one")).to_have_count(1)
    listed.get_by_role("button", name="Sign out").click()
    expect(listed).to_have_count(1)
    other.reload()
    expect(problem(other)).to_contain_text("Your session has ended", timeout=SLOW_MS)


def test_signing_out_ends_the_session_on_the_server_too(open_page: OpenPage) -> None:
    page = open_page()
    sign_up(page)
    kept = page.context.cookies()
    sign_out(page)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=SLOW_MS)
    assert page.context.cookies() == []
    page.context.add_cookies(kept)  # type: ignore[arg-type]
    page.reload()
    expect(problem(page)).to_contain_text("Your session has ended", timeout=SLOW_MS)


def test_an_account_is_deleted_after_a_question_and_with_its_password(open_page: OpenPage) -> None:
    page = open_page()
    email = sign_up(page)
    form = settings(page).get_by_role("form", name="Delete your account")
    form.get_by_label("Your password").fill(PASSWORD)
    form.get_by_role("button", name="Delete the account").click()
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    form.get_by_role("button", name="Delete the account").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=SLOW_MS)
    sign_in(page, email)
    expect(problem(page)).to_contain_text("password is wrong", timeout=SLOW_MS)


def test_the_account_fits_a_narrow_screen(open_page: OpenPage) -> None:
    page = open_page(viewport={"width": 320, "height": 640})
    sign_up(page)
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("banner").get_by_role("link", name="Account").click()
    expect(page.get_by_role("heading", name="Your account", exact=True)).to_be_focused(timeout=SLOW_MS)
    assert page.evaluate("document.documentElement.scrollWidth") == 320
