"""The part of requirements.lock that one image needs, with its hashes: what its extras in pyproject.toml list.

    python3 subset.py gateway > requirements.txt

reads pyproject.toml and requirements.lock in the working directory. It runs inside the image that is being built,
before anything is installed: standard library only.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

__all__ = ["extra_of", "roots_of", "subset"]

# A block of the lock file: the pinned package with its hashes, and a comment that says which packages want it.
_BLOCK = re.compile(r"^(?P<name>[\w.-]+)==.*\n(?:    --hash.*\n)+(?:    # via (?P<wanted_by>.*)\n)?", re.MULTILINE)
# Of a requirement (PEP 508), the name only: extras and versions have been dealt with by whoever made the lock file.
_NAME = re.compile(r"[\w.-]+")


def extra_of(pyproject: str, extra: str) -> list[str]:
    """The names of the packages that an extra lists. Raises: KeyError when there is no such extra."""
    listed = tomllib.loads(pyproject)["project"]["optional-dependencies"][extra]
    return [_normal(_NAME.match(requirement)[0]) for requirement in listed]  # type: ignore[index]


def roots_of(pyproject: str, image: str) -> list[str]:
    """The names of the packages that are listed for an image: a function's own, and what exports traces and metrics."""
    extras = [image] if image == "migrate" else [image, "telemetry"]
    return [name for extra in extras for name in extra_of(pyproject, extra)]


def subset(lock: str, roots: Iterable[str]) -> str:
    """The blocks of a lock file for some packages, and for all that these want in turn.

    Raises: ValueError when the lock file lacks one of them, or does not say which package wants which.
    """
    # A package may be there twice, in versions for different Pythons.
    blocks = [(_normal(match["name"]), match) for match in _BLOCK.finditer(lock)]
    wanted_by: dict[str, set[str]] = {name: set() for name, _ in blocks}
    if missing := [name for name in roots if name not in wanted_by]:
        raise ValueError(f"requirements.lock lacks {', '.join(missing)}: run make lock")
    if any(match["wanted_by"] is None for _, match in blocks):
        raise ValueError("requirements.lock does not say which package wants which: run make lock")
    for name, match in blocks:
        wanted_by[name] |= _wanting(match["wanted_by"])
    needed = _reachable(set(roots), wanted_by)
    return "".join(match[0] for name, match in blocks if name in needed)


def _reachable(needed: set[str], wanted_by: dict[str, set[str]]) -> set[str]:
    more = {name for name, wanting in wanted_by.items() if wanting & needed} - needed
    return _reachable(needed | more, wanted_by) if more else needed


def _wanting(comment: str) -> set[str]:
    return {_normal(name) for name in comment.split(", ")}


def _normal(name: str) -> str:
    """A package's one spelling (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    print(subset(Path("requirements.lock").read_text(), roots_of(Path("pyproject.toml").read_text(), sys.argv[1])))
