"""Takes a picture of every state of the page, narrow to wide, light and dark: `make screenshots`.

    python -m tests.browser.screenshots [--to FOLDER] [--png] [STATE …]

A state is reached once; width and theme are changed in place.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from tests import media
from tests.browser.conftest import ARGUMENTS
from tests.browser.states import STATES
from tests.provision import find

WIDTHS = {360: 740, 768: 1024, 1440: 900}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# The widest that fingers are used on.
TOUCHED = 768
FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
SETTLED_MS = 250


def main() -> int:
    """Takes the pictures; the exit status."""
    given = argparse.ArgumentParser()
    given.add_argument("--to", type=Path, default=FOLDER)
    given.add_argument("--png", action="store_true", help="leave them as PNG")
    given.add_argument("states", nargs="*", metavar="STATE")
    asked = given.parse_args()
    asked.to.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find("chromium"), args=ARGUMENTS)
        for name in asked.states or STATES:
            _take(browser, name, asked.to)
        browser.close()
    if not asked.png:
        _compress(asked.to)
    return 0


def _take(browser: Browser, name: str, folder: Path) -> None:
    state = STATES[name]
    with browser.new_context(has_touch=state.touch, is_mobile=state.touch, locale="en") as context:
        page = state.open(context)
        page.mouse.move(0, 0)
        for width, theme in itertools.product(WIDTHS, THEMES):
            if not (state.touch and width > TOUCHED):
                page.emulate_media(color_scheme=theme, reduced_motion="reduce")
                _picture(page, folder / f"{name}-{width}-{theme}.png", width)
    print(name, flush=True)


def _picture(page: Page, path: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": WIDTHS[width]})
    page.wait_for_timeout(SETTLED_MS)
    # Not by full_page: for that, Chromium forgets that there is no mouse, and what is at the foot of the window moves.
    page.set_viewport_size({"width": width, "height": page.evaluate("document.documentElement.scrollHeight")})
    page.screenshot(path=path, caret="initial")


def _compress(folder: Path) -> None:
    for path in sorted(folder.glob("*.png")):
        command = [media.ffmpeg(), "-v", "error", "-nostdin", "-y", "-i", str(path)]
        subprocess.run([*command, "-c:v", "libwebp", "-quality", "50", str(path.with_suffix(".webp"))], check=True)
        path.unlink()


if __name__ == "__main__":
    sys.exit(main())
