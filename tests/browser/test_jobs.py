"""The list of conversions: live in every tab, searched, chosen, shared, heard; and what is gone goes."""

from __future__ import annotations

import re
import sqlite3
import uuid
import zipfile
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from functions.shared.jobs.states import State
from tests import media
from tests.browser.rows import insert
from tests.browser.screen import SLOW_MS, card, choose, not_a_video, pick, press
from tests.browser.stage import JOBS, ORIGIN, Stage
from tests.patience import PATIENCE, eventually
from tests.system import Audiolift

HOSTILE = "<img src=x onerror=document.title='taken'>&amp; " + "ö" * 60
MANY = 2000


@pytest.fixture(scope="module")
def mp3(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two seconds of a tone."""
    return media.make(tmp_path_factory.mktemp("mp3") / "x.mp3", "-vn", "-t", "2").read_bytes()


def done(audiolift: Audiolift, mp3: bytes, filename: str) -> dict[str, Any]:
    """A job with an MP3."""
    ident = uuid.uuid4().hex
    blob = audiolift.data / "blobs" / "audio" / f"{ident}.1"
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(mp3)
    known = {"audio": f"audio/{ident}.1", "audio_bytes": len(mp3), "audio_sha256": "ab" * 32, "duration_seconds": 2.0}
    return {"id": ident, "filename": filename, "audio_type": "audio/mpeg", **known}


def headings(page: Page) -> Locator:
    return page.get_by_role("list", name="Conversions").get_by_role("heading")


def test_it_is_live_in_two_tabs_over_one_stream_and_what_is_deleted_elsewhere_goes(
    audiolift: Audiolift, page: Page, owner: str, mp3: bytes
) -> None:
    streams: list[str] = []
    for each in (other := page.context.new_page(), page):
        each.on(
            "request", lambda request: streams.append(request.url) if request.url.endswith("/jobs/events") else None
        )
    insert(audiolift, owner, *(done(audiolift, mp3, f"{number}.mp4") for number in range(3)))
    page.reload()
    expect(headings(page)).to_have_text(["0.mp4", "1.mp4", "2.mp4"], timeout=SLOW_MS)
    other.goto("/")
    expect(headings(other)).to_have_text(["0.mp4", "1.mp4", "2.mp4"], timeout=SLOW_MS)

    pick(page, "Rename", "0.mp4")
    page.get_by_label("New name").fill("Lecture/ one.mp4")
    page.keyboard.press("Enter")
    expect(headings(other).first).to_have_text("Lecture- one.mp4", timeout=SLOW_MS)
    expect(headings(page).first).to_have_text("Lecture- one.mp4")

    pick(page, "Delete", "1.mp4")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(headings(other)).to_have_text(["Lecture- one.mp4", "2.mp4"], timeout=SLOW_MS)

    with closing(sqlite3.connect(audiolift.data / "audiolift.db", timeout=PATIENCE)) as database:
        database.execute("DELETE FROM jobs WHERE user_id = ? AND filename = '2.mp4'", (owner,))
        database.commit()
    press(other, "Download", "2.mp4")
    expect(other.locator("#toasts").get_by_text("“2.mp4” was deleted elsewhere")).to_be_visible(timeout=SLOW_MS)
    expect(headings(other)).to_have_text(["Lecture- one.mp4"])
    expect(headings(page)).to_have_text(["Lecture- one.mp4"], timeout=SLOW_MS)
    assert len(streams) <= 2


def test_found_chosen_and_downloaded_as_a_zip_that_opens(
    audiolift: Audiolift, page: Page, owner: str, mp3: bytes
) -> None:
    lectures = [done(audiolift, mp3 + bytes([number]), f"Lecture {number % 2}.mp4") for number in range(3)]
    failed = {
        "state": State.FAILED,
        "filename": "lecture without sound.mp4",
        "error_code": "no-audio",
        "error_detail": "x",
    }
    slow = {
        "state": State.FAILED,
        "filename": "slow.mp4",
        "error_code": "timed-out",
        "error_detail": "x",
        "video_bytes": 1,
    }
    insert(audiolift, owner, *lectures, failed, slow)
    page.reload()
    expect(headings(page)).to_have_count(5, timeout=SLOW_MS)
    expect(card(page, "lecture without sound.mp4").get_by_role("button", name="Try again")).to_be_hidden()
    expect(card(page, "slow.mp4").get_by_role("button", name="Try again slow.mp4")).to_be_visible()

    page.get_by_label("Search by name").fill("LECTURE")
    expect(headings(page)).to_have_count(4, timeout=SLOW_MS)
    page.get_by_label("Which ones to show").select_option("Ready")
    expect(headings(page)).to_have_count(3, timeout=SLOW_MS)
    page.get_by_label("Choose Lecture 0.mp4").first.check()
    page.get_by_role("group", name="Chosen conversions").get_by_role("checkbox").check()
    expect(page.get_by_text("3 chosen")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download zip").click()
    with zipfile.ZipFile(download.value.path()) as zipped:
        assert zipped.namelist() == ["Lecture 0.mp3", "Lecture 1.mp3", "Lecture 0 (2).mp3"]
        assert [zipped.read(name) for name in zipped.namelist()] == [mp3 + bytes([number]) for number in range(3)]

    page.get_by_role("group", name="Chosen conversions").get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Nothing here fits what you look for.")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_text("Nothing here yet.")).to_be_hidden()
    page.get_by_role("button", name="Show all").click()
    expect(headings(page)).to_have_text(["lecture without sound.mp4", "slow.mp4"], timeout=SLOW_MS)


def test_one_plays_at_a_time_in_all_tabs_and_the_keys_move_in_it(
    audiolift: Audiolift, page: Page, owner: str, mp3: bytes
) -> None:
    insert(audiolift, owner, done(audiolift, mp3, HOSTILE), done(audiolift, mp3, "two.mp4"))
    page.reload()
    sound = page.locator("#player-audio")
    press(page, "Play", "two.mp4")
    expect(sound).to_have_js_property("paused", False, timeout=SLOW_MS)
    expect(page.locator("#player-wave path").first).to_have_attribute("d", re.compile("^M0 24H"))
    name = headings(page).first.text_content() or ""
    assert name.startswith("<img src=x")
    press(page, "Play", name)
    expect(page.locator("#player-name")).to_have_text(name, timeout=SLOW_MS)
    expect(card(page, "two.mp4").get_by_role("button", name="Play two.mp4").first).to_be_visible()

    slider = page.get_by_role("slider", name=f"Position in {name}")
    slider.focus()
    page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^0:02 of 0:02"))
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^0:0[0-2] of 0:02"))

    sound.evaluate("(audio) => { audio.loop = true; return audio.play(); }")
    other = page.context.new_page()
    other.goto("/")
    press(other, "Play", "two.mp4")
    expect(sound).to_have_js_property("paused", True, timeout=SLOW_MS)
    assert page.locator("#jobs img, #player img").count() == 0
    assert page.title() == "audiolift"


def test_a_link_is_made_with_an_end_and_revoked(audiolift: Audiolift, page: Page, owner: str, mp3: bytes) -> None:
    insert(audiolift, owner, done(audiolift, mp3, "talk.mp4"))
    page.reload()
    pick(page, "Share a link", "talk.mp4")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("How long it is good").select_option("One day")
    dialog.get_by_role("button", name="Make a link").click()
    link = dialog.get_by_role("textbox").input_value(timeout=SLOW_MS)
    assert page.request.get(link).body() == mp3
    dialog.get_by_role("button", name=re.compile(r"^Revoke \d")).click()
    expect(dialog.get_by_role("textbox")).to_have_count(0, timeout=SLOW_MS)
    assert page.request.get(link).status == 410


# The greatest number of rows that are more than their name at a time: those in the window, and some on both sides.
WHOLE = 120


def test_two_thousand_are_scrolled_to_the_last(audiolift: Audiolift, page: Page, owner: str) -> None:
    jobs = ({"state": State.CANCELLED, "filename": f"{number:04}.mp4"} for number in range(MANY))
    insert(audiolift, owner, *jobs)
    page.reload()
    expect(headings(page)).to_have_count(100, timeout=SLOW_MS)
    rows = page.locator("#jobs .job")
    eventually(
        lambda: page.evaluate("void scrollTo(0, document.body.scrollHeight)") or rows.count() == MANY, "the last row"
    )
    rows.last.scroll_into_view_if_needed()
    expect(rows.last).to_contain_text(f"{MANY - 1:04}.mp4")
    expect(rows.last).to_be_in_viewport()
    expect(rows.last.get_by_role("button", name="More for")).to_be_visible()
    assert page.locator("#jobs .job-do").count() < WHOLE
    page.get_by_label("Search by name").fill(f"{MANY - 1:04}")
    expect(headings(page)).to_have_text([f"{MANY - 1:04}.mp4"], timeout=SLOW_MS)


def test_no_row_moves_under_the_pointer_while_others_go_on(browser: Browser) -> None:
    with browser.new_context(locale="en") as context:
        stage, page = Stage(context, member=True, jobs=JOBS), context.new_page()
        page.goto(ORIGIN)
        pressed = card(page, "holiday.mp4").get_by_role("button", name="More for holiday.mp4")
        pressed.hover()
        place = pressed.bounding_box()
        done = {name: JOBS[2][name] for name in ("state", "progress", "links", "duration_seconds", "size_bytes")}
        converting = {name: JOBS[0][name] for name in ("state", "progress", "speed", "seconds_left")}
        # The second begins, then the first ends.
        for at, news, shown in ((1, converting, "Converting 42%"), (0, done, "Ready")):
            items = stage.answers["/v1/jobs"]["items"]
            changed = items[at] | news | {"updated_at": "2026-11-27T10:00:00.000Z"}
            stage.answers["/v1/jobs"] = {"items": [*items[:at], changed, *items[at + 1 :]], "next_cursor": None}
            expect(card(page, changed["filename"])).to_contain_text(shown)
            assert pressed.bounding_box() == place


def test_one_that_expired_under_the_page_says_so_in_its_row_where_one_is(browser: Browser) -> None:
    with browser.new_context(locale="en") as context:
        stage, page = Stage(context, member=True, jobs=JOBS), context.new_page()
        page.goto(ORIGIN)
        ident, name = JOBS[2]["id"], JOBS[2]["filename"]
        expect(card(page, name)).to_contain_text("Ready")
        links = {"self": f"/v1/jobs/{ident}"}
        gone = JOBS[2] | {"state": "expired", "links": links, "updated_at": "2026-12-05T10:00:00.000Z"}
        stage.answers[f"/v1/jobs/{ident}"] = gone
        stage.refused[f"/v1/jobs/{ident}/audio"] = (410, "expired")
        press(page, "Play", name)
        expect(card(page, name).get_by_text("The MP3 was deleted when its time was over.")).to_be_visible()
        expect(card(page, name).get_by_role("link", name=name)).to_be_focused()
        expect(card(page, name).locator(".job-problem")).to_be_hidden()


# Notes what the desktop is given to show. Chromium without a screen refuses all of it, and always says that it is seen.
DESKTOP = """window.noted = [];
window.Notification = class extends EventTarget {
  static permission = "default";
  static requestPermission = async () => (this.permission = window.answer);
  constructor(title, { body }) { super(); noted.push([title, body]); }
}"""
UNSEEN = "Object.defineProperty(document, 'hidden', { value: true })"


def test_the_desktop_is_told_of_what_ends_while_nobody_looks_once_it_is_allowed(page: Page) -> None:
    page.add_init_script(DESKTOP)
    page.reload()
    choose(page, not_a_video("first.mp4"))
    expect(page.get_by_role("status")).to_contain_text("first.mp4: Failed", timeout=SLOW_MS)
    bell = page.get_by_role("button", name="Tell me on this device when something is ready")
    page.evaluate("window.answer = 'denied'")
    bell.click()
    expect(page.locator("#toasts").get_by_text("This browser does not allow it.")).to_be_visible()
    expect(bell).to_have_attribute("aria-pressed", "false")
    page.evaluate("window.answer = 'granted'")
    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "true")
    page.evaluate(UNSEEN)
    choose(page, not_a_video("second.mp4"))
    eventually(lambda: page.evaluate("noted"), "a notification")
    assert page.evaluate("noted") == [["audiolift", "second.mp4: Failed"]]
