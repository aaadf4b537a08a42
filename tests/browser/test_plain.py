"""The whole way from a video to its MP3 in a browser that runs no script."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.screen import SLOW_MS, not_a_video
from tests.system import PASSWORD

OpenPage = Callable[..., Page]


def fill_in(
    page: Page, email: str, password: str, button: str, labels: tuple[str, str] = ("Email", "Password")
) -> None:
    """Fills in the form, and sends it by one of its buttons."""
    page.get_by_label(labels[0]).fill(email)
    page.get_by_label(labels[1]).fill(password)
    page.get_by_role("button", name=button).click()


@pytest.fixture
def plain(open_page: OpenPage) -> Page:
    """The page of somebody who has just registered, without a script."""
    page = open_page(java_script_enabled=False)
    fill_in(page, f"{uuid.uuid4().hex}@example.org", PASSWORD, "Create an account")
    expect(page.get_by_role("heading", name="Your audio")).to_be_visible(timeout=SLOW_MS)
    return page


def send(page: Page, file: Path | FilePayload) -> None:
    """Chooses a file and sends it."""
    page.get_by_label("Video").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url("**/plain/jobs/*", timeout=SLOW_MS)


def test_a_video_becomes_an_mp3(plain: Page, video: Path) -> None:
    send(plain, video)
    expect(plain.get_by_role("heading", name=video.name)).to_be_visible()
    expect(plain.get_by_text("Ready")).to_be_visible(timeout=SLOW_MS)
    with plain.expect_download() as download:
        plain.get_by_role("link", name="Download").click()
    assert download.value.path().read_bytes()[:3] in (b"ID3", b"\xff\xfb\x90")
    plain.get_by_role("link", name="All conversions").click()
    expect(plain.get_by_role("listitem").filter(has_text=video.name)).to_contain_text("Ready")


def test_why_there_is_none_is_said_in_the_reader_s_language(open_page: OpenPage) -> None:
    page = open_page(java_script_enabled=False, locale="de-DE")
    labels = ("E-Mail", "Passwort")
    fill_in(page, f"{uuid.uuid4().hex}@example.org", "password1", "Konto anlegen", labels)
    expect(page.get_by_role("alert")).to_be_visible(timeout=SLOW_MS)
    fill_in(page, f"{uuid.uuid4().hex}@example.org", PASSWORD, "Konto anlegen", labels)
    page.get_by_label("Video").set_input_files([not_a_video("<b>Notiz<b>.mp4")])
    page.get_by_role("button", name="Hochladen").click()
    expect(page.get_by_role("alert")).to_contain_text("Die Datei ist weder Video noch Audio.", timeout=SLOW_MS)
    expect(page.get_by_role("heading", name="<b>Notiz<b>.mp4")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "de"


def test_one_stays_signed_in_until_one_signs_out(plain: Page) -> None:
    plain.context.clear_cookies(name="audiolift-access")
    plain.goto("/")
    expect(plain.get_by_role("heading", name="Your audio")).to_be_visible(timeout=SLOW_MS)
    plain.get_by_role("button", name="Sign out").click()
    expect(plain.get_by_label("Password")).to_be_visible(timeout=SLOW_MS)
    assert plain.context.cookies() == []
    plain.goto("/plain")
    fill_in(plain, "nobody@example.org", PASSWORD, "Sign in")
    expect(plain.get_by_role("alert")).to_contain_text("The email address or the password is wrong", timeout=SLOW_MS)
    expect(plain.get_by_label("Email")).to_have_value("nobody@example.org")


def test_who_has_deleted_the_account_reads_that_it_is_gone_and_begins_anew(plain: Page) -> None:
    token = next(each["value"] for each in plain.context.cookies() if each["name"] == "audiolift-access")
    deleted = plain.request.fetch(
        "/v1/me", method="DELETE", headers={"Authorization": f"Bearer {token}"}, data={"password": PASSWORD}
    )
    assert deleted.ok
    plain.reload()
    expect(plain.get_by_role("status")).to_contain_text("This account does not exist any more", timeout=SLOW_MS)
    fill_in(plain, f"{uuid.uuid4().hex}@example.org", PASSWORD, "Create an account")
    expect(plain.get_by_role("heading", name="Your audio")).to_be_visible(timeout=SLOW_MS)


def test_who_was_signed_out_everywhere_reads_that_the_session_has_ended(plain: Page) -> None:
    token = next(each["value"] for each in plain.context.cookies() if each["name"] == "audiolift-access")
    ended = plain.request.fetch("/v1/me/sessions", method="DELETE", headers={"Authorization": f"Bearer {token}"})
    assert ended.ok
    plain.context.clear_cookies(name="audiolift-access")
    plain.goto("/plain")
    expect(plain.get_by_role("status")).to_contain_text("Your session has ended", timeout=SLOW_MS)
    expect(plain.get_by_label("Password")).to_be_visible()


def test_a_script_and_a_form_share_a_session(open_page: OpenPage) -> None:
    page = open_page(java_script_enabled=False)
    fill_in(page, f"{uuid.uuid4().hex}@example.org", PASSWORD, "Create an account")
    expect(page.get_by_role("heading", name="Your audio")).to_be_visible(timeout=SLOW_MS)
    state = page.context.storage_state()
    with_script = open_page(storage_state=state)
    expect(with_script.get_by_role("heading", name="Your audio")).to_be_visible(timeout=SLOW_MS)
    assert re.fullmatch(r"http://[^/]+/", with_script.url)


def test_the_pages_fit_a_narrow_screen(open_page: OpenPage) -> None:
    page = open_page(java_script_enabled=False, viewport={"width": 320, "height": 640})
    fill_in(page, f"{uuid.uuid4().hex}@example.org", PASSWORD, "Create an account")
    send(page, not_a_video("W" * 120 + ".mp4"))
    for each in (page.get_by_role("heading", level=1), page.get_by_role("link", name="All conversions")):
        box = each.bounding_box()
        assert box
        assert box["x"] + box["width"] <= 320
