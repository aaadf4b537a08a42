"""Where mail is really sent: the links in it, and the page that they lead to."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.screen import SLOW_MS, problem, sign_in, workspace
from tests.patience import eventually
from tests.system import PASSWORD, Audiolift
from tests.unit.smtp import Server

OpenPage = Callable[..., Page]
NEW = "another passphrase"


@pytest.fixture(scope="module")
def post() -> Iterator[Server]:
    """The mail server."""
    with Server() as running:
        yield running


@pytest.fixture(scope="module")
def audiolift(tmp_path_factory: pytest.TempPathFactory, post: Server) -> Iterator[Audiolift]:
    """audiolift on one machine, which sends mail."""
    running = Audiolift(tmp_path_factory.mktemp("mailing") / "data", {"SMTP_URL": f"smtp://{post.place}"})
    yield running
    running.stop()


def register(page: Page, email: str) -> None:
    page.get_by_role("button", name="Create an account").click()
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Look into your mailbox")).to_be_focused(timeout=SLOW_MS)


def link(post: Server, email: str, subject: str) -> str:
    """The link in a mail of that subject, without the address of the page."""
    found: list[str] = []

    def there() -> bool:
        texts = [text for named, text in post.mails(email) if named == subject]
        found.extend(re.findall(r"^http://[^/]+/(\S+)", " ".join(texts), re.MULTILINE))
        return bool(found)

    eventually(there, subject)
    return found[-1]


def follow(page: Page, address: str) -> None:
    """Open a link, and wait until the password can be typed."""
    page.goto(f"/{address}")
    expect(page.get_by_label("Password", exact=True)).to_be_focused(timeout=SLOW_MS)


def member(open_page: OpenPage, post: Server) -> tuple[Page, str]:
    """The page of somebody who has confirmed the address, and that."""
    page, email = open_page(), f"{uuid.uuid4().hex}@example.org"
    register(page, email)
    follow(page, link(post, email, "Confirm your address"))
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(workspace(page)).to_be_visible(timeout=SLOW_MS)
    return page, email


def test_who_confirms_the_address_is_in_and_the_address_bar_forgets_the_token(
    open_page: OpenPage, post: Server
) -> None:
    page, email = member(open_page, post)
    expect(page.get_by_role("banner")).to_contain_text(email)
    assert page.evaluate("location.pathname + location.hash + location.search") == "/"
    assert page.evaluate("sessionStorage.length") == 0


def test_a_link_takes_the_password_that_was_chosen(open_page: OpenPage, post: Server) -> None:
    page, email = open_page(), f"{uuid.uuid4().hex}@example.org"
    register(page, email)
    follow(page, link(post, email, "Confirm your address"))
    expect(page.get_by_role("heading", name="Confirm your address")).to_be_visible()
    expect(page.get_by_label("Email")).to_be_hidden()
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    page.keyboard.type("not the password")
    page.keyboard.press("Enter")
    expect(problem(page)).to_contain_text("The password is wrong", timeout=SLOW_MS)


def test_a_forgotten_password_is_reset_by_keyboard_alone(open_page: OpenPage, post: Server) -> None:
    _, email = member(open_page, post)
    page = open_page()
    forgot = page.get_by_role("button", name="Forgot your password?")
    # Unlike a click, a key does not wait for that.
    expect(forgot).to_be_enabled(timeout=SLOW_MS)
    forgot.press("Enter")
    page.get_by_label("Email").fill(email)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Look into your mailbox")).to_be_focused(timeout=SLOW_MS)
    follow(page, link(post, email, "Reset your password"))
    page.keyboard.type(NEW)
    page.keyboard.press("Enter")
    expect(page.get_by_text("That is your password now.")).to_be_focused(timeout=SLOW_MS)
    sign_in(page, email, NEW)
    expect(workspace(page)).to_be_visible(timeout=SLOW_MS)


def test_a_link_that_is_used_up_says_so(open_page: OpenPage, post: Server) -> None:
    _, email = member(open_page, post)
    page = open_page()
    follow(page, link(post, email, "Confirm your address"))
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(problem(page)).to_contain_text("Ask for another mail", timeout=SLOW_MS)


def test_a_link_that_is_no_link_changes_nothing(open_page: OpenPage) -> None:
    page = open_page()
    for path in ("/#verify=<img src=x onerror=alert(1)>", "/verify/<img src=x onerror=alert(1)>"):
        page.goto(path)
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=SLOW_MS)


def test_without_a_script_links_work_too_and_tell_nobody_of_their_token(open_page: OpenPage, post: Server) -> None:
    page, email = open_page(java_script_enabled=False), f"{uuid.uuid4().hex}@example.org"
    told: list[str] = []
    page.on("request", lambda request: told.append(request.headers.get("referer", "")))
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create an account").click()
    expect(page.get_by_role("status")).to_contain_text("Look into your mailbox", timeout=SLOW_MS)
    path = link(post, email, "Confirm your address")
    # A scanner that opens links, and a visitor who looks twice, use nothing up.
    for _ in range(2):
        assert page.request.get(f"/{path}").status == page.request.get(f"/{path}?plain").status == 200
    page.goto(f"/{path}")
    expect(page.get_by_role("heading", name="Confirm your address")).to_be_visible(timeout=SLOW_MS)
    for given in ("not the password", PASSWORD):
        page.get_by_label("Password").fill(given)
        page.get_by_role("button", name="Confirm your address").click()
        if given != PASSWORD:
            expect(page.get_by_role("alert")).to_contain_text("The password is wrong", timeout=SLOW_MS)
    expect(page.get_by_role("heading", name="Your audio")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Email").fill(email)
    page.get_by_role("button", name="Forgot your password?").click()
    expect(page.get_by_role("status")).to_contain_text("Look into your mailbox", timeout=SLOW_MS)
    page.goto(f"/{link(post, email, 'Reset your password')}")
    page.get_by_label("Password").fill(NEW)
    page.get_by_role("button", name="Choose a new password").click()
    expect(page.get_by_role("status")).to_contain_text("That is your password now.", timeout=SLOW_MS)
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(NEW)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Your audio")).to_be_visible(timeout=SLOW_MS)
    assert [each for each in told if "/verify/" in each or "/reset/" in each] == []
