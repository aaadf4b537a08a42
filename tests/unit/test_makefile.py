"""The Makefile: its help, what each target would run, and that it works from anywhere."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROMISED = {"run", "demo", "test", "lint", "format", "lock", "migrate", "replay", "events", "clean"}


def test_plain_make_lists_every_target_with_a_line_on_each() -> None:
    listed = dict(re.findall(r"^  make (\w+) +(\S.*)$", make(), re.MULTILINE))
    assert set(listed) >= PROMISED
    assert all(len(line) < 100 for line in listed.values())


def test_every_target_is_phony(tmp_path: Path) -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)) == set(phony[1].split())


@pytest.mark.parametrize("target", sorted(PROMISED - {"clean"}))
def test_what_a_target_runs_is_there(target: str) -> None:
    modules = re.findall(r"python -m (\S+)", make("--dry-run", target))
    assert modules
    for module in modules:
        assert importlib.util.find_spec(module), f"make {target} runs {module}"


def test_the_lock_file_to_run_with_is_made_from_every_extra_but_those_of_tests_and_of_the_client() -> None:
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    command = make("--dry-run", "lock").splitlines()[0]
    assert set(re.findall(r"--extra (\S+)", command)) == extras - {"client", "dev"}


def test_a_video_with_an_awkward_name_reaches_the_demo_whole(tmp_path: Path) -> None:
    name = 'Anna\'s "best" `day` ;x.mp4'
    assert demo_arguments(tmp_path, f"VIDEO={name}") == [name]


def test_the_demo_without_a_video_gets_no_argument(tmp_path: Path) -> None:
    assert demo_arguments(tmp_path) == []


@pytest.mark.skipif(shutil.which("dash") is None, reason="dash is missing: apt-get install dash")
def test_the_recipes_are_plain_sh() -> None:
    recipes = make("--dry-run", *sorted(PROMISED))
    subprocess.run(["dash", "-n"], input=recipes, text=True, check=True)


def test_ci_calls_make_test(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    (tmp_path / "Makefile").write_text("test:\n\t@echo the tests ran\n")
    done = subprocess.run([tmp_path / ".ci/run"], cwd="/", capture_output=True, text=True, check=True)
    assert "the tests ran" in done.stdout


def make(*arguments: str) -> str:
    """What `make` prints when it is called from somewhere else."""
    command = ["make", "--no-print-directory", "-C", str(ROOT), *arguments]
    return subprocess.run(command, cwd="/", env=clean(), capture_output=True, text=True, check=True).stdout


def demo_arguments(folder: Path, *arguments: str) -> list[str]:
    """The arguments that `make demo` gives to the demo, one recorded per line by a stand-in for Python."""
    shutil.copy(ROOT / "Makefile", folder)
    stand_in = folder / ".venv" / "bin" / "python"
    stand_in.parent.mkdir(parents=True)
    stand_in.write_text('#!/bin/sh\nshift 2\nfor argument; do printf "%s\\n" "$argument"; done\n')
    stand_in.chmod(0o755)
    command = ["make", "--no-print-directory", "demo", "PYTHON=true", *arguments]
    done = subprocess.run(command, cwd=folder, env=clean(), capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def clean() -> dict[str, str]:
    """The environment without what an outer make, or a developer's shell, would pass on."""
    outer = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VIDEO", "ID", "PORT", "PYTHON"}
    return {name: value for name, value in os.environ.items() if name not in outer}
