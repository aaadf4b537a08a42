"""The states that the page can be in, and how it gets there: for screenshots, and for what looks for barriers.

Jobs are those of EXAMPLES, which the page is given in place of the server's answer; all else is a real audiolift.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.browser.screen import SLOW_MS, choose, not_a_video, open_account, workspace

__all__ = ["STATES", "Reached"]

_LINKS = {"self": "", "events": "/events", "audio": "/audio", "cancel": "/cancel", "retry": "/retry"}
_LISTED = re.compile(r"/v1/jobs(\?[^/]*)?$")


def job(number: int, filename: str, state: str, *links: str, **more: Any) -> dict[str, Any]:
    """A job as the API shows it."""
    ident = f"{number:032x}"
    made = f"2026-11-{27 - number:02}T09:{60 - number}:00.000Z"
    common = {"options": {"quality": 2}, "progress": 0.0, "warnings": [], "error": None, "created_at": made}
    shown = {name: f"/v1/jobs/{ident}{_LINKS[name]}" for name in ("self", "events", *links)}
    return {**common, "id": ident, "state": state, "filename": filename, "updated_at": made, "links": shown, **more}


def failed(code: str) -> dict[str, str]:
    """Why a job failed."""
    return {"code": code, "title": "", "detail": ""}


_DONE: dict[str, Any] = {"progress": 1.0, "expires_at": "2026-12-04T09:00:00.000Z"}
EXAMPLES = [
    job(1, "Lecture 12 – Fourier series.mp4", "converting", "cancel", progress=0.42, duration_seconds=5412.0),
    job(2, "Lecture 11 – Convolution.mp4", "queued", "cancel", queue_position=2),
    job(
        3, "Jazz at the Bimhuis.mkv", "done", "audio", "retry", **_DONE, duration_seconds=4285.0, size_bytes=98_400_000
    ),
    job(4, "Grandma’s 80th birthday – speech in the garden, second take.mov", "done", "audio", "retry", **_DONE)
    | {"duration_seconds": 312.0, "size_bytes": 5_100_000}
    | {"warnings": [{"code": "ends-early", "text": "The file ends too early: the end of the sound is missing."}]},
    job(5, "holiday.mp4", "failed", error=failed("no-audio")),
    job(6, "meeting-2026-11-20.webm", "failed", "retry", error=failed("timed-out")),
    job(7, "draft.mp4", "cancelled", "retry"),
    job(8, "old-recording.avi", "expired", duration_seconds=1800.0),
]


def show_jobs(page: Page, jobs: list[dict[str, Any]]) -> None:
    """Has the page find these jobs, and nothing happen to them, from its next load on."""

    def answer(route: Route) -> None:
        url = route.request.url
        alone = next((each for each in jobs if url.endswith(each["id"])), None)
        body = alone if alone else {"items": jobs, "next_cursor": None}
        route.fulfill(status=200, content_type="application/json", body=json.dumps(body))

    page.route(_LISTED, answer)
    page.route(re.compile(r"/v1/jobs/[0-9a-f]{32}$"), answer)
    page.route(re.compile(r"/v1/jobs.*/events"), lambda route: route.abort())
    page.reload()


@dataclass(frozen=True)
class Reached:
    """How a state is reached, from the welcome or, with `member`, from somebody's empty list; `touch` by a finger."""

    reach: Callable[[Page], None]
    member: bool = False
    touch: bool = False


def _nothing(page: Page) -> None:
    expect(page.get_by_role("heading", level=1).first).to_be_visible()


def _join(page: Page) -> None:
    page.get_by_role("button", name="Create an account").click()


def _forgot(page: Page) -> None:
    page.get_by_role("button", name="Forgot your password?").click()


def _fields_wrong(page: Page) -> None:
    page.get_by_label("Email").fill("anna")
    page.get_by_role("form").locator("[type=submit]").click()
    expect(page.get_by_text("That is not an email address.")).to_be_visible()


def _refused(page: Page) -> None:
    page.get_by_label("Email").fill("anna@example.org")
    page.get_by_label("Password", exact=True).fill("not the password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible(timeout=SLOW_MS)


def _loading(page: Page) -> None:
    page.route("**/v1/**", lambda route: None)
    page.reload(wait_until="commit")
    expect(page.locator("#loading")).to_be_visible()


def _offline(page: Page) -> None:
    page.route("**/v1/**", lambda route: route.abort())
    page.reload()
    expect(page.get_by_role("button", name="Try now")).to_be_visible()


def _jobs(page: Page) -> None:
    show_jobs(page, EXAMPLES)
    expect(page.get_by_text("old-recording.avi")).to_be_visible(timeout=SLOW_MS)


def _job(page: Page) -> None:
    show_jobs(page, EXAMPLES)
    page.goto(f"/jobs/{EXAMPLES[2]['id']}")
    expect(page.get_by_text("Jazz at the Bimhuis.mkv")).to_be_visible(timeout=SLOW_MS)


def _uploading(page: Page) -> None:
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 2_000_000}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    choose(page, not_a_video("Concert in the park.mp4", size=40_000_000), not_a_video("Interview.mov", size=9_000_000))
    expect(page.get_by_text(re.compile("Uploading [1-9][0-9]?%")).first).to_be_visible(timeout=SLOW_MS)


def _cut_off(page: Page) -> None:
    page.route("**/v1/uploads**", lambda route: route.abort("connectionreset"))
    choose(page, not_a_video("Interview.mov"))
    expect(page.get_by_text("Interview.mov").first).to_be_visible()


def _menu(page: Page) -> None:
    page.get_by_role("button", name="Your account").click()


def _account(page: Page) -> None:
    if page.get_by_role("navigation").is_visible():
        return open_account(page)
    _menu(page)
    page.get_by_role("banner").get_by_role("link", name="Account").click()
    return expect(page.get_by_role("heading", name="Your account", exact=True)).to_be_focused(timeout=SLOW_MS)


def _question(page: Page) -> None:
    _jobs(page)
    page.get_by_role("button", name="Delete holiday.mp4").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def _failed(page: Page) -> None:
    page.route("**/v1/me/mail", lambda route: route.fulfill(status=500, body="{}"))
    page.get_by_role("button", name="Check for mail").click(timeout=SLOW_MS)
    expect(page.get_by_role("alert")).to_be_visible()


def _missing(page: Page) -> None:
    page.goto("/nothing-here")


def _gone(page: Page) -> None:
    page.goto(f"/jobs/{'0' * 32}")
    expect(page.get_by_role("heading", name="There is nothing here.")).to_be_visible(timeout=SLOW_MS)


def _home(page: Page) -> None:
    expect(workspace(page)).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_text("Nothing here yet.")).to_be_visible(timeout=SLOW_MS)


STATES = {
    "welcome": Reached(_nothing),
    "welcome-touch": Reached(_nothing, touch=True),
    "join": Reached(_join),
    "forgot": Reached(_forgot),
    "fields-wrong": Reached(_fields_wrong),
    "refused": Reached(_refused),
    "loading": Reached(_loading, member=True),
    "offline": Reached(_offline, member=True),
    "home-empty": Reached(_home, member=True),
    "home-touch": Reached(_home, member=True, touch=True),
    "uploading": Reached(_uploading, member=True),
    "cut-off": Reached(_cut_off, member=True),
    "jobs": Reached(_jobs, member=True),
    "jobs-touch": Reached(_jobs, member=True, touch=True),
    "job": Reached(_job, member=True),
    "menu": Reached(_menu, member=True),
    "account": Reached(_account, member=True),
    "question": Reached(_question, member=True),
    "failed": Reached(_failed, member=True),
    "missing": Reached(_missing),
    "job-gone": Reached(_gone, member=True),
}
