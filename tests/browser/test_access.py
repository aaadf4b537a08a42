"""The page for everybody: by keyboard alone, on a narrow screen, in the dark, and for nobody but who asked."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.screen import SLOW_MS, card, choose, not_a_video, sign_up, workspace
from tests.system import PASSWORD

OpenPage = Callable[..., Page]


def tab_to(page: Page, name: str) -> None:
    """Presses Tab until the control with this name has the focus."""
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent.trim()") == name:
            return
    pytest.fail(f"Tab does not lead to {name!r}")


def test_signing_up_takes_a_keyboard_only(open_page: OpenPage) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Email")).to_be_focused()
    page.keyboard.type(f"{uuid.uuid4().hex}@example.org")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    tab_to(page, "Create an account")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Create an account")).to_be_visible()
    page.get_by_label("Password", exact=True).press("Enter")
    expect(workspace(page)).to_be_focused(timeout=SLOW_MS)


def test_choosing_and_deleting_take_a_keyboard_only(open_page: OpenPage) -> None:
    page = open_page()
    # Playwright answers the picker that gives handles as if it were cancelled; not all browsers have one.
    page.add_init_script("delete globalThis.showOpenFilePicker")
    page.reload()
    page.on("filechooser", lambda chooser: chooser.set_files(not_a_video("notes.mp4")))
    sign_up(page)
    expect(workspace(page)).to_be_focused(timeout=SLOW_MS)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(card(page, "notes.mp4")).to_contain_text("Failed", timeout=SLOW_MS)
    tab_to(page, "More for notes.mp4")
    for key in ("Enter", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="More for notes.mp4")).to_be_focused()
    for key in ("ArrowDown", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    tab_to(page, "Delete")
    page.keyboard.press("Enter")
    expect(card(page, "notes.mp4")).to_have_count(0)
    expect(page.get_by_role("heading", name="Conversions")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_never_scrolls_sideways(open_page: OpenPage, scheme: str) -> None:
    page = open_page(viewport={"width": 320, "height": 640}, color_scheme=scheme)
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) == 320
    sign_up(page)
    choose(page, not_a_video("W" * 120 + ".mp4"))
    expect(page.get_by_role("list", name="Conversions")).to_contain_text("Failed", timeout=SLOW_MS)
    assert page.evaluate(width) == 320


def test_the_dark_page_is_dark_and_the_light_one_light(open_page: OpenPage) -> None:
    ground = "Math.max(...getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number))"
    assert open_page(color_scheme="dark").evaluate(ground) < 64
    assert open_page(color_scheme="light").evaluate(ground) > 192


def test_the_page_asks_nobody_but_its_own_server(open_page: OpenPage) -> None:
    page = open_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    origin = page.evaluate("location.origin")
    page.reload()
    sign_up(page)
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith(f"{origin}/")] == []
