"""What is true of every image, and of what it holds."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from functions.login import keys
from knative.images import tree
from tests.patience import PATIENCE
from tests.servers import programs

__all__ = ["FUNCTIONS", "ROOT", "answer", "check_bytecode", "check_configuration", "check_service", "check_sources"]
__all__ += ["check_tools", "service"]

ROOT = Path(__file__).parents[2]
FUNCTIONS = [name for name in tree.images(ROOT) if name != tree.MIGRATE]
NOT_ROOT = "65532:65532"
# What has no place in an image that runs: nothing is installed or compiled in it.
TOOLS = ("pip", "pip3", "gcc", "cc", "make", "git", "uv")
UNCHECKED_HASH = 1


def check_sources(name: str, root: Path) -> None:
    """It holds its function and no other."""
    functions = {path.name for path in (root / "app/functions").iterdir() if path.is_dir()}
    assert functions - {"__pycache__"} == {"shared", name} - {tree.MIGRATE}
    assert (root / "app/functions/shared/migrations").exists() == (name == "migrate")
    assert (root / "app/events").exists()


def check_tools(name: str, root: Path) -> None:
    """Nothing can be installed or compiled in it; only convert has media libraries."""
    programs = {
        path.name for folder in ("usr/bin", "usr/local/bin", "opt/venv/bin") for path in (root / folder).iterdir()
    }
    assert programs.isdisjoint(TOOLS)
    packages = root / "opt/venv/lib/python3.11/site-packages"
    assert not list(packages.glob("pip*")) + list(packages.glob("setuptools*"))
    for package in ("imageio_ffmpeg", "av"):
        assert (packages / package).exists() == (name == "convert")
    assert bool(list((root / "usr/lib").rglob("libmp3lame.so.0"))) == (name == "convert")


def check_bytecode(_name: str, root: Path) -> None:
    """Every module has bytecode that no start compares with its source (PEP 552)."""
    for folder in ("app", "opt/venv/lib", "usr/lib/python3.11"):
        sources = [path for path in (root / folder).rglob("*.py") if "lib2to3/tests" not in str(path)]
        assert sources
        for source in sources:
            compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-311.pyc"
            assert compiled.read_bytes()[4] == UNCHECKED_HASH, source


def check_configuration(name: str, configuration: dict[str, Any]) -> None:
    """It starts the function, not as root."""
    module = "functions.shared.migrate" if name == "migrate" else "functions.shared.server"
    assert configuration["Entrypoint"] == ["python", "-m", module]
    assert configuration["User"] == NOT_ROOT
    assert configuration["StopSignal"] == "SIGTERM"
    assert configuration["Labels"]["org.opencontainers.image.title"] == f"audiolift {name}"


def service() -> dict[str, str]:
    """The environment of any function: a port of its own, and secrets."""
    made = keys.make()
    tokens = {"SIGNING_KEY": made["signing-key"], "JWKS": made["jwks"], "LINK_SECRET": made["link-secret"]}
    return {"HOST": "127.0.0.1", "PORT": str(programs.port()), **tokens}


def check_service(process: subprocess.Popen[bytes], port: str) -> None:
    """It answers, and ends at SIGTERM."""
    try:
        assert answer(process, f"http://127.0.0.1:{port}/healthz") == {"status": "ok"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE) == 0
    finally:
        if process.poll() is None:
            process.kill()


def answer(process: subprocess.Popen[bytes], url: str) -> Any:
    """The first answer of a process that has just been started."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as response:
                return json.load(response)
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise AssertionError(f"no answer; the container's status is {process.poll()}")
