"""The manifests: valid for Knative's own schemas, as kustomize renders them, and fitting each other."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from knative.local import kustomize, manifests
from knative.local.cluster import Cluster, Service, Trigger
from knative.local.kustomize import Manifest

ROOT = Path(__file__).parents[2]
CRDS = ROOT.parent / "shared" / "crds"
OVERLAYS = [ROOT / "knative" / "base", *sorted((ROOT / "knative" / "overlays").iterdir())]
SERVICES = sorted(path.stem for path in (ROOT / "knative" / "base" / "services").iterdir())
# The oldest Kubernetes that the Knative of docs/deploy.md runs on.
KUBERNETES = "1.34"
# Kinds whose schemas need not be in CRDS: RabbitMQ's operators, and what Knative's others leave out. They are checked
# where somebody has put them there.
TOPOLOGY = {"Exchange", "Queue", "Binding", "Policy", "User", "Permission"}
WITHOUT_SCHEMA = {"RabbitmqCluster", "EventType", "ClusterDomainClaim"} | TOPOLOGY

overlays = pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)


def rendered(overlay: Path) -> Cluster:
    """The cluster that an overlay describes."""
    return manifests.read(kustomize.render(overlay))


def is_built_in(manifest: Manifest) -> bool:
    """Whether a kind is Kubernetes' own."""
    group = manifest["apiVersion"].rpartition("/")[0]
    return "." not in group or group.endswith(".k8s.io")


def custom(overlay: Path) -> Iterator[Manifest]:
    """The objects of an overlay whose kinds come with Knative or an operator."""
    return (manifest for manifest in kustomize.render(overlay) if not is_built_in(manifest))


@overlays
def test_every_object_of_knatives_is_valid_for_its_schema(overlay: Path) -> None:
    if not CRDS.is_dir():
        pytest.skip(f"NOT CHECKED: Knative's schemas are not in {CRDS}")
    schemas = dict(_schemas())
    checked = set()
    for manifest in custom(overlay):
        key = manifest["apiVersion"], manifest["kind"]
        if key in schemas or manifest["kind"] not in WITHOUT_SCHEMA:
            jsonschema.validate(manifest, schemas[key])
            checked.add(manifest["kind"])
    assert {"Service", "Broker", "Trigger", "PingSource", "SinkBinding", "RabbitmqBrokerConfig"} <= checked


@overlays
def test_every_object_of_kubernetes_is_valid_for_its_schema(overlay: Path) -> None:
    checked = set()
    for manifest in kustomize.render(overlay):
        if is_built_in(manifest):
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
            checked.add(manifest["kind"])
    assert {"Namespace", "ConfigMap", "ServiceAccount", "NetworkPolicy", "Job"} <= checked


def test_an_unknown_field_is_noticed() -> None:
    if not CRDS.is_dir():
        pytest.skip(f"NOT CHECKED: Knative's schemas are not in {CRDS}")
    service = next(each for each in custom(OVERLAYS[0]) if each["kind"] == "Service")
    service["spec"]["template"]["spec"]["containers"][0]["replicas"] = 1
    with pytest.raises(jsonschema.ValidationError, match="replicas"):
        jsonschema.validate(service, dict(_schemas())["serving.knative.dev/v1", "Service"])


def test_an_unknown_field_of_a_built_in_kind_is_noticed() -> None:
    policy = next(each for each in kustomize.render(OVERLAYS[0]) if each["kind"] == "NetworkPolicy")
    policy["spec"]["egres"] = []
    with pytest.raises(kubernetes_validate.ValidationError, match="egres"):
        kubernetes_validate.validate(policy, KUBERNETES, strict=True)


@overlays
def test_kubectl_renders_the_same_without_a_warning(overlay: Path) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("NOT CHECKED: kubectl is not installed")
    theirs = subprocess.run(["kubectl", "kustomize", str(overlay)], capture_output=True, text=True, check=True)
    assert theirs.stderr == ""
    assert _by_name(kustomize.render(overlay)) == _by_name(yaml.safe_load_all(theirs.stdout))


@overlays
def test_the_events_that_a_function_wants_reach_it(overlay: Path) -> None:
    wanted = {trigger.attributes["type"]: trigger.subscriber.name for trigger in rendered(overlay).triggers}
    assert wanted == {
        "dev.audiolift.video.submitted.v1": "upload",
        "dev.knative.rabbitmq.event": "upload",
        "dev.audiolift.video.uploaded.v1": "convert",
        "dev.audiolift.audio.created.v1": "notify",
        "dev.audiolift.conversion.failed.v1": "notify",
        "dev.audiolift.batch.ended.v1": "notify",
        "dev.audiolift.submission.confirmed.v1": "notify",
        "dev.audiolift.expiry.announced.v1": "notify",
        "dev.audiolift.mail.requested.v1": "notify",
    }


@overlays
def test_every_trigger_has_a_delivery_of_its_own(overlay: Path) -> None:
    cluster = rendered(overlay)
    for trigger in cluster.triggers:
        service, delivery = _subscriber(cluster, trigger), trigger.delivery
        assert delivery.dead_letter_sink is not None
        assert delivery.dead_letter_sink.name == "sweep"
        assert delivery.retry >= 3
        # The function's own answer, or the 504 of its Service, comes before the dispatcher gives up.
        assert delivery.timeout is not None
        assert delivery.timeout > service.timeout
        assert trigger.parallelism <= service.max_scale * service.concurrency


@overlays
def test_only_the_gateway_is_public(overlay: Path) -> None:
    visibility = "networking.knative.dev/visibility"
    services = rendered(overlay).services.values()
    assert [each.name for each in services if each.labels.get(visibility) != "cluster-local"] == ["gateway"]


@overlays
def test_emitters_are_bound_to_the_broker(overlay: Path) -> None:
    assert {name: sink.name for name, sink in rendered(overlay).sinks.items()} == {
        "login": "audiolift",
        "upload": "audiolift",
        "convert": "audiolift",
        "sweep": "audiolift",
    }


@overlays
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_tells_its_function_what_it_promises_the_cluster(overlay: Path, name: str) -> None:
    """How many threads it has, and how long it goes on after SIGTERM, follow these two settings."""
    service = rendered(overlay).services[name]
    env = {each.name: each.value for each in service.container.env}
    assert env["CONCURRENCY"] == str(service.concurrency)
    assert env["TIMEOUT_SECONDS"] == f"{service.timeout:g}"
    assert service.response_start_timeout == service.timeout
    assert service.container.command[-1] == name


def test_every_function_has_a_service_and_operators_see_it() -> None:
    from functions.sweep.instances import FUNCTIONS

    assert sorted(path.parent.name for path in (ROOT / "functions").glob("*/main.py")) == SERVICES == sorted(FUNCTIONS)


def test_convert_has_the_values_that_were_measured() -> None:
    convert = rendered(OVERLAYS[0]).services["convert"]
    assert (convert.concurrency, convert.timeout, convert.min_scale) == (1, 600, 0)


def _subscriber(cluster: Cluster, trigger: Trigger) -> Service:
    return cluster.services[trigger.subscriber.name]


def _by_name(objects: Any) -> dict[tuple[str, str, str], Any]:
    return {(each["apiVersion"], each["kind"], each["metadata"]["name"]): each for each in objects}


def _schemas() -> Iterator[tuple[tuple[str, str], Any]]:
    """Each kind's schema; where the cluster would drop an unknown field in silence, it is an error here."""
    for path in CRDS.glob("*.yaml"):
        spec = yaml.safe_load(path.read_text())["spec"]
        for version in spec["versions"]:
            schema = _strict(version["schema"]["openAPIV3Schema"])
            schema["properties"] |= {name: {} for name in ("apiVersion", "kind", "metadata")}
            yield (f"{spec['group']}/{version['name']}", spec["names"]["kind"]), schema


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        strict.setdefault("additionalProperties", False)
    return strict
