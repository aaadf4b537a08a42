"""What every overlay promises: hardened containers, fitting times, closed networks, secrets that are documented."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from events.catalogue import CATALOGUE, FROM_RABBITMQ, VideoSubmitted, dataschema
from functions.convert.sandbox.attend import TICK_SECONDS
from functions.convert.sandbox.worker import GRACE_SECONDS
from functions.shared.health import FRESH_SECONDS, PATIENCE_SECONDS
from functions.shared.settings import SETTINGS
from knative import credentials
from knative.deploy import away, placeholders, secret_keys, there
from knative.local import kustomize, manifests
from knative.local.cluster import Cluster, KeyRef
from knative.local.errors import ManifestError
from knative.local.kustomize import Manifest
from knative.rollout import RolloutError, resource, stages

ROOT = Path(__file__).parents[2]
OVERLAYS = [ROOT / "knative" / "base", *sorted((ROOT / "knative" / "overlays").iterdir())]
CLOUDS = [path for path in OVERLAYS if path.name in ("gke", "eks", "aks")]
IN_CLUSTER = [path for path in OVERLAYS if path.name not in ("base", "local")]
# What RabbitMQ's dispatcher takes from a queue in advance: it cannot be set.
PREFETCH = 100
# How long a job may wait after its pod was killed, and what of it a new pod takes on a busy node.
LONGEST_WAIT_SECONDS, POD_START_SECONDS = 40, 15

overlays = pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
in_cluster = pytest.mark.parametrize("overlay", IN_CLUSTER, ids=lambda path: path.name)


@functools.cache
def objects(overlay: Path) -> list[Manifest]:
    return kustomize.render(overlay)


@functools.cache
def rendered(overlay: Path) -> Cluster:
    return manifests.read(objects(overlay))


def kinds(overlay: Path, kind: str) -> Iterator[Manifest]:
    return (each for each in objects(overlay) if resource(each) == kind)


def pod_specs(overlay: Path) -> Iterator[tuple[Manifest, dict[str, Any]]]:
    """Every object that has a pod's template, and the template's spec."""
    for manifest in objects(overlay):
        if spec := manifest.get("spec", {}).get("template", {}).get("spec"):
            yield manifest, spec


def ours(overlay: Path) -> Iterator[tuple[Manifest, dict[str, Any]]]:
    """The same without the stores for trying out."""
    return (found for found in pod_specs(overlay) if resource(found[0]) in ("Service.serving.knative.dev", "Job.batch"))


def setting(cluster: Cluster, service: str, name: str) -> int:
    """What a function reads for a setting: from its own environment, the ConfigMap, or by default."""
    default = next(each.default for each in SETTINGS if each.name == name)
    own = {env.name: env.value for env in cluster.services[service].container.env}
    value = own.get(name, cluster.config_maps["audiolift-config"].get(name, default))
    assert isinstance(value, str | int)
    return int(value)


@overlays
def test_what_we_run_is_locked_in(overlay: Path) -> None:
    for manifest, spec in ours(overlay):
        assert spec["automountServiceAccountToken"] is False, manifest["metadata"]["name"]
        has_rights = manifest["metadata"]["name"] == "sweep" and manifest["kind"] == "Service"
        assert spec["serviceAccountName"] == ("audiolift-sweep" if has_rights else "audiolift-function")
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "runAsNonRoot": True,
                # Both: kubelet hands on the user of an image without its group, and group 0 would be what is left.
                "runAsUser": 65532,
                "runAsGroup": 65532,
                "readOnlyRootFilesystem": True,
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            }
            for bound in ("requests", "limits"):
                assert set(container["resources"][bound]) == {"cpu", "memory", "ephemeral-storage"}


@overlays
def test_no_container_is_privileged_or_has_a_token(overlay: Path) -> None:
    for manifest, spec in pod_specs(overlay):
        assert spec["automountServiceAccountToken"] is False, manifest["metadata"]["name"]
        for container in spec["containers"]:
            context = {**spec.get("securityContext", {}), **container["securityContext"]}
            assert context["runAsNonRoot"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}


@overlays
def test_sweep_may_list_pods_in_its_namespace_and_nobody_has_another_right(overlay: Path) -> None:
    rights = [each for each in objects(overlay) if each["apiVersion"].startswith("rbac.authorization.k8s.io/")]
    role, binding = sorted(rights, key=lambda each: str(each["kind"]))
    assert (role["kind"], binding["kind"]) == ("Role", "RoleBinding")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    space = rendered(overlay).namespace
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "audiolift-sweep", "namespace": space}]
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == space
    accounts = {each["metadata"]["name"]: each["automountServiceAccountToken"] for each in kinds(overlay, ACCOUNT)}
    assert accounts == {"audiolift-function": False, "audiolift-sweep": False}


@overlays
def test_sweep_asks_with_its_own_token_where_its_role_is(overlay: Path) -> None:
    from functions.sweep.pods import CREDENTIALS

    specs = {manifest["metadata"]["name"]: spec for manifest, spec in ours(overlay)}
    with_token = {name for name, spec in specs.items() for each in spec["volumes"] if "projected" in each}
    assert with_token == {"sweep"}
    (token,) = [each for each in specs["sweep"]["volumes"] if "projected" in each]
    (mount,) = [each for each in specs["sweep"]["containers"][0]["volumeMounts"] if each["name"] == token["name"]]
    assert mount["mountPath"] == str(CREDENTIALS)
    (url,) = [each.value for each in rendered(overlay).services["sweep"].container.env if each.name == "PODS_URL"]
    assert url == f"https://kubernetes.default.svc/api/v1/namespaces/{rendered(overlay).namespace}/pods"


@overlays
def test_only_what_may_be_written_to_is_a_volume_and_it_is_bounded(overlay: Path) -> None:
    for _, spec in ours(overlay):
        # What is projected is read-only.
        (volume,) = [each for each in spec["volumes"] if "projected" not in each]
        assert set(volume["emptyDir"]) == {"sizeLimit"}
        mounts = {each["name"]: each["mountPath"] for each in spec["containers"][0]["volumeMounts"]}
        assert mounts[volume["name"]] == "/tmp"


@overlays
def test_convert_has_room_for_the_largest_mp3_and_its_zip(overlay: Path) -> None:
    spec = next(spec for manifest, spec in ours(overlay) if manifest["metadata"]["name"] == "convert")
    (size,) = [each["emptyDir"]["sizeLimit"] for each in spec["volumes"]]
    assert size == spec["containers"][0]["resources"]["limits"]["ephemeral-storage"]
    assert int(size.removesuffix("Gi")) * 1024**3 > 2 * setting(rendered(overlay), "convert", "MAX_AUDIO_BYTES")


@overlays
def test_each_service_has_probes_bounds_and_a_port(overlay: Path) -> None:
    for service in kinds(overlay, "Service.serving.knative.dev"):
        template = service["spec"]["template"]
        (container,) = template["spec"]["containers"]
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        # By no name: h2c would have Serving speak HTTP/2 to a server that does not.
        assert container["ports"] == [{"containerPort": 8080}]
        scale = {key.removeprefix("autoscaling.knative.dev/") for key in template["metadata"]["annotations"]}
        assert {"min-scale", "max-scale", "target-utilization-percentage", "scale-down-delay"} <= scale


@overlays
def test_a_function_that_is_busy_is_neither_restarted_nor_taken_out_of_turn(overlay: Path) -> None:
    for service in kinds(overlay, "Service.serving.knative.dev"):
        (container,) = service["spec"]["template"]["spec"]["containers"]
        live, ready = container["livenessProbe"], container["readinessProbe"]
        assert live["timeoutSeconds"] >= 10 * PATIENCE_SECONDS
        assert live["periodSeconds"] * live["failureThreshold"] >= 60
        # The answer that a store has not come back in time is itself in time.
        assert ready["timeoutSeconds"] >= 3 * PATIENCE_SECONDS
        assert ready["failureThreshold"] >= 3
        # Each of kubelet's probes asks once, and at most one in two of them a store.
        assert ready["periodSeconds"] >= FRESH_SECONDS


@overlays
def test_images_are_named_for_their_functions(overlay: Path) -> None:
    for manifest, spec in ours(overlay):
        (container,) = spec["containers"]
        name = re.split("[:@]", container["image"])[0]
        assert name.split("/")[-2:] == ["audiolift", manifest["metadata"]["name"]]


def test_the_port_is_that_of_the_setting_and_of_the_images() -> None:
    assert next(each.default for each in SETTINGS if each.name == "PORT") == 8080
    assert re.findall(r"^EXPOSE (\d+)$", (ROOT / "Dockerfile.base").read_text(), re.MULTILINE) == ["8080"]


@overlays
def test_times_fit_each_other_from_the_lease_to_rabbitmq(overlay: Path) -> None:
    """docs/architecture.md says why the lease is short, and not longer than a conversion."""
    cluster = rendered(overlay)
    lease, conversion = (setting(cluster, "convert", f"{name}_SECONDS") for name in ("LEASE", "CONVERT_TIMEOUT"))
    assert TICK_SECONDS * 10 <= lease < conversion
    assert conversion + GRACE_SECONDS < cluster.services["convert"].timeout
    assert setting(cluster, "upload", "FETCH_TIMEOUT_SECONDS") < cluster.services["upload"].timeout
    for trigger in cluster.triggers:
        assert trigger.delivery.timeout
        assert cluster.services[trigger.subscriber.name].timeout <= trigger.delivery.timeout


@overlays
def test_a_job_whose_pod_was_killed_waits_for_its_lease_and_no_longer(overlay: Path) -> None:
    cluster = rendered(overlay)
    lease = setting(cluster, "convert", "LEASE_SECONDS")
    retries = [
        each.delivery.wait_before(1) for each in cluster.triggers if each.subscriber.name in ("convert", "upload")
    ]
    assert len(retries) >= 2
    assert max(retries) <= lease <= LONGEST_WAIT_SECONDS - POD_START_SECONDS


@overlays
def test_rabbitmq_waits_for_all_that_a_dispatcher_has_taken(overlay: Path) -> None:
    (rabbitmq,) = kinds(overlay, "RabbitmqCluster.rabbitmq.com")
    settings = dict(re.findall(r"^(\w+) = (\d+)$", rabbitmq["spec"]["rabbitmq"]["additionalConfig"], re.MULTILINE))
    for trigger in rendered(overlay).triggers:
        delivery = trigger.delivery
        assert delivery.timeout
        waits = sum(delivery.wait_before(retry) for retry in range(1, delivery.retry + 1))
        longest = (delivery.retry + 1) * delivery.timeout + waits
        assert ceil(PREFETCH / trigger.parallelism) * longest * 1000 < int(settings["consumer_timeout"])


@in_cluster
def test_sweep_takes_the_dead_letters_of_all_triggers_at_once_and_operators_have_a_pod_beside(overlay: Path) -> None:
    """RabbitMQ's dispatcher drops what its dead-letter sink refuses."""
    cluster = rendered(overlay)
    sweep = cluster.services["sweep"]
    sources = [source for source in cluster.rabbitmq_sources if source.sink.name == "sweep"]
    assert sources
    at_once = [trigger.parallelism for trigger in cluster.triggers] + [source.parallelism for source in sources]
    assert sum(at_once) <= (sweep.max_scale - 1) * sweep.concurrency


@pytest.mark.parametrize("name", ["upload", "convert", "notify"])
def test_a_subscriber_accepts_the_types_that_its_triggers_send_and_no_other(name: str, tmp_path: Path) -> None:
    sent = {each.attributes["type"] for each in rendered(OVERLAYS[0]).triggers if each.subscriber.name == name}
    assert sent
    assert accepted(name, tmp_path) == sent


def accepted(function: str, directory: Path) -> set[str]:
    """The types, of the catalogue and of Knative's RabbitmqSource, that a function does not refuse."""
    code = f"""
import json, pathlib
from events.catalogue import CATALOGUE, FROM_RABBITMQ
from tests import asgi
app = asgi.app_of({function!r})
structured = {{"Content-Type": "application/cloudevents+json"}}
events = [json.loads(pathlib.Path("events/examples", each.TYPE + ".json").read_text()) for each in CATALOGUE]
events.append({{**events[0], "type": FROM_RABBITMQ}})
for event in events:
    answer = asgi.call(app, "POST", "/", structured, json.dumps(event).encode())
    if b"not handled here" not in answer.body:
        print(event["type"])
"""
    stores = {"DATABASE_URL": f"sqlite:///{directory / 'rows.db'}", "BLOBS_URL": f"file:{directory / 'blobs'}"}
    environment = {**os.environ, **stores}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_sweep_knows_the_ticks_of_the_ping_source() -> None:
    from functions.sweep.main import TICK

    (ping,) = rendered(OVERLAYS[0]).ping_sources
    assert (ping.sink.name, TICK) == ("sweep", "dev.knative.sources.ping")


def test_the_event_types_are_those_of_the_catalogue() -> None:
    found = {each["spec"]["type"]: each["spec"] for each in kinds(OVERLAYS[0], "EventType.eventing.knative.dev")}
    assert set(found) == {*(each.TYPE for each in CATALOGUE), FROM_RABBITMQ}
    assert found[FROM_RABBITMQ]["schema"] == dataschema(VideoSubmitted)
    for each in CATALOGUE:
        spec = found[each.TYPE]
        assert (spec["schema"], spec["description"]) == (dataschema(each), each.__doc__)
        assert spec["reference"]["name"] in rendered(OVERLAYS[0]).brokers
        # Others emit video.submitted too, with sources of their own.
        assert spec.get("source", each.SOURCE) == each.SOURCE


@overlays
def test_every_secret_is_documented_and_none_is_filled(overlay: Path) -> None:
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    found = secret_keys(objects(overlay))
    assert found
    for (_, name), keys in found.items():
        assert f"`{name}`" in text
        assert [key for key in keys if f"`{key}`" not in text] == []
    assert list(kinds(overlay, "Secret")) == []


def test_the_secrets_for_trying_out_are_those_that_kind_needs() -> None:
    made = credentials.made()
    for (_, name), keys in secret_keys(objects(ROOT / "knative/overlays/kind")).items():
        assert keys <= set(made[name])
    assert made["audiolift-stores"] != credentials.made()["audiolift-stores"]


@overlays
def test_each_pod_may_reach_what_its_environment_names_and_nothing_else(overlay: Path) -> None:
    cluster = rendered(overlay)
    for name, service in cluster.services.items():
        keys = {env.value.key for env in service.container.env if isinstance(env.value, KeyRef)}
        emits, calls = name in cluster.sinks, any(env.name == "LOGIN_URL" for env in service.container.env)
        assert reach(overlay, {"serving.knative.dev/service": name}) == {
            "dns",
            "collector",
            *(["rows"] if "database-url" in keys else []),
            *(["files"] if keys & {"blobs-url", "limits-url"} else []),
            *(["mail"] if "smtp-url" in keys else []),
            *(["broker"] if emits else []),
            *(["functions"] if calls else []),
            *(["internet"] if name in ("notify", "upload") else []),
            *(["kubernetes"] if any(env.name == "PODS_URL" for env in service.container.env) else []),
        }
    assert reach(overlay, {"app.kubernetes.io/name": "migrate"}) == {"dns", "rows"}


@overlays
def test_only_the_gateway_and_dispatchers_reach_functions(overlay: Path) -> None:
    allowed = [each for each in kinds(overlay, POLICY) if each["metadata"]["name"].endswith("-to-functions")]
    selectors = [each["spec"]["podSelector"] for each in allowed]
    assert {"matchLabels": {"serving.knative.dev/service": "gateway"}} in selectors
    assert len(selectors) == 3
    dead = {"eventing.knative.dev/source": "rabbitmq-source-controller"}
    dead["eventing.knative.dev/SourceName"] = "video-submitted-dead"
    assert {"matchLabels": dead} in selectors
    for role in ("dispatcher", "dispatcher-dlq"):
        assert reach(overlay, {"eventing.knative.dev/brokerRole": role}) == {"dns", "functions", "rabbitmq"}


@overlays
def test_a_source_reaches_its_sink_and_rabbitmq(overlay: Path) -> None:
    for source in rendered(overlay).rabbitmq_sources:
        labels = {"eventing.knative.dev/source": "rabbitmq-source-controller"}
        labels["eventing.knative.dev/SourceName"] = source.name
        sink = "broker" if source.sink.kind == "Broker" else "functions"
        assert reach(overlay, labels) >= {"dns", "rabbitmq", sink}
        assert ("functions" in reach(overlay, labels)) == (sink == "functions")


@overlays
def test_what_no_policy_names_is_closed(overlay: Path) -> None:
    (deny,) = [each for each in kinds(overlay, POLICY) if each["metadata"]["name"] == "default-deny"]
    assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert reach(overlay, {"anything": "else"}) == {"dns"}


POLICY = "NetworkPolicy.networking.k8s.io"
ACCOUNT = "ServiceAccount"
PLACES = {
    frozenset({53}): "dns",
    frozenset({3306}): "rows",
    frozenset({27017}): "files",
    frozenset({25, 465, 587}): "mail",
    frozenset({1025}): "mail",
    frozenset({8080}): "broker",
    frozenset({4318}): "collector",
    frozenset({8081, 8444}): "functions",
    frozenset({80, 443}): "internet",
    frozenset({443, 6443}): "kubernetes",
    frozenset({5671, 5672}): "rabbitmq",
}


def reach(overlay: Path, labels: dict[str, str]) -> set[str]:
    """What the policies let a pod with these labels talk to."""
    rules = (
        rule
        for policy in kinds(overlay, POLICY)
        if selects(policy["spec"]["podSelector"], labels)
        for rule in policy["spec"].get("egress", ())
    )
    return {PLACES[frozenset(port["port"] for port in rule["ports"])] for rule in rules}


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a label selector of Kubernetes chooses what has these labels."""
    equal = selector.get("matchLabels", {}).items() <= labels.items()
    return equal and all(
        each["key"] in labels and (each["operator"] == "Exists" or labels[each["key"]] in each["values"])
        for each in selector.get("matchExpressions", ())
    )


@overlays
def test_every_kind_has_its_turn(overlay: Path) -> None:
    found = objects(overlay)
    assert sum(len(stage.objects) for stage in stages(found)) == len(found)


def test_a_kind_without_a_turn_is_noticed() -> None:
    gadget = {"apiVersion": "example.org/v1", "kind": "Gadget", "metadata": {"name": "one"}}
    with pytest.raises(RolloutError, match=r"Gadget\.example\.org"):
        stages([gadget])


@in_cluster
def test_each_stage_waits_for_the_one_before(overlay: Path) -> None:
    said = [" ".join(command.argv) + command.stdin for command in there(objects(overlay))]
    first = [
        next(number for number, text in enumerate(said) if words in text)
        for words in (
            "kind: Namespace",
            "kind: RabbitmqCluster",
            "wait RabbitmqCluster",
            "kind: Broker\n",
            "wait Broker",
            "kind: SinkBinding",
            "delete Job.batch migrate",
            "kind: Job\n",
            "wait Job.batch/migrate",
            "containerConcurrency",
            "wait Service.serving.knative.dev/convert",
            "kind: Trigger",
            "wait Trigger",
            "kind: RabbitmqSource",
        )
    ]
    assert first == sorted(first)


@pytest.mark.parametrize("overlay", [ROOT / "knative/overlays/production", *CLOUDS], ids=lambda path: path.name)
def test_production_is_not_deployed_before_it_is_filled_in(overlay: Path) -> None:
    left = placeholders(objects(overlay))
    names = {"registry.example.com", "audiolift.example.com", "audiolift@example.com"}
    assert left == {*names, "192.0.2.0/24", f"sha256:{'0' * 64}"}
    assert placeholders(objects(ROOT / "knative/overlays/kind")) == set()


@pytest.mark.parametrize(
    ("overlay", "message"),
    [("production", "set these in the overlay first: 192.0.2.0/24, "), ("staging", "staging is neither in ")],
)
def test_what_cannot_be_deployed_is_said_before_the_cluster_is_asked(overlay: str, message: str) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("NOT CHECKED: kubectl is not installed")
    command = [sys.executable, "-m", "knative.deploy", overlay]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"audiolift: {message}")


def test_without_kubectl_nothing_is_deployed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "knative.deploy", "kind"]
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr[:34]) == (1, "audiolift: kubectl is not on PATH;")


@in_cluster
def test_what_is_taken_away_goes_in_reverse_and_leaves_the_namespace(overlay: Path) -> None:
    said = [command.argv for command in away(objects(overlay))]
    gone = [argv[2:4] for argv in said if argv[1] == "delete"]
    assert ("Namespace", "audiolift") not in gone
    assert len(gone) == len(objects(overlay)) - 1
    assert gone.index(("RabbitmqSource.sources.knative.dev", "video-submitted")) < gone.index(
        ("Trigger.eventing.knative.dev", "video-submitted")
    )
    assert gone.index(("Trigger.eventing.knative.dev", "video-uploaded")) < gone.index(
        ("Service.serving.knative.dev", "convert")
    )


@pytest.mark.parametrize("overlay", CLOUDS, ids=lambda path: path.name)
def test_a_cloud_differs_from_production_in_its_disks_alone(overlay: Path) -> None:
    (rabbitmq,) = kinds(overlay, "RabbitmqCluster.rabbitmq.com")
    assert rabbitmq["spec"]["persistence"]["storage"] == "20Gi"
    chosen = rabbitmq["spec"]["persistence"]["storageClassName"]
    page = (ROOT / "docs" / "clouds.md").read_text(encoding="utf-8")
    assert f"`{chosen}`" in page
    others = [each for each in objects(overlay) if each != rabbitmq]
    assert [each for each in others if each not in objects(ROOT / "knative/overlays/production")] == []
    assert len(others) == len(objects(ROOT / "knative/overlays/production")) - 1


@pytest.mark.parametrize("overlay", [ROOT / "knative/overlays/production", *CLOUDS], ids=lambda path: path.name)
def test_production_pins_every_image_by_digest(overlay: Path) -> None:
    for _, spec in ours(overlay):
        assert re.fullmatch(r"[\w./-]+@sha256:[0-9a-f]{64}", spec["containers"][0]["image"])


def test_the_local_runner_ignores_only_what_it_lists() -> None:
    found = objects(OVERLAYS[0])
    with pytest.raises(ManifestError, match="does not know this kind"):
        manifests.read([*found, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}}])
