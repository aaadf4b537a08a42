"""What every workflow promises, and what the docs say of it; kind.yml has more in test_workflow.py."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from knative.images import licences, tree

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def read(path: Path) -> dict[Any, Any]:
    """A workflow; YAML 1.1, which PyYAML reads, takes the key `on` for true."""
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in read(path)["jobs"].values():
        yield from job["steps"]


@each_workflow
def test_an_action_is_named_by_its_commit_and_says_its_version(path: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", path.read_text(encoding="utf-8"))
    assert used
    for action, remark in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", remark), action


def test_one_version_of_an_action_is_used_everywhere() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    used = dict(re.findall(r"uses: (\S+)@(\S+)", text))
    assert set(used.items()) == set(re.findall(r"uses: (\S+)@(\S+)", text))


@each_workflow
def test_it_may_only_read_unless_a_job_says_why(path: Path) -> None:
    assert read(path)["permissions"] == {"contents": "read"}
    for job in read(path)["jobs"].values():
        assert "write" not in job.get("permissions", {}).values() or path.stem == "release"


@each_workflow
def test_nothing_goes_on_for_ever_or_past_what_fails(path: Path) -> None:
    assert read(path)["defaults"]["run"]["shell"].endswith("-euo pipefail {0}")
    assert all(0 < job["timeout-minutes"] <= 150 for job in read(path)["jobs"].values())
    for step in steps(path):
        assert "run" not in step or step["timeout-minutes"] > 0, step


@each_workflow
def test_bash_understands_its_scripts_and_every_make_target_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    for script in (step["run"] for step in steps(path) if "run" in step):
        subprocess.run(["bash", "-n"], input=re.sub(r"\$\{\{.*?\}\}", "x", script), text=True, check=True)
        assert set(re.findall(r"^\s*make ([a-z]+)", script, re.MULTILINE)) <= targets
        # What an event says is text for a program to read, and never a part of one.
        assert "${{ github" not in script


def test_a_release_makes_every_image_with_its_sbom_and_its_provenance() -> None:
    (job,) = read(ROOT / ".github/workflows/release.yml")["jobs"].values()
    assert set(job["strategy"]["matrix"]["name"]) == set(tree.images(ROOT))
    said = json.dumps(job["steps"])
    assert all(word in said for word in ("make images", "make sbom", "attest-build-provenance@", "attest-sbom@"))


def test_the_rest_of_the_targets_that_guard_are_run() -> None:
    said = (ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8")
    assert all(words in said for words in (".ci/run", "make audit", "make coverage"))


def test_renovate_looks_at_what_is_pinned_by_hand() -> None:
    config = json.loads((ROOT / "renovate.json").read_text(encoding="utf-8"))
    assert "helpers:pinGitHubActionDigests" in config["extends"]
    for manager in config["customManagers"]:
        (where,) = (pattern.strip("/") for pattern in manager["managerFilePatterns"])
        folders = (ROOT / ".github", ROOT / "docs")
        files = [path for folder in folders for path in folder.rglob("*") if re.search(where, name_of(path))]
        patterns = [each.replace("(?<", "(?P<") for each in manager["matchStrings"]]
        found = [re.findall(pattern, path.read_text()) for path in files for pattern in patterns]
        assert all(found)
        assert found


def test_what_is_pinned_has_a_licence_that_was_looked_at() -> None:
    found = {name: licences.licence_of(name) for name in licences.pinned((ROOT / "requirements.lock").read_text())}
    assert len(found) > 20
    assert {name: text for name, text in found.items() if text and not licences.ALLOWED.search(text)} == {}
    assert not any(
        map(licences.ALLOWED.search, ("GPL-3.0-only", "AGPL-3.0", "(it does not say)", "Commercial, limited"))
    )
    assert licences.licence_of("no-such-package") == ""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
