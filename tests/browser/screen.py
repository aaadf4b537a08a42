"""What a person does on the page, and where they look."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

from playwright.sync_api import FilePayload, Locator, Page, expect

from tests import media
from tests.patience import PATIENCE
from tests.system import PASSWORD

# Functions that start from nothing on a busy machine.
SLOW_MS = PATIENCE * 1000


def sign_up(page: Page) -> str:
    """Makes an account. Returns: its email address."""
    email = f"{uuid.uuid4().hex}@example.org"
    page.get_by_role("button", name="Create an account").click()
    _fill_in(page, email, PASSWORD, "Create an account")
    expect(workspace(page)).to_be_visible(timeout=SLOW_MS)
    return email


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    """Fills in the form and sends it."""
    _fill_in(page, email, password, "Sign in")


def sign_out(page: Page) -> None:
    """Signs out by the account's menu."""
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("banner").get_by_role("button", name="Sign out").click()


def open_account(page: Page) -> None:
    """Goes to the account by the link on top of the page."""
    page.get_by_role("navigation").get_by_role("link", name="Account").click()
    expect(page.get_by_role("heading", name="Your account", exact=True)).to_be_focused(timeout=SLOW_MS)


def module(page: Page, name: str) -> str:
    """The address of one of the page's modules, for import()."""
    address: str = page.locator("script[type=module]").get_attribute("src") or ""
    return address.replace("core/app.js", name)


def workspace(page: Page) -> Locator:
    """The heading of the part that only who is signed in sees."""
    return page.get_by_role("heading", name="Your audio")


def problem(page: Page) -> Locator:
    """The error on top of the page."""
    return page.get_by_role("alert")


def choose(page: Page, *files: Path | FilePayload) -> None:
    """Chooses files to upload."""
    page.get_by_label("Choose videos").set_input_files([*files])  # type: ignore[arg-type]


def send_whole(page: Page) -> None:
    """Has the pictures sent, too."""
    page.get_by_text("More options").click()
    page.get_by_label("Send the whole video").check()


def throttle(page: Page, rate: int) -> None:
    """Lets the page send so many bytes a second; -1 for as many as it can."""
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": rate}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)


def film_at(path: Path) -> Path:
    """Twenty seconds of pictures that do not compress well, and two-channel AAC."""
    pictures = ["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25:duration=20"]
    tones = ["-f", "lavfi", "-i", "aevalsrc=0.2*sin(2*PI*(300+20*t)*t)|0.2*sin(2*PI*500*t):s=48000:d=20"]
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-metadata", "title=A film"]
    command = [media.ffmpeg(), "-v", "error", "-nostdin", "-y", *pictures, *tones, *coding, str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def not_a_video(name: str, size: int = 100) -> FilePayload:
    """A file that ends as failed, whatever its name says."""
    return {"name": name, "mimeType": "video/mp4", "buffer": b"text, text. " * (size // 12 + 1)}


def card(page: Page, name: str) -> Locator:
    """The card of an upload or a job."""
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=name, exact=True))


def press(page: Page, label: str, name: str) -> None:
    """Presses a button of the card with this file name."""
    card(page, name).get_by_role("button", name=f"{label} {name}", exact=True).click()


def pick(page: Page, label: str, name: str) -> None:
    """Picks something in the menu of the job with this file name."""
    press(page, "More for", name)
    card(page, name).locator(".menu-list").get_by_role("button", name=label, exact=True).click()


def _fill_in(page: Page, email: str, password: str, button: str) -> None:
    form = page.get_by_role("form")
    form.get_by_label("Email").fill(email)
    form.get_by_label("Password", exact=True).fill(password)
    form.locator("[type=submit]", has_text=button).click()
