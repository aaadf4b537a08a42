"""What Lighthouse says of the first view: on a phone's network and processor, as it makes them up."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.browser.conftest import ARGUMENTS
from tests.browser.test_page import TOOLS
from tests.patience import PATIENCE
from tests.provision import modules, need
from tests.system import Audiolift

LEAST = 0.95
TRIES = 3


def test_the_first_view_is_fast_open_to_all_and_well_made(audiolift: Audiolift, tmp_path: Path) -> None:
    """The better of two runs: the first one may wait for the gateway to start."""
    scores = [scored(audiolift.url, tmp_path / f"{number}.json") for number in range(2)]
    best = {name: max(each[name] for each in scores) for name in scores[0]}
    assert set(best) == {"performance", "accessibility", "best-practices", "seo"}
    assert min(best.values()) >= LEAST, scores


def scored(url: str, report: Path) -> dict[str, float]:
    """Lighthouse's four scores, 0 to 1."""
    command = [need("node"), str(modules(TOOLS) / "lighthouse" / "cli" / "index.js"), f"{url}/", "--quiet"]
    command += [
        "--output=json",
        f"--output-path={report}",
        f"--chrome-flags={' '.join(['--headless=new', *ARGUMENTS])}",
    ]
    environment = {**os.environ, "CHROME_PATH": need("chromium")}
    # On a busy machine its browser may not be there in the time that it waits: that says nothing of the page.
    for _ in range(TRIES):
        run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        if run.returncode == 0:
            return {name: each["score"] for name, each in json.loads(report.read_text())["categories"].items()}
    raise AssertionError(run.stderr)
