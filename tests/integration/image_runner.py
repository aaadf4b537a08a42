"""Runs images as a cluster would: runc, not root, no capabilities, a read-only root, and the seccomp profile."""

from __future__ import annotations

import json
import platform
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.image_workshop import Workshop
from tests.patience import PATIENCE
from tests.provision import need

__all__ = ["Runner"]

# What stands behind `seccompProfile: RuntimeDefault` with podman and CRI-O; it comes with buildah.
_PROFILE = Path("/usr/share/containers/seccomp.json")
_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


class Runner:
    """runc, for the images of a workshop."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop, self._runc = workshop, need("runc")

    @contextmanager
    def running(
        self, name: str, *command: str, environment: Mapping[str, str] | None = None, data: Path | None = None
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A container of the image, with its own command unless told; /tmp can be written to, and `data`, as /data."""
        self._workshop.build(name)
        with self._workshop.mounted(name) as root:
            bundle = self._workshop.directory / "bundles" / name
            bundle.mkdir(parents=True, exist_ok=True)
            specification = _specification(root, self._workshop.configuration(name), command, environment or {}, data)
            (bundle / "config.json").write_text(json.dumps(specification))
            state = ["--root", str(self._workshop.directory / "state")]
            run = [self._runc, *state, "run", "--bundle", str(bundle), f"audiolift-{name}"]
            with subprocess.Popen(run, stdout=subprocess.PIPE) as process:
                try:
                    yield process
                finally:
                    _end(process)

    def run(
        self, name: str, *command: str, environment: Mapping[str, str] | None = None, data: Path | None = None
    ) -> bytes:
        """What a command prints in a container of the image; fails unless it succeeds."""
        with self.running(name, *command, environment=environment, data=data) as process:
            output, _ = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0
        return output


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a container by SIGTERM, which runc passes on, so that runc can tidy up after it."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()


def _specification(
    root: Path,
    configuration: dict[str, Any],
    command: tuple[str, ...],
    environment: Mapping[str, str],
    data: Path | None,
) -> dict[str, Any]:
    """What runc is to run (OCI runtime specification)."""
    user, group = map(int, configuration["User"].split(":"))
    scratch = {"type": "tmpfs", "source": "tmpfs"}
    shared = [{"destination": "/data", "type": "bind", "source": str(data), "options": ["rbind"]}] if data else []
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
            *shared,
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("mount", "pid", "ipc", "uts")],
            "seccomp": _seccomp(json.loads(_PROFILE.read_text())),
        },
    }


def _seccomp(profile: dict[str, Any]) -> dict[str, Any]:
    """The profile as runc takes it: its rules for a process without capabilities, on this architecture."""
    rules = [
        {key: rule[key] for key in ("names", "action", "args", "errnoRet") if rule.get(key)}
        for rule in profile["syscalls"]
        if not rule["includes"].get("caps") and _fits(rule["includes"].get("arches"))
    ]
    return {"defaultAction": profile["defaultAction"], "defaultErrnoRet": profile["defaultErrnoRet"], "syscalls": rules}


def _fits(architectures: list[str] | None) -> bool:
    return architectures is None or _ARCHITECTURE in architectures
