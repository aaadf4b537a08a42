"""Brings what the page has of other projects from npm, as functions/gateway/vendored.toml lists it: `make vendor`.

A package or a file whose digest is another one is refused. Nothing of this is needed to run audiolift: the files are in
the repository.
"""

from __future__ import annotations

import base64
import hashlib
import re
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
# Screens of today need no hints.
_WOFF2 = ("--flavor=woff2", "--no-hinting")
_SHAPE = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


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
    found: list[dict[str, Any]] = _listed()["package"]
    return found


def _listed() -> dict[str, Any]:
    return tomllib.loads(LIST.read_text())


def wrong() -> list[str]:
    """The files of the page that are not, or not in the state, that the list says."""
    files = [file for package in packages() for file in _files(package)]
    return [file["to"] for file in files if not _is_there(PAGE / file["to"], file["sha256"])]


def _files(package: dict[str, Any]) -> list[dict[str, Any]]:
    return [*package["file"], *([package["sprite"]] if "sprite" in package else [])]


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
                _write(file, _subset(_content(opened, file["from"]), file, Path(folder)))
            if sprite := package.get("sprite"):
                _write(sprite, _sprite(opened, sprite))


def _fetched(npm: str, wanted: str, folder: Path) -> Path:
    command = [npm, "pack", "--silent", "--ignore-scripts", wanted]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise Refused(f"npm did not bring {wanted}: {done.stderr.strip()}")
    (archive,) = folder.iterdir()
    return archive


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    return member.read() if member else b""


def _subset(font: bytes, file: dict[str, Any], folder: Path) -> bytes:
    """The characters of the list alone, where the list names `features` to keep; else the file as it is."""
    if "features" not in file:
        return font
    whole, part = folder / "whole.woff2", folder / "part.woff2"
    whole.write_bytes(font)
    wanted = ["--unicodes=" + "".join(_listed()["characters"].split()), f"--layout-features={file['features']}"]
    command = [sys.executable, "-m", "fontTools.subset", str(whole), *wanted, *_WOFF2, f"--output-file={part}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise Refused(f"no subset of {file['from']}: {done.stderr.strip()}")
    return part.read_bytes()


def _sprite(archive: tarfile.TarFile, sprite: dict[str, Any]) -> bytes:
    """The shapes of the icons, each a symbol of one SVG."""
    shapes = {name: _shape(_content(archive, f"{sprite['from']}/{name}.svg").decode()) for name in sprite["icons"]}
    symbols = "\n".join(
        f'<symbol id="icon-{name}" viewBox="0 0 24 24">{shape}</symbol>' for name, shape in shapes.items()
    )
    return f'<svg xmlns="http://www.w3.org/2000/svg" hidden>\n{symbols}\n</svg>\n'.encode()


def _shape(icon: str) -> str:
    found = _SHAPE.search(icon)
    if not found:
        raise Refused("an icon is no SVG")
    return re.sub(r"\s+", " ", found[1]).replace("> <", "><").replace(" />", "/>").strip()


def _write(file: dict[str, Any], data: bytes) -> None:
    _check(hashlib.sha256(data).hexdigest(), file["sha256"])
    path = PAGE / file["to"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _check(found: str, expected: str) -> None:
    if found != expected:
        raise Refused(f"what was brought has the digest {found}, not {expected}")


if __name__ == "__main__":
    sys.exit(main())
