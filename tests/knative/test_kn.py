"""What `make kn` prints is what kn takes, and makes the objects of the overlay."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from knative import kn
from knative.local import kustomize
from knative.local.kustomize import Manifest
from knative.rollout import Command
from tests.knative.kubernetes_api import Api, serving
from tests.system import ROOT

Identity = tuple[str, str, str, str]


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as running:
        yield running


@pytest.mark.parametrize("name", ["kind", "production"])
def test_the_commands_of_make_kn_bring_the_overlay_to_a_cluster(
    binaries: Path, api: Api, name: str, tmp_path: Path
) -> None:
    rendered = kustomize.render(ROOT / "knative" / "overlays" / name)
    kubeconfig = api.kubeconfig(tmp_path)
    for _ in range(2):  # the second time, what is there is updated
        for _, command in kn.commands(rendered):
            if command.argv[0] == "kn":
                run(binaries, kubeconfig, command)
            else:
                apply(api, command)
        assert all_of(api.objects.values()) == all_of(rendered)


def run(binaries: Path, kubeconfig: Path, command: Command) -> None:
    """Run a command of kn, as `make kn RUN=1` does."""
    there = bool(command.unless) and called(binaries, kubeconfig, command.unless).returncode == 0
    argv = command.instead if there else command.argv
    if argv:
        done = called(binaries, kubeconfig, argv, command.stdin)
        assert done.returncode == 0, f"{' '.join(argv)}\n{done.stderr}"


def called(
    binaries: Path, kubeconfig: Path, argv: tuple[str, ...], stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    environment = {"KUBECONFIG": str(kubeconfig), "HOME": str(kubeconfig.parent)}
    words = [str(binaries / "kn"), *argv[1:]]
    return subprocess.run(words, env=environment, input=stdin, capture_output=True, text=True, check=False)


def apply(api: Api, command: Command) -> None:
    """What kubectl does; only what it is given, where it is told so."""
    for manifest in yaml.safe_load_all(command.stdin) if command.stdin else ():
        (path,) = [path for path, each in api.objects.items() if identity(each) == identity(manifest)] or [""]
        partial = "--server-side" in command.argv
        assert path or not partial
        kept = merged(api.objects[path], manifest) if partial else manifest
        api.put(path or f"/kubectl/{identity(manifest)}", kept)


def all_of(manifests: Iterable[Manifest]) -> dict[Identity, Manifest]:
    return {identity(each): meant(each) for each in manifests}


def identity(manifest: Manifest) -> Identity:
    metadata = manifest["metadata"]
    return manifest["apiVersion"].partition("/")[0], manifest["kind"], metadata.get("namespace", ""), metadata["name"]


def merged(old: Any, new: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {**old, **{key: merged(old.get(key), value) for key, value in new.items()}}


def meant(manifest: Manifest) -> Manifest:
    """The same without what a server adds, and without what kn writes though it says nothing."""
    said: Manifest = said_of(manifest, manifest["metadata"].get("namespace"))
    said.pop("status", None)
    # kn sends PingSources as v1beta2, which the cluster converts.
    said["apiVersion"] = said["apiVersion"].partition("/")[0]
    notes = said["metadata"].get("annotations", {})
    notes.pop("kubectl.kubernetes.io/last-applied-configuration", None)
    for name in ("generation", "resourceVersion", "uid", *(["annotations"] if not notes else [])):
        said["metadata"].pop(name, None)
    return said


def said_of(value: Any, namespace: str | None) -> Any:
    """Without null, {} and port 0, which is none; and without the namespace of a reference that stays in its own."""
    if isinstance(value, list):
        return [said_of(each, namespace) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {key: said_of(each, namespace) for key, each in value.items() if key != "port" or each != 0}
    if namespace and kept.get("namespace") == namespace:
        del kept["namespace"]
    return {key: each for key, each in kept.items() if each not in (None, {}, [])}
