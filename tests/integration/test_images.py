"""The images: what each holds starts and stops by itself, and what the builders are told. See test_built_images.py."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from knative.images import build, tree
from tests.integration.image_checks import FUNCTIONS, ROOT, check_service, check_sources, service


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
