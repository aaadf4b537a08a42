"""Of a chosen video, the pictures stay where they are, and the MP3 is the same."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import CDPSession, Page, Worker, expect

from tests import media
from tests.browser.screen import SLOW_MS, card, choose, film_at, module, pick, press, send_whole, sign_up, throttle
from tests.patience import eventually

STAYS = re.compile(r"[0-9.,]+\sMB\sstay\shere,\s[0-9.,]+\s[kM]B\sto\ssend")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty seconds of pictures that do not compress well, and two-channel AAC."""
    return film_at(tmp_path_factory.mktemp("film") / "film.mp4")


def sound_of(video: Path) -> int:
    """How large its sound is, in bytes."""
    command = [
        media.ffmpeg(),
        "-v",
        "error",
        "-nostdin",
        "-i",
        str(video),
        "-map",
        "0:a",
        "-c",
        "copy",
        "-f",
        "data",
        "-",
    ]
    return len(subprocess.run(command, check=True, capture_output=True).stdout)


class Wire:
    """Counts what a page uploads in bodies, over the protocol of its browser's tools."""

    def __init__(self, page: Page) -> None:
        self.session: CDPSession = page.context.new_cdp_session(page)
        self.session.send("Network.enable")
        self.sent = 0
        self.session.on("Network.requestWillBeSentExtraInfo", self._count)

    def _count(self, event: dict[str, dict[str, str]]) -> None:
        headers = {name.lower(): value for name, value in event["headers"].items()}
        if "upload-offset" in headers:
            self.sent += int(headers["content-length"])


def mp3_of(page: Page, name: str) -> bytes:
    """Waits for the MP3, takes it, and deletes the job."""
    expect(card(page, name).get_by_text("Ready", exact=True)).to_be_visible(timeout=SLOW_MS)
    with page.expect_download() as download:
        press(page, "Download", name)
    data = download.value.path().read_bytes()
    pick(page, "Delete", name)
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(card(page, name)).to_have_count(0)
    return data


def test_only_the_sound_is_sent_and_the_mp3_is_the_same_to_the_byte(page: Page, film: Path) -> None:
    wire = Wire(page)
    choose(page, film)
    mp3, alone = mp3_of(page, film.name), wire.sent
    send_whole(page)
    choose(page, film)
    assert mp3_of(page, film.name) == mp3
    assert wire.sent - alone == film.stat().st_size
    # Beside the sound there is an index, which is more of twenty seconds than of an hour.
    assert alone < 1.05 * sound_of(film) + 20_000


def test_people_see_what_stays_where_it_is(page: Page, film: Path) -> None:
    throttle(page, 100_000)
    choose(page, film)
    expect(card(page, film.name)).to_contain_text(STAYS, timeout=SLOW_MS)
    expect(page.get_by_role("status")).to_contain_text(STAYS)
    expect(card(page, film.name)).to_contain_text(re.compile("Uploading [1-9][0-9]?%"), timeout=SLOW_MS)
    press(page, "Cancel", film.name)
    expect(card(page, film.name)).to_have_count(0)


def test_what_takes_the_sound_out_is_loaded_when_a_file_is_chosen(open_page: Callable[..., Page], film: Path) -> None:
    page = open_page()
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    page.reload()
    sign_up(page)
    assert any(url.endswith("/upload/uploads.js") for url in loaded)
    assert not any("/sound/" in url for url in loaded)
    choose(page, film)
    expect(card(page, film.name).get_by_text("Ready", exact=True)).to_be_visible(timeout=SLOW_MS)
    assert any(url.endswith("/sound/extract.js") for url in loaded)


def test_what_sends_a_part_is_gone_once_it_is_sent(page: Page, film: Path) -> None:
    begun: list[Worker] = []
    ended: list[Worker] = []

    def watch(worker: Worker) -> None:
        begun.append(worker)
        worker.on("close", lambda closed: ended.append(closed))

    page.on("worker", watch)
    choose(page, film)
    expect(card(page, film.name).get_by_text("Ready", exact=True)).to_be_visible(timeout=SLOW_MS)
    # A browser keeps what is in a Blob as long as there is whoever made it.
    assert begun == ended
    assert len(begun) == 1, begun


def test_a_file_is_read_to_its_end_though_garbage_is_collected_meanwhile(page: Page) -> None:
    read = """async (source) => {
      const { Source } = await import(source);
      const video = new Source(new Blob([new Uint8Array(2 ** 27)]));
      (async () => {
        for (let at = 0; at < video.size; at += 2 ** 20) await video.bytes(at, 2 ** 20);
        globalThis.isRead = true;
      })();
    }"""
    page.evaluate(read, module(page, "sound/source.js"))
    session = page.context.new_cdp_session(page)

    def collected() -> bool:
        session.send("HeapProfiler.collectGarbage")
        return bool(page.evaluate("globalThis.isRead"))

    eventually(collected, "all of it is read")


def test_where_that_cannot_be_loaded_the_video_is_sent_whole(page: Page, film: Path) -> None:
    wire = Wire(page)
    page.route("**/assets/*/sound/**", lambda route: route.abort())
    page.route("**/assets/*/upload/worker.js", lambda route: route.abort())
    choose(page, film)
    expect(card(page, film.name).get_by_text("Ready", exact=True)).to_be_visible(timeout=SLOW_MS)
    assert wire.sent == film.stat().st_size
