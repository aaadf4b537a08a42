"""The states that the page can be in, and how it gets there on its stage."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.screen import choose, not_a_video
from tests.browser.stage import FUNCTIONS, JOBS, ORIGIN, Stage, function, instance

__all__ = ["STATES", "State"]

# What a view asks for is there by then; some of it is asked for again and again.
SETTLED_MS = 300
NOW = "2026-11-27T09:00:00Z"


@dataclass(frozen=True)
class State:
    """Where a state is, who sees it, and what is done to get there; `touch` by a finger."""

    path: str = "/"
    reach: Callable[[Page, Stage], None] = lambda page, stage: None
    member: bool = False
    jobs: bool = False
    touch: bool = False

    def open(self, context: BrowserContext) -> Page:
        """A page of the context in this state."""
        stage = Stage(context, member=self.member, jobs=JOBS if self.jobs else None)
        page = context.new_page()
        if self.path == "/operator":
            page.clock.install(time=NOW)
        stage.slow = self.reach is _loading
        stage.away = self.reach is _offline
        page.goto(f"{ORIGIN}{self.path}")
        if not (stage.slow or stage.away):
            expect(page.get_by_role("heading", level=1).locator("visible=true")).to_have_count(1)
            expect(page.locator(".bone").locator("visible=true")).to_have_count(0)
            page.wait_for_timeout(SETTLED_MS)
        self.reach(page, stage)
        page.evaluate("document.fonts.ready")
        return page


def _loading(page: Page, _stage: Stage) -> None:
    expect(page.locator("#loading")).to_be_visible()


def _offline(page: Page, _stage: Stage) -> None:
    expect(page.get_by_role("button", name="Try now")).to_be_visible()


def _join(page: Page, _stage: Stage) -> None:
    page.get_by_role("button", name="Create an account").click()


def _forgot(page: Page, _stage: Stage) -> None:
    page.get_by_role("button", name="Forgot your password?").click()


def _fields_wrong(page: Page, _stage: Stage) -> None:
    page.get_by_label("Email").fill("anna")
    page.get_by_role("form").locator("[type=submit]").click()
    expect(page.get_by_text("That is not an email address.")).to_be_visible()


def _refused(page: Page, stage: Stage) -> None:
    stage.refused["/v1/session"] = (401, "invalid-credentials")
    page.get_by_label("Email").fill("anna@example.org")
    page.get_by_label("Password", exact=True).fill("not the password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()


def _german(page: Page, _stage: Stage) -> None:
    page.locator("#language").select_option("de")


def _cut_off(page: Page, stage: Stage) -> None:
    stage.away = True
    choose(page, not_a_video("Interview in the kitchen.mov"))
    expect(page.get_by_text("Interview in the kitchen.mov").first).to_be_visible()


def _unfinished(page: Page, stage: Stage) -> None:
    _cut_off(page, stage)
    expect(page.get_by_text("Waiting for the connection", exact=True)).to_be_visible()
    stage.away = False
    page.reload()
    expect(page.get_by_text("Choose the file again, and it goes on where it stopped.")).to_be_visible()


def _options(page: Page, _stage: Stage) -> None:
    page.get_by_text("More options").click()
    expect(page.get_by_label("Bitrate", exact=True)).to_be_visible()


def _menu(page: Page, _stage: Stage) -> None:
    page.get_by_role("button", name="Your account").click()


def _job_menu(page: Page, _stage: Stage) -> None:
    page.get_by_role("button", name=re.compile("Jazz at the Bimhuis.mkv")).and_(page.locator("[data-do=menu]")).click()


def _question(page: Page, _stage: Stage) -> None:
    page.get_by_role("button", name=re.compile("holiday.mp4")).and_(page.locator("[data-do=menu]")).click()
    page.get_by_role("button", name="Delete", exact=True).locator("visible=true").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def _playing(page: Page, _stage: Stage) -> None:
    page.get_by_role("button", name="Play Jazz at the Bimhuis.mkv").first.click()
    page.get_by_role("button", name="Pause Jazz at the Bimhuis.mkv").first.wait_for()
    page.get_by_role("slider").press("PageUp")
    page.get_by_role("region", name="Player").get_by_role("button", name="Pause").click()


def _chosen(page: Page, _stage: Stage) -> None:
    _job_menu(page, _stage)
    page.get_by_role("button", name="Select", exact=True).locator("visible=true").click()
    page.get_by_role("group", name="Chosen conversions").get_by_role("checkbox").check()


def _shared(page: Page, stage: Stage) -> None:
    made = {
        "url": f"{ORIGIN}/v1/files/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwYjljIn0.c2ln",
        "expires_at": JOBS[2]["expires_at"],
    }
    stage.answers[f"/v1/jobs/{JOBS[2]['id']}/links"] = {"items": [{"id": "1" * 32, **made}]}
    _job_menu(page, stage)
    page.get_by_role("button", name="Share a link", exact=True).locator("visible=true").click()
    expect(page.get_by_role("dialog").get_by_role("textbox")).to_be_visible()


def _unfound(page: Page, stage: Stage) -> None:
    page.get_by_label("Search by name").fill("opera")
    stage.answers["/v1/jobs"] = {"items": [], "next_cursor": None}
    expect(page.get_by_text("Nothing here fits what you look for.")).to_be_visible()


def _renaming(page: Page, stage: Stage) -> None:
    _job_menu(page, stage)
    page.get_by_role("button", name="Rename", exact=True).locator("visible=true").click()


def _failed(page: Page, stage: Stage) -> None:
    stage.refused["/v1/me/mail"] = (500, "internal")
    page.get_by_role("button", name="Check for mail").click()
    expect(page.get_by_role("alert")).to_be_visible()


def _operated(page: Page, stage: Stage) -> None:
    """A few minutes on: instances come and go."""
    for number in (0, 1, 2, 4, 3, 1, 2):
        busy = function("convert", *(instance("convert", each) for each in range(number)))
        items = [busy if each["name"] == "convert" else each for each in FUNCTIONS]
        stage.answers["/v1/admin/functions"] = {"unseen": None, "items": items}
        for _ in range(8):
            with page.expect_response("**/v1/admin/functions*"):
                page.clock.run_for(10_000)
    stage.answers["/v1/admin/functions"] = {"unseen": None, "items": FUNCTIONS}
    page.clock.run_for(10_000)
    expect(page.get_by_role("table", name="Functions and instances")).to_contain_text("OOMKilled")


def _unseen(page: Page, stage: Stage) -> None:
    stage.answers["/v1/admin/functions"] = {"unseen": "forbidden", "items": []}
    page.clock.run_for(10_000)
    expect(page.get_by_text("Nothing is known of instances")).to_be_visible()


def _course(page: Page, _stage: Stage) -> None:
    page.get_by_role("button", name=re.compile("^Course 0+5")).first.click()
    expect(page.get_by_role("list", name=re.compile("^0+5 · Failed"))).to_be_visible()
    page.get_by_text("What was in it").first.click()


STATES = {
    "welcome": State(),
    "welcome-touch": State(touch=True),
    "welcome-german": State(reach=_german),
    "join": State(reach=_join),
    "forgot": State(reach=_forgot),
    "fields-wrong": State(reach=_fields_wrong),
    "refused": State(reach=_refused),
    "loading": State(reach=_loading, member=True),
    "offline": State(reach=_offline, member=True),
    "home-empty": State(member=True),
    "home-touch": State(member=True, touch=True),
    "cut-off": State(reach=_cut_off, member=True),
    "unfinished": State(reach=_unfinished, member=True),
    "options": State(reach=_options, member=True),
    "jobs": State(member=True, jobs=True),
    "jobs-touch": State(member=True, jobs=True, touch=True),
    "jobs-german": State(reach=_german, member=True, jobs=True),
    "job-menu": State(reach=_job_menu, member=True, jobs=True),
    "playing": State(reach=_playing, member=True, jobs=True),
    "chosen": State(reach=_chosen, member=True, jobs=True),
    "shared": State(reach=_shared, member=True, jobs=True),
    "unfound": State(reach=_unfound, member=True, jobs=True),
    "renaming": State(reach=_renaming, member=True, jobs=True),
    "job": State(f"/jobs/{JOBS[2]['id']}", member=True, jobs=True),
    "job-expired": State(f"/jobs/{JOBS[7]['id']}", member=True, jobs=True),
    "job-gone": State(f"/jobs/{'f' * 32}", member=True),
    "menu": State(reach=_menu, member=True),
    "question": State(reach=_question, member=True, jobs=True),
    "failed": State(reach=_failed, member=True),
    "account": State("/account", member=True),
    "operator": State("/operator", reach=_operated, member=True),
    "operator-unseen": State("/operator", reach=_unseen, member=True),
    "operator-course": State("/operator", reach=_course, member=True),
    "missing": State("/nothing-here"),
}
