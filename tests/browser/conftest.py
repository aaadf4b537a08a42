"""A real browser before a real audiolift."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests import media
from tests.browser.screen import SLOW_MS, sign_up
from tests.provision import need
from tests.system import Audiolift

# Chromium is to talk to nobody but audiolift, and refuses to make a sandbox for root.
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
ARGUMENTS = [*QUIET, "--disable-quic", "--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]

expect.set_options(timeout=SLOW_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. For one module only: Playwright keeps an event loop running, which others must not meet."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=need("chromium"), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, audiolift: Audiolift) -> Iterator[Callable[..., Page]]:
    """Opens audiolift in a profile of its own. Afterwards the test fails for any error of a script, or of the CSP."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def opened(**profile: Any) -> Page:
        contexts.append(browser.new_context(**{"base_url": audiolift.url, **profile}))
        contexts[-1].set_default_timeout(SLOW_MS)
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.extend(_complaint(message)))
        page.goto("/")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """The page of somebody who has just signed up."""
    page = open_page()
    sign_up(page)
    return page


@pytest.fixture
def owner(audiolift: Audiolift, page: Page) -> str:
    """The id of the account of `page`."""
    with closing(sqlite3.connect(audiolift.data / "audiolift.db")) as database:
        (found,) = database.execute("SELECT id FROM users ORDER BY created_at DESC LIMIT 1").fetchone()
    return str(found)


@pytest.fixture(scope="session")
def long_audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour of silence: small to upload, and seconds of work to convert."""
    path = tmp_path_factory.mktemp("media") / "long.flac"
    command = [media.ffmpeg(), "-v", "error", "-nostdin", "-f", "lavfi", "-i", "anullsrc=d=3600", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def _complaint(message: ConsoleMessage) -> list[str]:
    # Chromium also logs answers that are errors; what the page makes of those is for the tests to see.
    is_answer = message.text.startswith("Failed to load resource")
    return [message.text] if message.type == "error" and not is_answer else []
