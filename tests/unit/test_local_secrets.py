"""The environment that each function gets, and the keys that last from one run to the next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from knative.local import kustomize, manifests
from knative.local.cluster import API_HOST, Cluster, Sink
from knative.local.errors import ManifestError, StartError
from knative.local.runner import DEFAULT_OVERLAY
from knative.local.secrets import Environment, load_secrets


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return manifests.read(kustomize.render(DEFAULT_OVERLAY))


def environment(cluster: Cluster, data: Path, **own: str) -> Environment:
    """The environment on a machine where these variables are set."""
    addresses = {cluster.host(Sink("Service", name)): f"http://here/{name}" for name in cluster.services}
    return Environment(cluster, load_secrets(data, cluster), addresses | {API_HOST: "http://here/api"}, own)


def test_the_keys_are_made_once_and_only_their_owner_can_read_them(cluster: Cluster, tmp_path: Path) -> None:
    first = load_secrets(tmp_path, cluster)
    kept = tmp_path / "secrets.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert load_secrets(tmp_path, cluster) == first
    assert first["audiolift-tokens"].keys() == {"signing-key", "next-signing-key", "jwks", "link-secret"}
    assert list(tmp_path.iterdir()) == [kept]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null"])
def test_damaged_keys_are_said_and_not_replaced(cluster: Cluster, tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.json").write_text(text)
    with pytest.raises(StartError, match=r"is damaged\. Delete it"):
        load_secrets(tmp_path, cluster)
    assert (tmp_path / "secrets.json").read_text() == text


def test_each_function_gets_the_secrets_that_its_manifest_names_and_no_others(cluster: Cluster, tmp_path: Path) -> None:
    machine = environment(cluster, tmp_path, DATABASE_URL="mysql+pymysql://elsewhere/db", PATH="/bin")
    upload = machine.of(cluster.services["upload"].container)
    gateway = machine.of(cluster.services["gateway"].container)
    assert upload["DATABASE_URL"] == "mysql+pymysql://elsewhere/db"
    assert upload["BLOBS_URL"] == f"file://{tmp_path}/blobs"
    assert not {"DATABASE_URL", "BLOBS_URL", "SIGNING_KEY", "LINK_SECRET"} & gateway.keys()
    assert json.loads(gateway["JWKS"])["keys"]
    assert gateway["PATH"] == "/bin"


def test_cluster_addresses_become_local_ones(cluster: Cluster, tmp_path: Path) -> None:
    gateway = environment(cluster, tmp_path).of(cluster.services["gateway"].container)
    assert gateway["LOGIN_URL"] == "http://here/login"
    assert gateway["PUBLIC_URL"] == "http://here/gateway"
    sweep = environment(cluster, tmp_path).of(cluster.services["sweep"].container)
    assert sweep["PODS_URL"] == "http://here/api/api/v1/namespaces/audiolift/pods"


def test_the_runners_environment_wins_over_the_config_map(cluster: Cluster, tmp_path: Path) -> None:
    machine = environment(cluster, tmp_path, PUBLIC_URL="https://audiolift.example")
    assert machine.of(cluster.services["notify"].container)["PUBLIC_URL"] == "https://audiolift.example"


def test_the_runners_environment_does_not_win_over_what_a_manifest_fixes(cluster: Cluster, tmp_path: Path) -> None:
    machine = environment(cluster, tmp_path, CONCURRENCY="99", K_SINK="http://elsewhere")
    convert = machine.of(cluster.services["convert"].container)
    assert convert["CONCURRENCY"] == "1"
    assert "K_SINK" not in convert


def test_settings_that_no_manifest_names_reach_every_function(cluster: Cluster, tmp_path: Path) -> None:
    machine = environment(cluster, tmp_path, MAX_UPLOAD_BYTES="1000")
    assert {machine.of(each)["MAX_UPLOAD_BYTES"] for each in cluster.containers()} == {"1000"}


def test_the_address_of_nothing_is_an_error(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="is the address of nothing"):
        environment(cluster, tmp_path).local("http://nobody.audiolift.svc.cluster.local/x")
