"""The sessions of a page, taken out and run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from docs import sessions
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
PAGE = """# One

```bash
# Two
WHO=me
echo "hello $WHO"
```

```
# Two
```

```bash
echo again
```

## Two

```bash
false | true
echo never
```
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(PAGE, encoding="utf-8")
    return path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(ROOT / "docs" / "sessions.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_all_bash_under_a_heading_runs_and_nothing_else(page: Path) -> None:
    done = run(str(page), "One")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello me\nagain\n", "")


def test_a_setting_takes_the_place_of_the_sessions_own(page: Path) -> None:
    assert run(str(page), "One", "WHO=you").stdout == "hello you\nagain\n"


def test_it_stops_at_the_first_failure_also_within_a_pipe(page: Path) -> None:
    done = run(str(page), "Two")
    assert (done.returncode, done.stdout) == (1, "")


def test_what_is_not_there_is_an_error(page: Path) -> None:
    done = run(str(page), "Three")
    assert done.returncode == 1
    assert "has no bash under a heading 'Three'" in done.stderr
    with pytest.raises(sessions.SessionError, match="sets API 0 times"):
        sessions.session(page, "One", ["API=there"])
