"""Sees to what tests use for real (database, broker, npm packages, ffmpeg, browser, containers), for `make test`.

Missing ones are installed where that is allowed (root, apt-get), and none is started: a test starts its own.
Otherwise it says what is missing, and the tests that need it skip, or fail where CI=true.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from knative.local import bootstrap

__all__ = ["find", "modules", "need"]

PACKAGES = {
    "mariadbd": "mariadb-server",
    "rabbitmq-server": "rabbitmq-server",
    "ffmpeg": "ffmpeg",
    "mpg123": "mpg123",
    "mp3val": "mp3val",
    "chromium": "chromium",
    "node": "nodejs",
    "npm": "npm",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "runc": "runc",
}
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/sbin"])
# What npm brings, as package-lock.json in each folder pins it, by digest.
NODE_PROJECTS = {
    Path(__file__).with_name("servers") / "provider": "the OpenID provider that tests sign in by",
    Path(__file__).with_name("clients"): "the clients of tus that tests upload by",
    Path(__file__).with_name("browser") / "tools": "axe and Lighthouse, which judge the page",
    Path(__file__).with_name("verifiers"): "the verifier of webhooks that tests receive them by",
}
POLICY = Path("/usr/sbin/policy-rc.d")
NO_SERVICE_STARTS = "#!/bin/sh\nexit 101\n"


def find(program: str) -> str | None:
    """The path of a program, also where an ordinary user's PATH does not lead (/usr/sbin), or None."""
    return shutil.which(program, path=SEARCH_PATH)


def need(program: str) -> str:
    """The path of a program a test cannot do without; without it the test skips, or fails where CI=true."""
    import pytest

    path = find(program)
    if path:
        return path
    reason = f"{program} is missing: apt-get install {PACKAGES.get(program, program)}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def modules(place: Path) -> Path:
    """The npm packages of one of NODE_PROJECTS; without them the test skips, or fails where CI=true."""
    import pytest

    folder = place / "node_modules"
    if folder.is_dir():
        return folder
    reason = f"{NODE_PROJECTS[place]} is missing: npm ci in {place.name}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def main() -> int:
    """Installs what is missing or says how to; the exit status."""
    missing = [package for program, package in PACKAGES.items() if not find(program)]
    if missing and bootstrap.can_install_debian_packages():
        missing = _install(missing)
    if find("node") and find("npm"):
        missing += [f"{what} (npm)" for place, what in NODE_PROJECTS.items() if not _bring_node_modules(place, what)]
    if missing:
        print("Tests that need these will be skipped (with CI=true they fail):", *missing)
        print("To run them too: sudo apt-get install --no-install-recommends", *missing)
    return 0


def _install(packages: list[str]) -> list[str]:
    """Installs one package after the other; those that could not be had."""
    print("installing what the tests use, none of it is started:", *packages, flush=True)
    bootstrap.refresh_debian_package_lists()
    with _services_kept_from_starting():
        return [package for package in packages if not _can_be_installed(package)]


def _can_be_installed(package: str) -> bool:
    try:
        bootstrap.install_debian_packages(package)
    except bootstrap.SetupFailed as problem:
        print(f"{package}: {problem}", file=sys.stderr)
        return False
    return True


def _bring_node_modules(place: Path, what: str) -> bool:
    """Whether the modules of a node project are there, installed now if the lock file is newer than they are."""
    brought, lock = place / "node_modules" / ".package-lock.json", place / "package-lock.json"
    if brought.exists() and brought.stat().st_mtime >= lock.stat().st_mtime:
        return True
    print("installing", what, flush=True)
    # No script of a package runs.
    command = [find("npm") or "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    return subprocess.run(command, cwd=place, check=False).returncode == 0


@contextlib.contextmanager
def _services_kept_from_starting() -> Iterator[None]:
    """Forbids package scripts to start services (policy-rc.d), then puts the machine's own policy back.

    What a killed run left behind is taken for what it is: the file kept first is the machine's own.
    """
    kept = POLICY.with_name("policy-rc.d.before-audiolift")
    with _alone():
        if POLICY.exists() and not kept.exists():
            POLICY.rename(kept)
        POLICY.write_text(NO_SERVICE_STARTS)
        POLICY.chmod(0o755)
        try:
            yield
        finally:
            kept.replace(POLICY) if kept.exists() else POLICY.unlink()


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Waits until no other checkout on this machine provisions."""
    turn = os.open(POLICY.parent, os.O_RDONLY)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield
    finally:
        os.close(turn)


if __name__ == "__main__":
    sys.exit(main())
