"""What a function holds in memory does not become more with each job."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.drills import ground
from tests.unit.held import JOBS, grown

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["login", "upload", "notify", "download", "sweep"])
def test_a_function_keeps_nothing_of_a_job_in_memory(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.unit.held", name, str(tmp_path)]
    assert subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout == ""


def test_what_is_kept_of_each_job_is_seen(tmp_path: Path) -> None:
    kept: list[object] = []
    texts: dict[str, float] = {}
    with ground(tmp_path, f"sqlite:///{tmp_path}/audiolift.db") as given:
        assert any("list" in each for each in grown(given, lambda number: kept.append([number])))
        assert f"a container by {JOBS}" in grown(given, lambda number: texts.update({f"{number}": 1.5}))
