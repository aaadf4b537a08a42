"""knative/local/bootstrap.py: real environments from a tiny wheel, and what a person reads when it cannot be done."""

from __future__ import annotations

import ast
import hashlib
import io
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from knative.local import bootstrap

SCRIPT = Path(bootstrap.__file__)
NOWHERE = "--index-url http://127.0.0.1:9/\n"


def test_it_parses_on_pythons_that_are_too_old_to_run_it() -> None:
    ast.parse(SCRIPT.read_text(), feature_version=(3, 6))


def test_it_imports_the_standard_library_only() -> None:
    nodes = list(ast.walk(ast.parse(SCRIPT.read_text())))
    imported = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    imported += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def test_no_package_index_is_named() -> None:
    for path in (SCRIPT, bootstrap.ROOT / "Makefile", *bootstrap.ROOT.rglob("requirements.lock")):
        assert not re.search(r"https?://(?!localhost)", path.read_text()), path


def test_the_environment_of_the_tests_holds_what_audiolift_runs_on() -> None:
    small, large = (bootstrap.ROOT / name for name in ("requirements.lock", "tests/requirements.lock"))
    assert pins(small) <= pins(large)


def test_it_installs_once_and_again_when_the_lock_file_changes(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock(checkout, "requirements.lock", wheel(checkout, "first"))
    bootstrap.ensure(checkout, "requirements.lock")
    assert imports(checkout, "first")
    assert "setting up" in capsys.readouterr().out

    bootstrap.ensure(checkout, "requirements.lock")
    assert capsys.readouterr().out == ""

    lock(checkout, "requirements.lock", wheel(checkout, "first"), wheel(checkout, "second"))
    bootstrap.ensure(checkout, "requirements.lock")
    assert imports(checkout, "second")


def test_the_larger_environment_is_good_for_the_smaller_lock_file(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = wheel(checkout, "first"), wheel(checkout, "second")
    lock(checkout, "small.lock", first)
    lock(checkout, "large.lock", first, second)
    bootstrap.ensure(checkout, "large.lock")
    capsys.readouterr()
    bootstrap.ensure(checkout, "small.lock")
    assert capsys.readouterr().out == ""


def test_what_a_killed_setup_left_is_cleared_away(checkout: Path) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").write_text("half a file")
    lock(checkout, "requirements.lock", wheel(checkout, "first"))
    bootstrap.ensure(checkout, "requirements.lock")
    assert imports(checkout, "first")


def test_two_at_once_wait_for_each_other(checkout: Path) -> None:
    lock(checkout, "requirements.lock", wheel(checkout, "first"))
    code = f"import pathlib, sys; sys.path.insert(0, {str(bootstrap.ROOT)!r}); from knative.local import bootstrap; "
    code += f"bootstrap.ensure(pathlib.Path({str(checkout)!r}), 'requirements.lock')"
    command = [sys.executable, "-c", code]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("is ready" in text for text in said) == 1
    assert imports(checkout, "first")


def test_a_package_with_another_hash_is_refused(checkout: Path) -> None:
    path = wheel(checkout, "first")
    lock(checkout, "requirements.lock", path)
    path.write_bytes(wheel(checkout, "second").read_bytes())
    with pytest.raises(bootstrap.SetupFailed, match="it was refused"):
        bootstrap.ensure(checkout, "requirements.lock")
    assert not (checkout / ".venv" / "audiolift.stamp").exists()


def test_no_network_is_called_that(checkout: Path) -> None:
    (checkout / "requirements.lock").write_text(f"{NOWHERE}absent==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(bootstrap.SetupFailed, match="is there a network"):
        bootstrap.ensure(checkout, "requirements.lock")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_to_is_named(checkout: Path) -> None:
    (checkout / "requirements.lock").touch()
    checkout.chmod(0o500)
    with pytest.raises(bootstrap.SetupFailed, match=re.escape(str(checkout))):
        bootstrap.ensure(checkout, "requirements.lock")


def test_without_ensurepip_another_pip_fills_the_environment(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_ensurepip(monkeypatch)
    lock(checkout, "requirements.lock", wheel(checkout, "first"))
    bootstrap.ensure(checkout, "requirements.lock")
    assert imports(checkout, "first")
    assert not imports(checkout, "pip")


@pytest.mark.parametrize(("typed", "wanted"), [("", True), ("y", True), ("Yes", True), ("n", False), ("what?", False)])
def test_who_sits_at_the_terminal_is_asked_before_a_package_is_installed(
    monkeypatch: pytest.MonkeyPatch, typed: str, wanted: bool
) -> None:
    ours, theirs = os.openpty()
    os.write(ours, f"{typed}\n".encode())
    with os.fdopen(ours), os.fdopen(theirs) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        assert bootstrap._may_install("python3-venv") is wanted


def test_without_a_terminal_it_is_said_what_is_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert bootstrap._may_install("python3-venv")
    assert capsys.readouterr().out.startswith("installing python3-venv")


def test_without_any_pip_the_package_to_install_is_named(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_ensurepip(monkeypatch)
    monkeypatch.setattr(bootstrap, "_outer_pip_serves", lambda: False)
    (checkout / "requirements.lock").touch()
    with pytest.raises(bootstrap.SetupFailed, match="sudo apt-get install python3-venv"):
        bootstrap.ensure(checkout, "requirements.lock")


@pytest.mark.parametrize(
    ("output", "meaning"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: No matching distribution found for uvloop==1", "another Python"),
        ("ensurepip: PermissionError: [Errno 13] Permission denied: '.venv/bin'", "belongs to somebody else"),
        ("Segmentation fault", "Segmentation fault"),
    ],
)
def test_what_an_installer_says_is_put_plainly(output: str, meaning: str) -> None:
    assert meaning in bootstrap.explain(output)


def test_a_failure_ends_with_one_message_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main(["absent.lock"]) == 1
    assert capsys.readouterr().err.startswith("audiolift: ")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout, and a pip that knows no settings of this machine."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return tmp_path


def without_ensurepip(monkeypatch: pytest.MonkeyPatch) -> None:
    there = bootstrap._is_there
    monkeypatch.setattr(bootstrap, "_is_there", lambda *modules: "ensurepip" not in modules and there(*modules))
    monkeypatch.setattr(bootstrap, "can_install_debian_packages", lambda: False)


def wheel(folder: Path, name: str) -> Path:
    """A wheel with one empty module."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    about = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return path


def lock(folder: Path, name: str, *wheels: Path) -> None:
    lines = [f"{NOWHERE}--find-links {folder}\n"]
    for path in wheels:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lines.append(f"{path.name.partition('-')[0]}==1.0 \\\n    --hash=sha256:{digest}\n")
    (folder / name).write_text("".join(lines))


def pins(path: Path) -> set[str]:
    return set(re.findall(r"^[^\s-].*==.*$", path.read_text(), re.MULTILINE))


def imports(root: Path, module: str) -> bool:
    command = [str(root / ".venv/bin/python"), "-c", f"import {module}"]
    return subprocess.run(command, cwd=tempfile.gettempdir(), capture_output=True, check=False).returncode == 0
