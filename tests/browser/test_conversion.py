"""From a video to its MP3, as a person sees it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import mutagen.mp3
import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from tests import media
from tests.browser.screen import SLOW_MS, card, choose, module, not_a_video, pick, press
from tests.unit.test_wild import tones, written

BROKEN_SAMPLE = "Some of the sound is broken, and is silent in the MP3. Broken samples: 1."
DROPPED = """([name, content]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(content)], name));
  return data;
}"""


def ready(page: Page, name: str) -> None:
    """Waits for a card to say that the MP3 is ready."""
    expect(card(page, name).get_by_text("Ready", exact=True)).to_be_visible(timeout=SLOW_MS)


def test_a_chosen_video_can_be_played_and_downloaded(page: Page, video: Path) -> None:
    with page.expect_response(re.compile("/v1/jobs/events$")) as live:
        page.reload()
    choose(page, video)
    assert live.value.headers["content-type"].startswith("text/event-stream")
    ready(page, video.name)
    expect(page.get_by_role("status")).to_contain_text(f"{video.name}: Ready", timeout=SLOW_MS)

    press(page, "Play", video.name)
    audio = page.locator("#player-audio")
    expect(audio).to_have_js_property("paused", False, timeout=SLOW_MS)
    expect(audio).to_have_js_property("ended", True, timeout=SLOW_MS)

    with page.expect_download() as download:
        press(page, "Download", video.name)
    assert download.value.suggested_filename == video.with_suffix(".mp3").name
    assert mutagen.mp3.MP3(download.value.path()).info.length == pytest.approx(media.SECONDS, abs=0.1)


def test_a_state_that_the_page_does_not_know_is_shown_by_its_own_name_and_as_not_over(page: Page) -> None:
    code = "(path) => import(path).then((m) => [m.stateLabel('paused'), m.isActive({ state: 'paused' })])"
    assert page.evaluate(code, module(page, "core/format.js")) == ["paused", True]


def test_the_mail_about_it_is_shown(page: Page, video: Path) -> None:
    expect(page.get_by_text("No mail yet.")).to_be_visible(timeout=SLOW_MS)
    choose(page, video)
    letter = page.get_by_role("region", name="Mail").get_by_role("listitem").filter(has_text=video.name)
    letter.locator("summary").click(timeout=SLOW_MS)
    expect(letter).to_contain_text("http")


def test_videos_can_be_dropped_anywhere(page: Page, video: Path) -> None:
    data = page.evaluate_handle(DROPPED, [video.name, list(video.read_bytes())])
    page.get_by_role("heading", name="Conversions").dispatch_event("drop", {"dataTransfer": data})
    ready(page, video.name)


def test_without_live_updates_the_page_still_follows_the_job(page: Page, video: Path) -> None:
    page.route("**/v1/jobs/events", lambda route: route.abort())
    page.reload()
    choose(page, video)
    ready(page, video.name)


def test_a_failure_says_why_and_can_be_deleted_but_not_tried_again_in_vain(page: Page) -> None:
    choose(page, not_a_video("notes.mp4"))
    failed = card(page, "notes.mp4")
    expect(failed).to_contain_text("not a video or audio file.", timeout=SLOW_MS)
    expect(failed).to_contain_text("Upload the video itself")

    expect(failed.get_by_role("button", name="Try again")).to_be_hidden()

    pick(page, "Delete", "notes.mp4")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(failed).to_have_count(0)
    page.reload()
    expect(page.get_by_text("Nothing here yet.")).to_be_visible(timeout=SLOW_MS)


@pytest.mark.parametrize("has_links", [True, False])
def test_a_name_keeps_what_only_looks_like_an_ending(page: Page, video: Path, tmp_path: Path, has_links: bool) -> None:
    path = tmp_path / "Lecture 3.2 Grüße 🚀"
    path.write_bytes(video.read_bytes())
    choose(page, path)
    ready(page, path.name)
    if not has_links:
        page.route(re.compile("/v1/jobs/[^/]+$"), without_download_link)
    with page.expect_download() as download:
        press(page, "Download", path.name)
    assert download.value.suggested_filename == f"{path.name}.mp3"


def without_download_link(route: Route) -> None:
    """As a gateway of a release before signed links answers."""
    answer = route.fetch()
    job = answer.json()
    del job["links"]["download"]
    route.fulfill(response=answer, json=job)


def test_what_to_know_about_an_mp3_is_shown_and_spoken(page: Page, tmp_path: Path) -> None:
    sound = tones(2, 1)
    sound[0, 1000] = np.inf
    choose(page, written(tmp_path / "wild.wav", sound, "f32"))
    remarks = page.get_by_role("list", name="What to know about wild.wav").get_by_role("listitem")
    expect(remarks).to_have_text([BROKEN_SAMPLE], timeout=SLOW_MS)
    expect(page.get_by_role("status")).to_contain_text(f"wild.wav: Ready. {BROKEN_SAMPLE}")
    page.reload()
    expect(remarks).to_have_count(1, timeout=SLOW_MS)


def test_a_remark_is_only_ever_text(page: Page) -> None:
    job: dict[str, Any] = {"id": "1" * 32, "filename": "x", "state": "done", "links": {}, "options": {}}
    job |= {"created_at": "2026-11-27T09:00:00.000Z", "warnings": [{"code": "new", "text": "<img src=x>"}]}
    code = """([path, job]) => import(path).then(({ Row }) => {
      const row = new Row(job);
      row.fill();
      const { element } = row;
      return [element.querySelector(".remarks").textContent, element.querySelectorAll("img").length];
    })"""
    assert page.evaluate(code, [module(page, "jobs/row.js"), job]) == ["<img src=x>", 0]


def test_a_file_name_is_only_ever_text(page: Page) -> None:
    name = "<img src=x onerror=document.title='taken'>&amp;\u202e.mp4"
    choose(page, not_a_video(name))
    shown = page.get_by_role("list", name="Conversions").get_by_role("heading")
    expect(shown).to_have_text(name.replace("\u202e", ""), timeout=SLOW_MS)
    expect(page.locator("#jobs img")).to_have_count(0)
    expect(page).to_have_title("audiolift", timeout=SLOW_MS)


def test_an_upload_shows_its_progress_and_can_be_cancelled(page: Page) -> None:
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 500_000}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    choose(page, not_a_video("long.mp4", size=20_000_000))
    upload = card(page, "long.mp4")
    expect(upload).to_contain_text(re.compile("Uploading [1-9][0-9]?%"), timeout=SLOW_MS)
    expect(upload.get_by_role("progressbar", name="Progress of long.mp4")).to_be_visible()
    press(page, "Cancel", "long.mp4")
    expect(upload).to_have_count(0)
    expect(page.get_by_text("Nothing here yet.")).to_be_visible()


def test_a_conversion_shows_its_progress_and_can_be_cancelled(page: Page, long_audio: Path) -> None:
    choose(page, long_audio)
    converting = card(page, long_audio.name)
    expect(converting).to_contain_text(re.compile("Converting [1-9][0-9]?%"), timeout=SLOW_MS)
    expect(converting.get_by_role("progressbar")).to_be_visible()
    press(page, "Cancel", long_audio.name)
    expect(converting.get_by_text("Cancelled", exact=True)).to_be_visible()
    with page.expect_response(re.compile("/retry$")) as answer:
        press(page, "Try again", long_audio.name)
    assert answer.value.status == 202
    expect(converting).to_contain_text(re.compile("Waiting|Converting"), timeout=SLOW_MS)
