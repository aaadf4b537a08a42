"""The images: what each holds starts and stops by itself, and all of it is true of images that are built for real.

That takes some minutes, so only `make imagetest` does it: buildah builds, runc runs, not by root and with nothing
writable, as a cluster would. debootstrap makes the Debian, so that no registry is needed; the wheels are mounted.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from functions.login import keys
from knative.images import build, tree
from tests.integration.image_workshop import PATIENCE, ROOT, Workshop

FUNCTIONS = [name for name in tree.images(ROOT) if name != tree.MIGRATE]
IMAGES = ("gateway", "convert", "migrate")
NOT_ROOT = "65532:65532"
# What has no place in an image that runs: nothing is installed or compiled in it.
TOOLS = ("pip", "pip3", "gcc", "cc", "make", "git", "uv")
UNCHECKED_HASH = 1


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_an_image_holds_starts_answers_and_ends_at_sigterm(name: str, tmp_path: Path) -> None:
    tree.copy(name, ROOT, tmp_path / "app")
    held = sorted((tmp_path / "app").rglob("*"))
    check_sources(name, tmp_path)
    environment = {**os.environ, **service(), "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "functions.shared.server"]
    with subprocess.Popen(command, cwd=tmp_path / "app", env=environment) as process:
        check_service(process, environment["PORT"])
    assert sorted((tmp_path / "app").rglob("*")) == held


def test_the_tables_are_made_by_what_the_image_of_the_migrations_holds(tmp_path: Path) -> None:
    tree.copy(tree.MIGRATE, ROOT, tmp_path / "app")
    check_sources(tree.MIGRATE, tmp_path)
    environment = {**os.environ, "PYTHONPATH": "", "DATABASE_URL": f"sqlite:///{tmp_path}/rows.db"}
    command = [sys.executable, "-m", "functions.shared.migrate"]
    subprocess.run(command, cwd=tmp_path / "app", env=environment, check=True)
    with closing(sqlite3.connect(tmp_path / "rows.db")) as rows:
        assert rows.execute("SELECT count(*) FROM jobs").fetchone() == (0,)


def test_there_is_no_image_of_what_is_no_function(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no image 'shared', only convert, "):
        tree.copy("shared", ROOT, tmp_path / "app")


@pytest.mark.parametrize("builder", build.BUILDERS)
def test_each_builder_gets_the_same_sources_dates_and_names(builder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"REGISTRY": "registry.example.com/a", "TAG": "7", "BASE": "debian@sha256:0", "SOURCE_DATE_EPOCH": "86400"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    command = " ".join(build.command(builder, "login"))
    assert command.startswith(f"{builder} build ")
    assert "--target function --tag registry.example.com/a/login:7 ." in command
    assert "--build-arg CREATED=1970-01-02T00:00:00Z --build-arg BASE=debian@sha256:0 " in command
    assert ("SOURCE_DATE_EPOCH=86400" if builder == "docker" else "--timestamp 86400") in command


def test_without_a_builder_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert build.main() == 1
    assert "docker, podman or buildah" in capsys.readouterr().err


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    """The images, in a store of their own."""
    if os.environ.get("IMAGES") != "1":
        pytest.skip("NOT CHECKED: make imagetest builds the images for real, in some minutes")
    if os.geteuid():
        pytest.skip("only root builds and runs images here: sudo make imagetest")
    made = Workshop(tmp_path)
    try:
        made.import_debian()
        made.fetch_wheels(*IMAGES)
        for name in IMAGES:
            made.build(name)
        yield made
    finally:
        made.clear()


def test_images_hold_and_start_what_they_should(workshop: Workshop, subtests: pytest.Subtests) -> None:
    for name in IMAGES:
        with workshop.mounted(name) as root:
            for check in (check_sources, check_tools, check_bytecode):
                with subtests.test(f"{name}: {check.__name__}"):
                    check(name, root)
        with subtests.test(f"{name}: configuration"):
            check_configuration(name, workshop.configuration(name))
    for name in ("gateway", "convert"):
        with subtests.test(f"{name}: starts, answers, and ends at SIGTERM"):
            environment = service()
            with workshop.running(name, **environment) as process:
                check_service(process, environment["PORT"])
    with subtests.test("convert: its ffmpeg runs"):
        code = "from functions.convert import media; import subprocess; subprocess.run([media.ffmpeg(), '-version'])"
        assert b"libmp3lame" in workshop.run("convert", "python", "-c", code)
    with subtests.test("migrate: makes the tables"):
        script = "from functions.shared import migrate, database; migrate.upgrade(); database.ping(); print('made')"
        assert b"made" in workshop.run("migrate", "python", "-c", script, DATABASE_URL="sqlite:////tmp/rows.db")


def check_sources(name: str, root: Path) -> None:
    functions = {path.name for path in (root / "app/functions").iterdir() if path.is_dir()}
    assert functions - {"__pycache__"} == {"shared", name} - {tree.MIGRATE}
    assert (root / "app/functions/shared/migrations").exists() == (name == "migrate")
    assert (root / "app/events").exists() == (name != "migrate")


def check_tools(name: str, root: Path) -> None:
    programs = {
        path.name for folder in ("usr/bin", "usr/local/bin", "opt/venv/bin") for path in (root / folder).iterdir()
    }
    assert programs.isdisjoint(TOOLS)
    packages = root / "opt/venv/lib/python3.11/site-packages"
    assert not list(packages.glob("pip*")) + list(packages.glob("setuptools*"))
    assert (packages / "imageio_ffmpeg").exists() == (name == "convert")


def check_bytecode(_name: str, root: Path) -> None:
    """Every module has bytecode that no start compares with its source (PEP 552)."""
    for folder in ("app", "opt/venv/lib", "usr/lib/python3.11"):
        sources = [path for path in (root / folder).rglob("*.py") if "lib2to3/tests" not in str(path)]
        assert sources
        for source in sources:
            compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-311.pyc"
            assert compiled.read_bytes()[4] == UNCHECKED_HASH, source


def check_configuration(name: str, configuration: dict[str, Any]) -> None:
    module = "functions.shared.migrate" if name == "migrate" else "functions.shared.server"
    assert configuration["Entrypoint"] == ["python", "-m", module]
    assert configuration["User"] == NOT_ROOT
    assert configuration["StopSignal"] == "SIGTERM"
    assert configuration["Labels"]["org.opencontainers.image.title"] == f"audiolift {name}"


def service() -> dict[str, str]:
    """The environment of any function: a port of its own, and secrets."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    made = keys.make()
    tokens = {"SIGNING_KEY": made["signing-key"], "JWKS": made["jwks"], "LINK_SECRET": made["link-secret"]}
    return {"HOST": "127.0.0.1", "PORT": str(port), **tokens}


def check_service(process: subprocess.Popen[bytes], port: str) -> None:
    try:
        assert answer(process, f"http://127.0.0.1:{port}/healthz") == {"status": "ok"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
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
