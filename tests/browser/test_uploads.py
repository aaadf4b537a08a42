"""Uploads that survive what happens to them: a reload, a connection that breaks or stands still, a pause."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests import media
from tests.browser.screen import (
    SLOW_MS,
    card,
    choose,
    film_at,
    press,
    send_whole,
    sign_out,
    sign_up,
    throttle,
)
from tests.cutting import CuttingProxy
from tests.system import Audiolift
from tests.unit.origin import Origin

SLOW = 1_000_000  # bytes a second
MB = 1_000_000


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film_at(tmp_path_factory.mktemp("film") / "film.mp4")


def is_ready(page: Page, name: str) -> None:
    expect(card(page, name).get_by_text("Ready", exact=True)).to_be_visible(timeout=SLOW_MS)


def under_way(page: Page, name: str) -> None:
    """Waits until something of it has arrived."""
    expect(card(page, name).locator(".upload-state")).to_contain_text(
        re.compile("Uploading [1-9][0-9]?%"), timeout=SLOW_MS
    )


def test_after_a_reload_it_goes_on_where_it_was(page: Page, film: Path, tmp_path: Path) -> None:
    send_whole(page)
    throttle(page, SLOW)
    choose(page, film)
    expect(card(page, film.name).locator(".upload-state")).to_contain_text(re.compile("[3-9][0-9]%"), timeout=SLOW_MS)
    page.on("dialog", lambda dialog: dialog.accept())  # the browser asks whether one wants to leave
    page.reload()
    line = card(page, film.name)
    expect(line).to_contain_text("Not finished", timeout=SLOW_MS)
    expect(page.get_by_text("Receiving", exact=True)).to_have_count(0)
    other = tmp_path / film.name
    other.write_bytes(film.read_bytes()[:-1] + b"x")
    choose_again(page, other)
    expect(page.get_by_role("alert")).to_contain_text("This is another file")
    throttle(page, -1)
    offsets = offsets_of(page)
    choose_again(page, film)
    is_ready(page, film.name)
    assert offsets[0] > film.stat().st_size // 5


def choose_again(page: Page, file: Path) -> None:
    """Gives an unfinished upload its file."""
    with page.expect_file_chooser() as chooser:
        press(page, "Choose the file again", file.name)
    chooser.value.set_files(file)


def offsets_of(page: Page) -> list[int]:
    """Where in the upload each request begins that brings bytes; it becomes longer."""
    found: list[int] = []
    page.on("request", lambda request: found.extend(map(int, filter(None, [request.headers.get("upload-offset")]))))
    return found


@pytest.mark.parametrize("stalls", [False, True], ids=["cut", "stalled"])
def test_a_connection_that_breaks_or_stands_still_is_tried_again(
    open_page: Callable[..., Page], audiolift: Audiolift, film: Path, stalls: bool
) -> None:
    with CuttingProxy(audiolift.url, 2, (MB, 2 * MB), seed=1, stalls=stalls) as proxy:
        page = open_page(base_url=proxy.url)
        sign_up(page)
        send_whole(page)
        choose(page, film)
        if stalls:  # of a connection that is cut, the next one is there in a second
            expect(card(page, film.name)).to_contain_text("Waiting for the connection", timeout=SLOW_MS)
        is_ready(page, film.name)
        assert proxy.cut == 2


def test_some_at_a_time_are_sent_and_each_can_be_paused_and_cancelled(page: Page, film: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.mp4" for number in range(4)]
    for file in files:
        file.symlink_to(film)
    send_whole(page)
    throttle(page, SLOW)
    choose(page, *files)
    expect(card(page, "3.mp4")).to_contain_text("Waiting to upload")
    expect(page.get_by_text(re.compile(r"^4 uploads: .* of .* MB"))).to_be_visible(timeout=SLOW_MS)
    press(page, "Cancel", "3.mp4")
    expect(card(page, "3.mp4")).to_have_count(0)
    under_way(page, "0.mp4")
    press(page, "Pause", "0.mp4")
    expect(card(page, "0.mp4")).to_contain_text("Paused")
    for name in ("1.mp4", "2.mp4"):
        press(page, "Cancel", name)
    offsets = offsets_of(page)
    throttle(page, -1)
    press(page, "Go on", "0.mp4")
    is_ready(page, "0.mp4")
    assert offsets[0] > 0
    # On the server, too, nothing is left of the others.
    jobs = page.get_by_role("list", name="Conversions").get_by_role("listitem")
    page.reload()
    expect(jobs).to_have_count(1, timeout=SLOW_MS)


def test_one_is_asked_before_signing_out_ends_an_upload(page: Page, film: Path) -> None:
    send_whole(page)
    throttle(page, SLOW)
    choose(page, film)
    under_way(page, film.name)
    sign_out(page)
    page.get_by_role("dialog").get_by_role("button", name="Stay").click()
    under_way(page, film.name)
    sign_out(page)
    page.get_by_role("dialog").get_by_role("button", name="Go anyway").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=SLOW_MS)


def test_what_is_asked_for_reaches_the_job_and_is_remembered(page: Page, film: Path) -> None:
    page.get_by_role("radio", name="Voice").check()
    page.get_by_text("More options").click()
    page.get_by_label("Artist").fill("Anna")
    page.get_by_label("Title", exact=True).fill("Only this one")
    page.get_by_label("Start at (minutes:seconds)").fill("0:02.5")
    page.get_by_label("Bitrate", exact=True).select_option("48 kbit/s")
    job = job_of(page, lambda: choose(page, film))
    wanted = {"artist": "Anna", "title": "Only this one", "start": 2.5, "bitrate": 48, "channels": 1, "loudness": -16}
    assert job["options"] == wanted, job
    page.reload()
    job = job_of(page, lambda: choose(page, film))
    assert job["options"] == {"artist": "Anna", "bitrate": 48, "channels": 1, "loudness": -16}, job


def test_of_a_file_that_ends_too_early_one_can_have_what_there_is(page: Page, film: Path) -> None:
    choose(page, {"name": "cut.mkv", "mimeType": "video/x-matroska", "buffer": cut_matroska(film)})
    expect(card(page, "cut.mkv")).to_contain_text("The file ends too early", timeout=SLOW_MS)
    press(page, "Convert what there is", "cut.mkv")
    is_ready(page, "cut.mkv")


def cut_matroska(film: Path) -> bytes:
    """The first half of it as a Matroska."""
    whole = film.with_suffix(".mkv")
    command = [media.ffmpeg(), "-v", "error", "-nostdin", "-y", "-i", str(film), "-c", "copy", str(whole)]
    subprocess.run(command, check=True, capture_output=True)
    data = whole.read_bytes()
    return data[: len(data) // 2]


def job_of(page: Page, begin: Callable[[], None]) -> dict[str, object]:
    """The job that comes of it, as the server tells it to the page."""
    with page.expect_response(re.compile(r"/v1/jobs/[0-9a-f]{32}$"), timeout=SLOW_MS) as answer:
        begin()
    found: dict[str, object] = answer.value.json()
    return found


def test_start_and_end_are_chosen_by_ear(page: Page, film: Path) -> None:
    page.get_by_text("More options").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose start and end by ear").click()
    chooser.value.set_files(film)
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("canvas")).to_be_visible(timeout=SLOW_MS)
    dialog.get_by_label("Start", exact=True).fill("5")
    dialog.get_by_label("End", exact=True).fill("12.5")
    job = job_of(page, lambda: dialog.get_by_role("button", name="Upload this part").click())
    assert job["options"] == {"start": 5, "end": 12.5}
    expect(page.get_by_label("Start at (minutes:seconds)")).to_have_value("")


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "The file is empty"), (b"%PDF-1.7 ", "This is a document"), (b"\x89PNG\r\n", "This is a picture")],
    ids=["empty", "document", "picture"],
)
def test_what_is_no_video_is_told_before_anything_is_sent(page: Page, content: bytes, why: str) -> None:
    offsets = offsets_of(page)
    choose(page, {"name": "film.mp4", "mimeType": "video/mp4", "buffer": content * 20})
    expect(card(page, "film.mp4")).to_contain_text(why)
    press(page, "Remove", "film.mp4")
    expect(card(page, "film.mp4")).to_have_count(0)
    assert offsets == []


@pytest.fixture(scope="module")
def reaching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audiolift]:
    """One that fetches from here."""
    data = tmp_path_factory.mktemp("reaching") / "data"
    running = Audiolift(data, {"FETCH_ALLOWED_NETWORKS": "127.0.0.2/32"})
    yield running
    running.stop()


def test_the_address_of_a_video_can_be_pasted(open_page: Callable[..., Page], reaching: Audiolift, video: Path) -> None:
    page = open_page(base_url=reaching.url)
    sign_up(page)
    address = page.get_by_label("Or paste the address of a video")
    address.fill("http://127.0.0.1/talk.mp4")
    page.get_by_role("button", name="Fetch it").click()
    expect(page.locator("#url-form").get_by_role("alert")).to_be_visible(timeout=SLOW_MS)
    with Origin(video.read_bytes(), "127.0.0.2") as origin:
        address.fill(origin.url)
        page.get_by_role("button", name="Fetch it").click()
        is_ready(page, "talk.mp4")
        expect(address).to_have_value("")
