"""Builds the images: `make images REGISTRY=registry.example.com/audiolift TAG=1.0`, with docker, podman or buildah."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from knative.images import tree

__all__ = ["BUILDERS", "NO_BUILDER", "builder", "command", "main", "tag"]

ROOT = Path(__file__).parents[2]
BUILDERS = ("docker", "podman", "buildah")
NO_BUILDER = (
    "images are built by docker, podman or buildah, and none of them works here. Install one, for example with\n"
    "    sudo apt-get install buildah\n"
    "or, if one is installed, see what `docker info` or `podman info` has to say."
)


def main() -> int:
    """Builds the images that NAMES lists, or all; the exit status."""
    found = builder()
    if found is None:
        print(f"audiolift: {NO_BUILDER}", file=sys.stderr)
        return 1
    for name in os.environ.get("NAMES", "").split() or tree.images(ROOT):
        done = subprocess.run(command(found, name), cwd=ROOT, check=False)
        if done.returncode:
            print(f"audiolift: {found} could not build the image {name}; it says why above.", file=sys.stderr)
            return done.returncode
    return 0


def builder() -> str | None:
    """The first of BUILDERS that is there and works."""
    return next((name for name in BUILDERS if _works(name)), None)


def command(builder: str, name: str) -> list[str]:
    """The command that builds one image, with the flags in BUILD_FLAGS beside its own."""
    target = tree.MIGRATE if name == tree.MIGRATE else "function"
    flags = [*_dated(builder), *shlex.split(os.environ.get("BUILD_FLAGS", ""))]
    arguments = [word for argument in _arguments(name) for word in ("--build-arg", argument)]
    where = ["--file", "Dockerfile.base", "--target", target, "--tag", tag(name), "."]
    return [builder, "build", *flags, *arguments, *where]


def _arguments(name: str) -> Iterator[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    yield f"NAME={name}"
    yield f"VERSION={project['version']}"
    yield f"REVISION={_git('rev-parse', 'HEAD') or 'unknown'}"
    yield f"CREATED={datetime.fromtimestamp(_epoch(), UTC):%Y-%m-%dT%H:%M:%SZ}"
    if base := os.environ.get("BASE"):
        yield f"BASE={base}"


def _dated(builder: str) -> list[str]:
    """The flags that give every file the time SOURCE_DATE_EPOCH, so that the same sources make the same image."""
    return ["--build-arg", f"SOURCE_DATE_EPOCH={_epoch()}"] if builder == "docker" else ["--timestamp", str(_epoch())]


def _epoch() -> int:
    """https://reproducible-builds.org/specs/source-date-epoch/; unless set, the time of the last commit."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct") or 0)


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def tag(name: str) -> str:
    """The name that an image gets, by REGISTRY and TAG."""
    return f"{os.environ.get('REGISTRY') or 'audiolift'}/{name}:{os.environ.get('TAG') or 'latest'}"


def _works(builder: str) -> bool:
    try:
        return subprocess.run([builder, "info"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
