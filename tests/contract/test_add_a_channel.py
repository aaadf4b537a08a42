"""docs/development.md, "Add a channel": its module, put into a copy of the tree, is one; nothing else is changed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
TELL = """
from events.catalogue import AudioCreated
from functions.notify import fanout
from functions.shared import migrate
from functions.shared.jobs import transitions
from functions.shared.jobs.transitions import Audio
from tests.unit import rows

migrate.upgrade()
job = rows.job("converting")
transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
for _ in range(2):
    fanout.tell(job, AudioCreated)
print("unsettled:", rows.unsettled(job))
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The tree, without what the functions do not need."""
    for name in ("events", "functions", "tests", "pyproject.toml"):
        copied = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copied(ROOT / name, tmp_path / "copy" / name)
    return tmp_path / "copy"


def test_the_module_in_the_docs_is_a_channel_by_being_there(copy: Path, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "development.md").read_text(encoding="utf-8").partition("## Add a channel")[2]
    module = copy / "functions" / "notify" / "channels" / "terminal.py"
    module.write_text(re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0], encoding="utf-8")

    said = told(copy, tmp_path)

    assert [line for line in said if "talk.mp4 is ready" in line][1:] == []
    assert re.fullmatch(r"talk\.mp4 is ready \([0-9a-f]{32}\)", said[0])
    assert said[-1] == "unsettled: []"
    assert len(list((tmp_path / "mail").iterdir())) == 1
    for check in ([sys.executable, "-m", "mypy", "--strict"], [sys.executable, "-m", "ruff", "check", "--no-cache"]):
        subprocess.run([*check, str(module)], cwd=copy, check=True, timeout=PATIENCE)


def test_without_it_nothing_is_said_there(copy: Path, tmp_path: Path) -> None:
    assert told(copy, tmp_path) == ["unsettled: []"]


def told(copy: Path, tmp_path: Path) -> list[str]:
    """What is printed when the owner of a job is told by the functions in the copy, twice."""
    stores = {"DATABASE_URL": f"sqlite:///{tmp_path / 'db' / 'rows'}", "SMTP_URL": f"file://{tmp_path / 'mail'}"}
    environment = {**os.environ, **stores, "LINK_SECRET": "s" * 32, "PYTHONPATH": str(copy)}
    run = subprocess.run(
        [sys.executable, "-c", TELL],
        cwd=copy,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
    )
    return run.stdout.splitlines()
