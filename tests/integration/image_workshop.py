"""Builds the images from a bare Debian, without a registry."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from knative.images import build, subset, tree
from tests.provision import need

__all__ = ["ROOT", "Workshop", "why_not"]

ROOT = Path(__file__).parents[2]
# As in the official images of Debian (debuerreotype): nothing is synchronised to the disk, no manuals, no translations.
_FRUGAL = {
    "etc/dpkg/dpkg.cfg.d/frugal": "force-unsafe-io\npath-exclude /usr/share/doc/*\npath-exclude /usr/share/man/*\n"
    "path-exclude /usr/share/locale/*\n",
    "etc/apt/apt.conf.d/frugal": 'Acquire::Languages "none";\n',
}
_LEFT_OUT = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/lib/apt/lists", "var/cache/apt", "var/log")


def why_not() -> str:
    """Why no image can be built here, or ""."""
    if os.geteuid():
        return "only root builds and runs images here: sudo make imagetest"
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        return "this machine lets not even root mount anything"
    return ""


class Workshop:
    """buildah, with a store in one directory. `debian` is the bare system that all images begin with."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._buildah, self._debootstrap = need("buildah"), need("debootstrap")
        self._built: set[str] = set()
        self._wheels, self._pip = directory / "wheels", directory / "pip.conf"
        store = f'[storage]\ndriver = "overlay"\ngraphroot = "{directory}/store"\nrunroot = "{directory}/run"\n'
        (directory / "storage.conf").write_text(store)
        self._environment = {**os.environ, "CONTAINERS_STORAGE_CONF": str(directory / "storage.conf")}

    def prepare(self) -> None:
        """Get what all images are made of: a minimal Debian 12, and the wheels of the lock file."""
        self._import_debian()
        self._fetch_wheels()

    def build(self, name: str) -> None:
        """One image, by the command of `make images`, unless it is there."""
        if name in self._built:
            return
        volumes = (f"--volume={self._wheels}:/wheels:ro", f"--volume={self._pip}:/etc/pip.conf:ro")
        flags = ["--isolation=chroot", "--network=host", "--pull-never", "--layers", *volumes]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BUILD_FLAGS", " ".join(flags))
            self._call(self._buildah, *build.command("buildah", name)[1:], cwd=ROOT)
        self._built.add(name)

    def configuration(self, name: str) -> dict[str, Any]:
        """The image's configuration (OCI image specification)."""
        found: dict[str, Any] = json.loads(self._ask("inspect", "--type", "image", f"audiolift/{name}"))
        configuration: dict[str, Any] = found["OCIv1"]["config"]
        return configuration

    @contextmanager
    def mounted(self, name: str) -> Iterator[Path]:
        """The root directory of a container of the image."""
        container = self._ask("from", "--pull-never", f"audiolift/{name}")
        try:
            yield Path(self._ask("mount", container))
        finally:
            self._ask("umount", container)
            self._ask("rm", container)

    def clear(self) -> None:
        """Remove all images and containers, and the directory."""
        for everything in (("rm", "--all"), ("rmi", "--all", "--force")):
            subprocess.run([self._buildah, *everything], env=self._environment, capture_output=True, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _import_debian(self) -> None:
        """A minimal Debian 12, under the name that Dockerfile.base begins with."""
        debian = self.directory / "debian"
        self._call(self._debootstrap, "--variant=minbase", "bookworm", str(debian))
        for path, text in _FRUGAL.items():
            (debian / path).write_text(text)
        for inside in (each for folder in _LEFT_OUT for each in (debian / folder).iterdir()):
            shutil.rmtree(inside) if inside.is_dir() else inside.unlink()
        container = self._ask("from", "scratch")
        self._ask("add", "--quiet", container, str(debian), "/")
        self._ask("commit", "--quiet", container, "debian:bookworm-slim")
        self._ask("rm", container)
        shutil.rmtree(debian)

    def _fetch_wheels(self) -> None:
        """The wheels of all images, for the Python of Debian 12, with the hashes of the lock file."""
        self._pip.write_text("[global]\nno-index = true\nfind-links = /wheels\n")
        platforms = [f"--platform=manylinux_2_{minor}_{platform.machine()}" for minor in (34, 28, 17, 12, 5)]
        kind = ["--only-binary=:all:", "--python-version=3.11", "--no-deps", "--require-hashes", *platforms]
        lock, pyproject = (ROOT / "requirements.lock").read_text(), (ROOT / "pyproject.toml").read_text()
        roots = {package for name in tree.images(ROOT) for package in subset.roots_of(pyproject, name)}
        (self.directory / "requirements.txt").write_text(subset.subset(lock, roots))
        where = ["--requirement", str(self.directory / "requirements.txt"), "--dest", str(self._wheels)]
        self._call(sys.executable, "-m", "pip", "download", "--quiet", *kind, *where)

    def _ask(self, *arguments: str) -> str:
        return self._call(self._buildah, *arguments).strip()

    def _call(self, *command: str, cwd: Path | None = None) -> str:
        done = subprocess.run(command, env=self._environment, cwd=cwd, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout
