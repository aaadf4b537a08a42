"""Builds the images from a bare Debian, without a registry, and runs them as a cluster would."""

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

from knative.images import build, subset
from tests.provision import need

__all__ = ["PATIENCE", "ROOT", "Workshop"]

ROOT = Path(__file__).parents[2]
PATIENCE = 60


class Workshop:
    """buildah with a store in one directory, and runc to run what it built."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._buildah, self._debootstrap, self._runc = need("buildah"), need("debootstrap"), need("runc")
        self._wheels, self._pip = directory / "wheels", directory / "pip.conf"
        store = f'[storage]\ndriver = "overlay"\ngraphroot = "{directory}/store"\nrunroot = "{directory}/run"\n'
        (directory / "storage.conf").write_text(store)
        self._environment = {**os.environ, "CONTAINERS_STORAGE_CONF": str(directory / "storage.conf")}

    def import_debian(self) -> None:
        """A minimal Debian 12, under the name that Dockerfile.base begins with."""
        debian = self._directory / "debian"
        self._call(self._debootstrap, "--variant=minbase", "bookworm", str(debian))
        container = self._ask("from", "scratch")
        self._ask("add", "--quiet", container, str(debian), "/")
        self._ask("commit", "--quiet", container, "debian:bookworm-slim")
        self._ask("rm", container)
        shutil.rmtree(debian)

    def fetch_wheels(self, *names: str) -> None:
        """The wheels of some images, for the Python of Debian 12, with the hashes of the lock file."""
        self._pip.write_text("[global]\nno-index = true\nfind-links = /wheels\n")
        platforms = [f"--platform=manylinux_2_{minor}_{platform.machine()}" for minor in (34, 28, 17, 12, 5)]
        kind = ["--only-binary=:all:", "--python-version=3.11", "--no-deps", "--require-hashes", *platforms]
        lock, pyproject = (ROOT / "requirements.lock").read_text(), (ROOT / "pyproject.toml").read_text()
        roots = {package for name in names for package in subset.extra_of(pyproject, name)}
        (self._directory / "requirements.txt").write_text(subset.subset(lock, roots))
        where = ["--requirement", str(self._directory / "requirements.txt"), "--dest", str(self._wheels)]
        self._call(sys.executable, "-m", "pip", "download", "--quiet", *kind, *where)

    def build(self, name: str) -> None:
        """One image, by the command of `make images`."""
        volumes = (f"{self._wheels}:/wheels:ro", f"{self._pip}:/etc/pip.conf:ro")
        flags = [
            "--isolation=chroot",
            "--network=host",
            "--pull-never",
            "--layers",
            *(f"--volume={v}" for v in volumes),
        ]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BUILD_FLAGS", " ".join(flags))
            self._call(self._buildah, *build.command("buildah", name)[1:], cwd=ROOT)

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

    @contextmanager
    def running(self, name: str, *command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """A container of the image, with its own command unless told; only /tmp can be written to."""
        with self.mounted(name) as root:
            bundle = self._directory / "bundle"
            bundle.mkdir(exist_ok=True)
            configuration = self.configuration(name)
            (bundle / "config.json").write_text(json.dumps(_specification(root, configuration, command, environment)))
            process = subprocess.Popen(
                [
                    self._runc,
                    "--root",
                    str(self._directory / "state"),
                    "run",
                    "--bundle",
                    str(bundle),
                    f"audiolift-{name}",
                ],
                stdout=subprocess.PIPE,
            )
            with process:
                try:
                    yield process
                finally:
                    if process.poll() is None:
                        process.kill()

    def run(self, name: str, *command: str, **environment: str) -> bytes:
        """What a command prints in a container of the image; fails unless it succeeds."""
        with self.running(name, *command, **environment) as process:
            output, _ = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0
        return output

    def clear(self) -> None:
        """Remove all images and containers, and the directory."""
        for everything in (("rm", "--all"), ("rmi", "--all", "--force")):
            subprocess.run([self._buildah, *everything], env=self._environment, capture_output=True, check=False)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _ask(self, *arguments: str) -> str:
        return self._call(self._buildah, *arguments).strip()

    def _call(self, *command: str, cwd: Path | None = None) -> str:
        done = subprocess.run(command, env=self._environment, cwd=cwd, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout


def _specification(
    root: Path, configuration: dict[str, Any], command: tuple[str, ...], environment: dict[str, str]
) -> dict[str, Any]:
    """What runc is to run (OCI runtime specification): the image's user, no capabilities, a read-only root."""
    user, group = map(int, configuration["User"].split(":"))
    scratch = {"type": "tmpfs", "source": "tmpfs"}
    return {
        "ociVersion": "1.0.2",
        "root": {"path": str(root), "readonly": True},
        "process": {
            "user": {"uid": user, "gid": group},
            "args": list(command or configuration["Entrypoint"]),
            "env": [*configuration["Env"], *(f"{name}={value}" for name, value in environment.items())],
            "cwd": configuration["WorkingDir"],
            "noNewPrivileges": True,
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", **scratch},
            {"destination": "/tmp", **scratch, "options": ["mode=1777"]},
        ],
        "linux": {"namespaces": [{"type": kind} for kind in ("mount", "pid", "ipc", "uts")]},
    }
