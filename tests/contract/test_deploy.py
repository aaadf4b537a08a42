"""knative/deploy.py: what is done to a cluster, in which order, and when nothing has to be done."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from knative.deploy import away, placeholders
from knative.local import kustomize, manifests
from knative.local.kustomize import Manifest
from knative.stamp import ANNOTATION, stamped

ROOT = Path(__file__).parents[2]
in_cluster = pytest.mark.parametrize("name", ["kind", "production"])
SERVICES = ("convert", "download", "gateway", "login", "notify", "sweep", "upload")


def rendered(name: str) -> list[Manifest]:
    return kustomize.render(ROOT / "knative" / "overlays" / name)


@in_cluster
def test_stores_and_rules_stay_until_the_last_function_has_ended(name: str) -> None:
    said = [command.argv for command in away(rendered(name))]
    (wait,) = [argv for argv in said if argv[1] == "wait"]
    assert wait[2:4] == ("pod", "--selector")
    services = manifests.read(rendered(name)).services
    assert wait[4] == f"serving.knative.dev/service in ({','.join(sorted(services))})"
    assert "--for=delete" in wait
    longest = max(service.timeout for service in services.values())
    assert int(wait[-1].removeprefix("--timeout=").removesuffix("s")) > longest
    before, after = (
        {argv[2].split(".")[0] for argv in part} for part in (said[: said.index(wait)], said[said.index(wait) + 1 :])
    )
    assert {"Trigger", "PingSource", "RabbitmqSource", "Service"} <= before
    assert {"NetworkPolicy", "RabbitmqCluster", "Broker", "ConfigMap"} <= after
    assert not {"NetworkPolicy", "StatefulSet", "RabbitmqCluster", "Broker", "ConfigMap"} & before


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("TRUSTED_SOURCES", '{"/videos": "videos@example.com"}'),
        ("PUBLIC_URL", "https://sound.example.com"),
        ("MAIL_FROM", "sound <sound@audiolift.example.community>"),
        ("FETCH_ALLOWED_NETWORKS", "192.0.2.0/24"),
    ],
)
def test_somebodys_own_example_is_no_placeholder(key: str, value: str) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {key: value}}
    assert placeholders([config]) == set()


def test_a_changed_setting_gives_every_function_that_has_it_a_new_revision() -> None:
    found = rendered("kind")
    before = hashes(stamped(found, {}))
    assert hashes(stamped(rendered("kind"), {})) == before
    (config,) = [each for each in found if each["kind"] == "ConfigMap"]
    config["data"]["PUBLIC_URL"] = "https://elsewhere.example.com"
    assert changed(before, hashes(stamped(found, {}))) == set(SERVICES)


def test_a_changed_secret_gives_those_a_new_revision_that_it_is_given_to() -> None:
    secret = ("Secret", "audiolift", "audiolift-mail")
    before, after = (hashes(stamped(rendered("kind"), {secret: version})) for version in ("uid/1", "uid/2"))
    assert changed(before, after) == {"login", "notify"}


def test_the_objects_that_are_stamped_are_copies_and_differ_in_nothing_else() -> None:
    found = rendered("production")
    made = stamped(found, {})
    assert found == rendered("production")
    for each in made:
        each.get("spec", {}).get("template", {}).get("metadata", {}).get("annotations", {}).pop(ANNOTATION, None)
    assert made == found


def hashes(found: list[Manifest]) -> dict[str, str]:
    """By Service."""
    services = [each for each in found if each["apiVersion"] == "serving.knative.dev/v1"]
    return {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["annotations"][ANNOTATION] for each in services
    }


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name, value in after.items() if value != before[name]}


class Cluster:
    """A kubectl that keeps what is applied and answers with the Secrets that it is told to have."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "bin").mkdir()
        program = directory / "bin" / "kubectl"
        program.write_text(
            KUBECTL.format(python=sys.executable, directory=str(directory), real=shutil.which("kubectl"))
        )
        program.chmod(0o755)

    def secret(self, name: str, version: str, *keys: str) -> None:
        """Have a Secret."""
        metadata = {"name": name, "uid": "u", "resourceVersion": version}
        found = {"metadata": metadata, "data": dict.fromkeys(keys, "dGVsbCBub2JvZHk=")}
        (self.directory / f"{name}.json").write_text(json.dumps(found))

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command of ours, with this kubectl."""
        path = f"{self.directory / 'bin'}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path}
        argv = [sys.executable, "-m", *command]
        return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    def applied(self) -> list[Manifest]:
        """What was applied, oldest first."""
        return list(yaml.safe_load_all((self.directory / "applied").read_text()))


KUBECTL = """#!{python}
import os, pathlib, sys
here = pathlib.Path({directory!r})
if sys.argv[1] == "kustomize":
    os.execv({real!r}, sys.argv)
if [word.lower() for word in sys.argv[1:3]] == ["get", "secret"]:
    found = here / (sys.argv[3] + ".json")
    print(found.read_text() if found.exists() else "", end="")
if sys.argv[1] == "apply":
    with (here / "applied").open("a") as log:
        log.write("---\\n" + sys.stdin.read())
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """With the Secrets that the overlay kind needs."""
    if shutil.which("kubectl") is None:
        pytest.skip("NOT CHECKED: kubectl is not installed")
    made = Cluster(tmp_path)
    made.secret(
        "audiolift-stores", "1", "database-url", "blobs-url", "limits-url", "mysql-password", "mongodb-password"
    )
    made.secret("audiolift-tokens", "1", "signing-key", "jwks", "link-secret")
    made.secret("audiolift-mail", "1", "smtp-url")
    return made


def test_deploying_again_changes_no_template_until_a_secret_has_changed(cluster: Cluster) -> None:
    seen = []
    for version in ("1", "1", "2"):
        cluster.secret("audiolift-tokens", version, "signing-key", "jwks", "link-secret")
        done = cluster.run("knative.deploy", "kind")
        assert done.returncode == 0, done.stderr
        seen.append(latest(cluster))
    assert seen[0] == seen[1]
    assert changed(seen[1], seen[2]) == {"gateway", "login", "upload", "notify", "download", "sweep"}


def test_nothing_of_a_secret_is_applied_or_printed(cluster: Cluster) -> None:
    done = cluster.run("knative.deploy", "kind")
    assert "dGVsbCBub2JvZHk=" not in done.stdout + done.stderr + (cluster.directory / "applied").read_text()


def test_kn_is_told_the_same_as_kubectl(cluster: Cluster) -> None:
    assert cluster.run("knative.deploy", "kind").returncode == 0
    printed = cluster.run("knative.kn", "kind").stdout
    for digest in latest(cluster).values():
        assert f"{ANNOTATION}={digest}" in printed


def latest(cluster: Cluster) -> dict[str, str]:
    """The hashes that were applied last."""
    return hashes(cluster.applied())


def test_commands_of_kn_are_printed_without_a_cluster_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "knative.kn", "kind"]
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert ANNOTATION in done.stdout
    assert "a changed Secret will make no new revision by these commands" in done.stderr
