"""Brings what the page has of other projects from npm, as functions/gateway/vendored.toml lists it: `make vendor`.

A package or a file whose digest is another one is refused. Nothing of this is needed to run audiolift: the files are in
the repository.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

__all__ = ["LIST", "PAGE", "Refused", "main", "packages", "wrong"]

GATEWAY = Path(__file__).parents[1] / "functions" / "gateway"
LIST, PAGE = GATEWAY / "vendored.toml", GATEWAY / "page"
SECONDS = 120


class Refused(Exception):
    """What was brought is not what the list says, or could not be brought."""


def main() -> int:
    """Write the files anew; the exit status."""
    if (npm := shutil.which("npm")) is None:
        print("audiolift: npm is missing", file=sys.stderr)
        return 1
    try:
        for package in packages():
            _bring(npm, package)
    except Refused as refused:
        print(f"audiolift: {refused}", file=sys.stderr)
        return 1
    return 0


def packages() -> list[dict[str, Any]]:
    """What the list says: name, version, integrity, and the files of each."""
    found: list[dict[str, Any]] = tomllib.loads(LIST.read_text())["package"]
    return found


def wrong() -> list[str]:
    """The files of the page that are not, or not in the state, that the list says."""
    files = [file for package in packages() for file in package["file"]]
    return [file["to"] for file in files if not _is_there(PAGE / file["to"], file["sha256"])]


def _is_there(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _bring(npm: str, package: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = _fetched(npm, f"{package['name']}@{package['version']}", Path(folder))
        _check(
            f"sha512-{base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()}", package["integrity"]
        )
        with tarfile.open(archive) as opened:
            for file in package["file"]:
                _write(opened, file)


def _fetched(npm: str, wanted: str, folder: Path) -> Path:
    command = [npm, "pack", "--silent", "--ignore-scripts", wanted]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise Refused(f"npm did not bring {wanted}: {done.stderr.strip()}")
    (archive,) = folder.iterdir()
    return archive


def _write(archive: tarfile.TarFile, file: dict[str, str]) -> None:
    member = archive.extractfile(file["from"])
    data = member.read() if member else b""
    _check(hashlib.sha256(data).hexdigest(), file["sha256"])
    path = PAGE / file["to"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _check(found: str, expected: str) -> None:
    if found != expected:
        raise Refused(f"what was brought has the digest {found}, not {expected}")


if __name__ == "__main__":
    sys.exit(main())
