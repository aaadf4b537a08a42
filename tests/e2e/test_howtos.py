"""What the how-tos say to type is typed here, as it stands there, against a running audiolift.

The session of README is in test_readme.py; emit.md's examples are in tests/integration/test_emit.py; those of
development.md in tests/contract/test_additions.py; deploy.md's run in .github/workflows/kind.yml.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs import sessions
from tests.patience import PATIENCE
from tests.system import Audiolift, User

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What a reader puts their own in the place of.
ADDRESS, KEY = "https://audio.example.com", "al_…"
# Lines that stand for a whole program of the reader's, or need a library of theirs.
NOT_RUN = {"webhooks.md": "standardwebhooks"}
# Each of these before the next: the quickstart deletes the job.
PAGES = ("api.md", "webhooks.md", "command-line.md", "quickstart.md")


def blocks(page: str) -> list[tuple[str, str]]:
    """The language and the text of what a page says to run."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [(kind, code) for kind, code in BLOCK.findall(text) if NOT_RUN.get(page, "\0") not in code]


@pytest.fixture
def environment(audiolift: Audiolift, user: User, video: Path, tmp_path: Path) -> dict[str, str]:
    """What the pages take for granted: a job that is done and keeps its video, tokens, a video, the commands."""
    shutil.copy(video, tmp_path / "talk.mp4")
    job = user.convert(tmp_path / "talk.mp4", keep_video="true")
    assert job["state"] == "done", job
    made = user.http.post("/v1/api-keys", json={"name": "how-tos", "scopes": ["jobs:read", "jobs:write"]})
    tools = tmp_path / "bin"
    tools.mkdir()
    # An answer that says no is a failure here; a terminal would show it.
    written(tools / "curl", f'exec {shutil.which("curl")} --fail-with-body --silent --show-error "$@"')
    written(tools / "audiolift", f'exec {sys.executable} -m audiolift.main "$@"')
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "audiolift").symlink_to(ROOT / "knative" / "client")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "AUDIOLIFT"))}
    about = {"API": audiolift.url, "TOKEN": user.tokens["access_token"], "JOB": job["id"], "KEY": made.json()["key"]}
    paths = {"PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(packages), "HOME": str(tmp_path)}
    return {**kept, **about, **paths}


def written(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def test_what_they_say_to_type_works(environment: dict[str, str], user: User, tmp_path: Path) -> None:
    said: dict[str, str] = {}
    for page in PAGES:
        found = blocks(page)
        assert found, page
        for kind, code in found:
            # One of them has it converted again.
            user.wait(environment["JOB"])
            typed = code.replace(ADDRESS, environment["API"]).replace(KEY, environment["KEY"])
            command = sessions.command(typed) if kind == "bash" else [sys.executable, "-c", typed]
            done = subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
            )
            assert done.returncode == 0, f"{page}: {code}\n{done.stdout}\n{done.stderr}"
            said[page] = said.get(page, "") + done.stdout
    assert '"state":"done"' in said["api.md"]
    assert '"secret":"whsec_' in said["webhooks.md"]
    assert said["command-line.md"] == f"{tmp_path / 'talk.mp3'}\n" or said["command-line.md"] == "talk.mp3\n"
    assert (tmp_path / "start.mp3").stat().st_size == 1024
