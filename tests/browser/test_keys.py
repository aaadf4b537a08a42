"""API keys on the page: made, copied once, used, revoked."""

from __future__ import annotations

import re

import httpx
from playwright.sync_api import Locator, Page, expect

from tests.browser.screen import SLOW_MS, card, open_account
from tests.patience import PATIENCE
from tests.system import Audiolift


def test_a_key_is_made_copied_once_used_and_revoked(page: Page, audiolift: Audiolift) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_account(page)
    expect(page.get_by_text("No keys yet.")).to_be_visible(timeout=SLOW_MS)
    make(page, "nightly import")
    shown = new_key(page)
    expect(shown).to_have_value(re.compile("al_[0-9A-Za-z]{38}"), timeout=SLOW_MS)
    expect(shown).to_be_focused()
    key = shown.input_value()
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == key
    page.get_by_role("button", name="I have it").click()
    expect(shown).to_be_hidden()
    assert key not in page.content()
    expect(page.get_by_role("heading", name="API keys")).to_be_focused()
    listed = card(page, "nightly import")
    expect(listed).to_contain_text(f"{key[:7]}…")
    expect(listed).to_contain_text("never used")

    assert status(audiolift, key) == 200
    page.reload()
    expect(listed).to_contain_text("last used", timeout=SLOW_MS)
    assert key not in page.content()

    listed.get_by_role("button", name="Revoke nightly import").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(listed).to_have_count(0, timeout=SLOW_MS)
    assert status(audiolift, key) == 401


def test_a_key_is_made_by_keyboard_alone_for_what_is_ticked(page: Page, audiolift: Audiolift) -> None:
    open_account(page)
    page.get_by_text("Make a key").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("What it is for")).to_be_focused()
    page.keyboard.type("<b>reader</b>")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(new_key(page)).to_be_focused(timeout=SLOW_MS)
    key = new_key(page).input_value()
    expect(card(page, "<b>reader</b>")).to_contain_text("May see jobs and download; never used; ends")
    assert status(audiolift, key) == 200
    assert httpx.delete(f"{audiolift.url}/v1/jobs/{'0' * 32}", headers=sent(key), timeout=PATIENCE).status_code == 403


def make(page: Page, name: str) -> None:
    """Fills in the form and sends it."""
    page.get_by_text("Make a key").click()
    page.get_by_label("What it is for").fill(name)
    page.get_by_role("button", name="Make the key").click()


def new_key(page: Page) -> Locator:
    """The field with the key that has just been made."""
    return page.get_by_label("The new key.")


def status(audiolift: Audiolift, key: str) -> int:
    """What a program with the key is answered."""
    return httpx.get(f"{audiolift.url}/v1/jobs", headers=sent(key), timeout=PATIENCE).status_code


def sent(key: str) -> dict[str, str]:
    """The header that brings the key along."""
    return {"Authorization": f"Bearer {key}"}
