"""Takes a picture of every state of the page, narrow to wide, light and dark: `make screenshots`.

    python -m tests.browser.screenshots [--to FOLDER] [--png] [STATE …]

A state is reached once for each width; the theme is changed in place.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests import media
from tests.browser.conftest import ARGUMENTS
from tests.browser.screen import sign_up
from tests.browser.states import STATES, Reached
from tests.provision import find
from tests.system import Audiolift

WIDTHS = {360: 740, 768: 1024, 1440: 900}
THEMES = ("light", "dark")
FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
SETTLED_MS = 400


def main() -> int:
    """Takes the pictures; the exit status."""
    given = argparse.ArgumentParser()
    given.add_argument("--to", type=Path, default=FOLDER)
    given.add_argument("--png", action="store_true", help="leave them as PNG")
    given.add_argument("states", nargs="*", metavar="STATE")
    asked = given.parse_args()
    asked.to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        running = Audiolift(Path(data))
        browser = playwright.chromium.launch(executable_path=find("chromium"), args=ARGUMENTS)
        try:
            for name in asked.states or STATES:
                _take(browser, running.url, name, asked.to)
        finally:
            browser.close()
            running.stop()
    if not asked.png:
        _compress(asked.to)
    return 0


def _take(browser: Browser, url: str, name: str, folder: Path) -> None:
    state = STATES[name]
    for width, height in WIDTHS.items():
        if state.touch and width > 1000:
            continue
        with browser.new_context(
            base_url=url, viewport={"width": width, "height": height}, has_touch=state.touch, is_mobile=state.touch
        ) as context:
            page = context.new_page()
            page.goto("/")
            _reach(page, state)
            for theme in THEMES:
                page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
                page.wait_for_timeout(SETTLED_MS)
                page.screenshot(path=folder / f"{name}-{width}-{theme}.png", full_page=True, caret="initial")
    print(name, flush=True)


def _reach(page: Page, state: Reached) -> None:
    if state.member:
        sign_up(page)
    state.reach(page)
    # Where nothing is done to it, a page looks as it does to who has just come.
    page.mouse.move(0, 0)


def _compress(folder: Path) -> None:
    for path in sorted(folder.glob("*.png")):
        command = [media.ffmpeg(), "-v", "error", "-nostdin", "-y", "-i", str(path)]
        subprocess.run([*command, "-c:v", "libwebp", "-quality", "70", str(path.with_suffix(".webp"))], check=True)
        path.unlink()


if __name__ == "__main__":
    sys.exit(main())
