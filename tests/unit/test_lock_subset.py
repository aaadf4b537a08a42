"""An image gets what a resolver would give it for one extra, out of the one lock file."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from knative.images.subset import extra_of, subset

ROOT = Path(__file__).parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text()
LOCK = (ROOT / "requirements.lock").read_text()
EXTRAS = sorted(set(tomllib.loads(PYPROJECT)["project"]["optional-dependencies"]) - {"dev", "client"})
LINES = re.compile(r"^([\w.-]+==.*?)(?: \\)?$", re.MULTILINE)
# What a package wants on another system alone: the lock file does not say of whom a marker is.
ELSEWHERE = {"tzdata"}
IMAGE = {"python_version": "3.11", "python_full_version": "3.11.2", "sys_platform": "linux"}

SMALL_LOCK = """\
alpha==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
    # via audiolift (pyproject.toml)
Beta_Lib==2.0 ; sys_platform == 'linux' \\
    --hash=sha256:bb
    # via alpha, gamma
gamma==3.0 \\
    --hash=sha256:cc
    # via audiolift (pyproject.toml)
delta==4.0 \\
    --hash=sha256:dd
    # via beta-lib
"""


def test_what_is_wanted_in_turn_comes_along_with_hashes_and_markers() -> None:
    assert subset(SMALL_LOCK, ["beta-lib"]) == "".join(block(name) for name in ("Beta_Lib", "delta"))
    assert subset(SMALL_LOCK, ["alpha"]) == "".join(block(name) for name in ("alpha", "Beta_Lib", "delta"))


def test_a_package_that_is_there_in_two_versions_comes_along_in_both() -> None:
    newer = block("delta").replace("4.0", "5.0 ; python_full_version >= '3.12'")
    assert subset(SMALL_LOCK + newer, ["delta"]) == block("delta") + newer


def test_an_extra_is_read_by_name_whatever_the_versions_and_spellings() -> None:
    project = '[project.optional-dependencies]\nfunction = ["Beta_Lib[fast]>=2,<3", "alpha; python_version > \'3\'"]'
    assert extra_of(project, "function") == ["beta-lib", "alpha"]


def test_a_lock_file_that_lacks_a_package_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lacks epsilon: run make lock"):
        subset(SMALL_LOCK, ["epsilon"])


def test_a_lock_file_that_does_not_say_who_wants_what_is_refused() -> None:
    with pytest.raises(ValueError, match=r"does not say which package wants which"):
        subset(re.sub(r"    # via .*\n", "", SMALL_LOCK), ["alpha"])


@pytest.mark.parametrize("extra", EXTRAS)
def test_it_is_what_the_packages_themselves_say_they_need(extra: str) -> None:
    pinned = [Requirement(line) for line in LINES.findall(subset(LOCK, extra_of(PYPROJECT, extra)))]
    ours = {canonicalize_name(pin.name) for pin in pinned if applies(pin, "")}
    listed = tomllib.loads(PYPROJECT)["project"]["optional-dependencies"][extra]
    needed = closure([Requirement(requirement) for requirement in listed])
    assert ours - ELSEWHERE == needed - ELSEWHERE


def closure(wanted: list[Requirement]) -> set[str]:
    """What a resolver finds from the metadata of the packages that are installed here, for an image's Python."""
    seen: set[tuple[str, str]] = set()
    while wanted:
        requirement = wanted.pop()
        for option in {"", *requirement.extras} - {option for name, option in seen if name == requirement.name}:
            seen.add((requirement.name, option))
            needs = [Requirement(need) for need in metadata.requires(requirement.name) or ()]
            wanted += [need for need in needs if applies(need, option)]
    return {canonicalize_name(name) for name, _ in seen}


def applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({**IMAGE, "extra": extra})


def block(name: str) -> str:
    found = re.search(rf"^{name}==.*\n(    .*\n)+", SMALL_LOCK, re.MULTILINE)
    assert found
    return found[0]
