"""The account: what one is told of, webhooks and what was sent to them, quotas, and all of it as a file."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.screen import SLOW_MS, card, choose, not_a_video, open_account, sign_up, workspace
from tests.servers.listening import Listening, Quiet
from tests.system import Audiolift

OpenPage = Callable[..., Page]


class Receiver(Quiet):
    """Takes what webhooks post, and answers with `status`."""

    status = 204
    bodies: list[bytes] = []

    def do_POST(self) -> None:
        Receiver.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(Receiver.status)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture(scope="module")
def receiver() -> Iterator[str]:
    """The address of a receiver on this machine."""
    with Listening(Receiver) as server:
        yield f"{server.url}/hook"


@pytest.fixture(scope="module")
def audiolift(tmp_path_factory: pytest.TempPathFactory, receiver: str) -> Iterator[Audiolift]:
    """audiolift on one machine, which posts to receivers there; one takes what would be SMS."""
    sms = receiver.replace("http:", "json:").replace("/hook", "/{number}")
    settings = {"FETCH_ALLOWED_NETWORKS": "127.0.0.0/8", "MAX_USER_JOBS": "3", "SMS_SERVICE": sms}
    running = Audiolift(tmp_path_factory.mktemp("account") / "data", settings)
    yield running
    running.stop()


def section(page: Page, name: str) -> Locator:
    """A part of the account by its heading."""
    return page.get_by_role("region", name=name, exact=True)


def test_what_one_is_told_of_is_kept_and_read_again(page: Page) -> None:
    open_account(page)
    form = page.get_by_role("form", name="What you are told of")
    ready = form.get_by_role("checkbox", name="An MP3 is ready: Mail")
    expect(ready).to_be_checked(timeout=SLOW_MS)
    ready.uncheck()
    form.get_by_label("Language of mails").select_option("de")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_have_count(1, timeout=SLOW_MS)
    page.reload()
    expect(form.get_by_label("Language of mails")).to_have_value("de", timeout=SLOW_MS)
    expect(ready).not_to_be_checked()
    expect(form.get_by_role("checkbox", name="There is no MP3: Mail")).to_be_checked()


def test_a_number_is_given_confirmed_chosen_for_sms_and_removed(page: Page) -> None:
    open_account(page)
    number, code = page.get_by_label("Mobile number"), page.get_by_label("Code of the SMS")
    for given in ("12", "+49 151 12345678"):
        number.fill(given)
        page.get_by_role("button", name="Send a code there").click()
        if given == "12":
            expect(number).to_have_attribute("aria-invalid", "true", timeout=SLOW_MS)
    expect(code).to_be_focused(timeout=SLOW_MS)
    expect(page.get_by_text("A code was sent to +49…678.")).to_be_visible()
    code.fill("wrong")
    page.get_by_role("button", name="Confirm the number").click()
    expect(code).to_have_attribute("aria-invalid", "true", timeout=SLOW_MS)
    (sent,) = re.findall(rb"code is (\d{6})", b"".join(Receiver.bodies))
    code.fill(sent.decode())
    page.keyboard.press("Enter")
    expect(page.get_by_text("SMS go to +49…678.")).to_be_visible(timeout=SLOW_MS)
    choice = page.get_by_role("checkbox", name="There is no MP3: SMS")
    choice.check()
    page.get_by_role("form", name="What you are told of").get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_have_count(1, timeout=SLOW_MS)
    page.reload()
    expect(choice).to_be_checked(timeout=SLOW_MS)
    expect(page.get_by_role("checkbox", name="An API key was made: SMS")).to_have_count(0)
    page.get_by_role("button", name="Remove the number").click()
    expect(page.get_by_text("You get no SMS.")).to_be_visible(timeout=SLOW_MS)
    expect(choice).to_have_count(0)


def test_a_webhook_is_made_tested_told_and_sent_again(page: Page, receiver: str) -> None:
    open_account(page)
    hooks = section(page, "Webhooks")
    hooks.get_by_text("Add a webhook").click()
    hooks.get_by_label("Where to post").fill("nonsense")
    hooks.get_by_role("button", name="Add it").click()
    expect(hooks.get_by_label("Where to post")).to_have_attribute("aria-invalid", "true")
    hooks.get_by_label("Where to post").fill(receiver)
    hooks.get_by_role("button", name="Add it").click()
    secret = hooks.get_by_label("The secret that signs.")
    expect(secret).to_be_focused(timeout=SLOW_MS)
    assert secret.input_value().startswith("whsec_")
    hooks.get_by_role("button", name="I have it").click()

    entry = card(page, receiver)
    entry.get_by_role("button", name=f"Test {receiver}").click()
    expect(entry.get_by_role("status")).to_have_text("It answered 204.", timeout=SLOW_MS)
    Receiver.status = 500
    entry.get_by_role("button", name=f"Test {receiver}").click()
    expect(entry.get_by_role("status")).to_contain_text("It did not work", timeout=SLOW_MS)
    Receiver.status = 204

    page.get_by_role("navigation").get_by_role("link", name="Audio").click()
    choose(page, not_a_video("notes.mp4"))
    expect(card(page, "notes.mp4")).to_contain_text("Failed", timeout=SLOW_MS)
    open_account(page)
    opener = entry.get_by_role("button", name=f"Deliveries {receiver}")
    delivery = entry.get_by_role("article").first
    for _ in range(20):
        opener.click()
        expect(entry.locator(".log > *").first).to_be_visible(timeout=SLOW_MS)
        if delivery.is_visible() and "Delivered" in (delivery.text_content() or ""):
            break
        opener.click()
        page.wait_for_timeout(500)
    expect(delivery).to_contain_text("There is no MP3")
    expect(delivery).to_contain_text("204")
    delivery.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("status").filter(has_text="It is sent again.")).to_have_count(1, timeout=SLOW_MS)

    entry.get_by_role("button", name=f"Turn off {receiver}").click()
    expect(entry).to_contain_text("Off", timeout=SLOW_MS)
    entry.get_by_role("button", name=f"Delete {receiver}").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(entry).to_have_count(0, timeout=SLOW_MS)


def test_what_one_has_is_shown_with_what_one_may_have_and_all_of_it_can_be_taken_along(open_page: OpenPage) -> None:
    page = open_page()
    email = sign_up(page)
    expect(workspace(page)).to_be_visible()
    open_account(page)
    expect(page.get_by_role("list", name="What you have")).to_contain_text("0 of 3", timeout=SLOW_MS)
    with page.expect_download(timeout=SLOW_MS) as download:
        page.get_by_role("link", name="Download it all").click()
    with zipfile.ZipFile(download.value.path()) as whole:
        assert email in "".join(whole.read(name).decode(errors="replace") for name in whole.namelist())
    page.reload()
    expect(page.get_by_role("heading", name="Your account", exact=True)).to_be_visible(timeout=SLOW_MS)


def test_the_account_speaks_german_and_fits_a_narrow_screen(open_page: OpenPage) -> None:
    page = open_page(viewport={"width": 320, "height": 640})
    sign_up(page)
    page.goto("/account")
    page.locator("#language").select_option("de")
    expect(page.get_by_role("checkbox", name="Eine MP3 ist fertig: Mail")).to_be_visible(timeout=SLOW_MS)
    assert page.evaluate("document.documentElement.scrollWidth") == 320
