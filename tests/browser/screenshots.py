"""Takes a picture of every state of the page, narrow to wide, light and dark: `make screenshots`.

    python -m tests.browser.screenshots [--to FOLDER] [--png] [STATE …]

A state is reached once for each width; the theme is changed in place.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests import media
from tests.browser.conftest import ARGUMENTS
from tests.browser.states import STATES
from tests.provision import find

WIDTHS = {360: 740, 768: 1024, 1440: 900}
THEMES = ("light", "dark")
FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
SETTLED_MS = 700


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
    for width, height in WIDTHS.items():
        if state.touch and width > 1000:
            continue
        shape = {"viewport": {"width": width, "height": height}, "has_touch": state.touch, "is_mobile": state.touch}
        with browser.new_context(**shape, locale="en") as context:  # type: ignore[arg-type]
            page = state.open(context)
            page.mouse.move(0, 0)
            for theme in THEMES:
                page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
                page.wait_for_timeout(SETTLED_MS)
                page.screenshot(path=folder / f"{name}-{width}-{theme}.png", full_page=True, caret="initial")
    print(name, flush=True)


def _compress(folder: Path) -> None:
    for path in sorted(folder.glob("*.png")):
        command = [media.ffmpeg(), "-v", "error", "-nostdin", "-y", "-i", str(path)]
        subprocess.run([*command, "-c:v", "libwebp", "-quality", "70", str(path.with_suffix(".webp"))], check=True)
        path.unlink()


if __name__ == "__main__":
    sys.exit(main())
