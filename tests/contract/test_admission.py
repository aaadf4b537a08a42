"""What Knative's webhooks refuse beyond their schemas, with every feature flag as it is by default.

Read from their sources at the versions of docs/deploy.md: knative/serving pkg/apis/serving (k8s_validation.go,
fieldmask.go) and pkg/apis/autoscaling; knative/eventing pkg/apis; knative-extensions/eventing-rabbitmq pkg/apis.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter  # type: ignore[import-untyped]

from knative.local import kustomize
from knative.local.durations import go_duration, iso_duration
from knative.local.kustomize import Manifest

ROOT = Path(__file__).parents[2]
OVERLAYS = [ROOT / "knative" / "base", *sorted((ROOT / "knative" / "overlays").iterdir())]
overlays = pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)

SCALE = "autoscaling.knative.dev/"
REVISION = {"containerConcurrency", "timeoutSeconds", "responseStartTimeoutSeconds"}
POD = {"serviceAccountName", "containers", "volumes", "imagePullSecrets", "enableServiceLinks"}
POD |= {"automountServiceAccountToken"}  # only false
CONTAINER = {
    "name",
    "image",
    "command",
    "args",
    "env",
    "envFrom",
    "workingDir",
    "imagePullPolicy",
    "ports",
    "resources",
}
CONTAINER |= {"livenessProbe", "readinessProbe", "startupProbe", "securityContext", "volumeMounts"}
SECURITY = {"capabilities", "readOnlyRootFilesystem", "runAsUser", "runAsGroup", "runAsNonRoot", "seccompProfile"}
SECURITY |= {"allowPrivilegeEscalation"}
RESERVED_VARIABLES = {"PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION"}
# queue-proxy's: requests, HTTP/2, TLS, administration, metrics (of the autoscaler, of users), profiling.
RESERVED_PORTS = {8012, 8013, 8112, 8022, 9090, 9091, 8008}
PROBES = {"httpGet", "tcpSocket", "exec", "grpc"}
MAX_SECONDS, MAX_AT_ONCE = 600, 1000
WINDOW = 3600


def kinds(overlay: Path, kind: str) -> Iterator[Manifest]:
    """The objects of one of Knative's kinds."""
    found = (each for each in kustomize.render(overlay) if each["kind"] == kind)
    return (each for each in found if "knative.dev" in each["apiVersion"])


def revisions(overlay: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The spec of each Service's template, and of its container."""
    for service in kinds(overlay, "Service"):
        spec = service["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        yield spec, container


@overlays
def test_scale_is_within_bounds_and_said_of_the_template(overlay: Path) -> None:
    for service in kinds(overlay, "Service"):
        assert not any(key.startswith(SCALE) for key in service["metadata"].get("annotations", ()))
        notes = service["spec"]["template"]["metadata"]["annotations"]
        scale = {key.removeprefix(SCALE): value for key, value in notes.items()}
        assert set(scale) <= {
            *("min-scale", "max-scale", "target-utilization-percentage", "target-burst-capacity", "scale-down-delay")
        }
        assert 0 <= int(scale["min-scale"]) <= int(scale["max-scale"])
        assert 1 <= float(scale["target-utilization-percentage"]) <= 100
        assert (burst := float(scale.get("target-burst-capacity", 0))) >= 0 or burst == -1
        delay = go_duration(scale["scale-down-delay"])
        assert 0 <= delay <= WINDOW
        assert delay == int(delay)


@overlays
def test_a_service_has_only_fields_that_need_no_feature_flag(overlay: Path) -> None:
    for spec, container in revisions(overlay):
        assert set(spec) <= REVISION | POD
        assert set(container) <= CONTAINER
        assert set(container["securityContext"]) <= SECURITY
        assert set(container["securityContext"]["capabilities"]) == {"drop"}
        assert spec.get("automountServiceAccountToken", False) is False
        assert container["name"] != "queue-proxy"


@overlays
def test_times_and_concurrency_are_within_what_a_cluster_allows(overlay: Path) -> None:
    for spec, _ in revisions(overlay):
        assert 0 < spec["responseStartTimeoutSeconds"] <= spec["timeoutSeconds"] <= MAX_SECONDS
        assert 0 < spec["containerConcurrency"] <= MAX_AT_ONCE


@overlays
def test_no_variable_or_port_is_one_of_servings_own(overlay: Path) -> None:
    for _, container in revisions(overlay):
        assert not RESERVED_VARIABLES & {each["name"] for each in container["env"]}
        for each in container["env"]:
            assert set(each.get("valueFrom", ())) <= {"configMapKeyRef", "secretKeyRef"}
        assert all(len(each) == 1 and set(each) <= {"configMapRef", "secretRef"} for each in container["envFrom"])
        (port,) = container["ports"]
        assert port["containerPort"] not in RESERVED_PORTS
        assert port.get("name", "") in ("", "http1", "h2c")
        assert set(port) <= {"containerPort", "name", "protocol"}


@overlays
def test_probes_ask_the_port_of_the_container(overlay: Path) -> None:
    for _, container in revisions(overlay):
        for probe in (container["livenessProbe"], container["readinessProbe"]):
            (handler,) = PROBES & set(probe)
            assert "port" not in probe[handler]
        # Without a period, queue-proxy asks every 50 ms by itself (pkg/queue/readiness).
        ready, live = container["readinessProbe"], container["livenessProbe"]
        assert min(ready[name] for name in ("periodSeconds", "timeoutSeconds", "failureThreshold")) >= 1
        assert ready["successThreshold"] >= 1
        assert live.get("successThreshold", 1) == 1


@overlays
def test_volumes_are_of_kinds_that_are_allowed_and_each_is_mounted_once(overlay: Path) -> None:
    for spec, container in revisions(overlay):
        for volume in spec["volumes"]:
            assert set(volume) - {"name"} <= {"emptyDir", "secret", "configMap", "projected"}
        mounts = container["volumeMounts"]
        written = {volume["name"] for volume in spec["volumes"] if "emptyDir" in volume}
        assert all(each["name"] in written or each["readOnly"] for each in mounts)
        assert sorted(each["name"] for each in mounts) == sorted(each["name"] for each in spec["volumes"])
        for path in (PurePosixPath(each["mountPath"]) for each in mounts):
            assert path.is_absolute()
            assert str(path) not in ("/", "/dev", "/dev/log")


@overlays
def test_the_broker_is_one_that_the_rabbitmq_webhook_takes(overlay: Path) -> None:
    for broker in kinds(overlay, "Broker"):
        assert broker["metadata"]["annotations"] == {"eventing.knative.dev/broker.class": "RabbitMQBroker"}
        config = broker["spec"]["config"]
        assert (config["apiVersion"], config["kind"]) == ("eventing.knative.dev/v1alpha1", "RabbitmqBrokerConfig")
        assert config["name"] in [each["metadata"]["name"] for each in kinds(overlay, "RabbitmqBrokerConfig")]
    for each in (*kinds(overlay, "RabbitmqBrokerConfig"), *kinds(overlay, "RabbitmqSource")):
        assert set(each["spec"]["rabbitmqClusterReference"]) == {"name"}


@overlays
def test_deliveries_and_filters_are_well_formed(overlay: Path) -> None:
    for trigger in kinds(overlay, "Trigger"):
        spec, delivery = trigger["spec"], trigger["spec"]["delivery"]
        assert 1 <= int(trigger["metadata"]["annotations"]["rabbitmq.eventing.knative.dev/parallelism"]) <= MAX_AT_ONCE
        # The RabbitMQ broker heeds nothing else: spec.filters would match every event.
        assert set(spec["filter"]) == {"attributes"}
        assert all(re.fullmatch("[a-z][a-z0-9]*", name) for name in spec["filter"]["attributes"])
        assert delivery["backoffPolicy"] in ("exponential", "linear")
        assert iso_duration(delivery["timeout"]) > 0
        assert iso_duration(delivery["backoffDelay"]) > 0
        assert delivery["retry"] >= 0
    for source in kinds(overlay, "RabbitmqSource"):
        resources = source["spec"]["rabbitmqResourcesConfig"]
        assert 1 <= resources["parallelism"] <= MAX_AT_ONCE
        assert resources.get("predeclared") or resources["exchangeName"]


@overlays
def test_the_tick_has_a_schedule_and_data_that_are_what_they_say(overlay: Path) -> None:
    for ping in kinds(overlay, "PingSource"):
        spec = ping["spec"]
        assert croniter.is_valid(spec["schedule"])
        assert "@every" not in spec["schedule"]
        assert ZoneInfo(spec["timezone"])
        assert spec["contentType"] == "application/json"
        assert isinstance(json.loads(spec["data"]), dict)


@overlays
def test_a_binding_finds_its_subjects_by_name_or_by_labels(overlay: Path) -> None:
    for binding in kinds(overlay, "SinkBinding"):
        assert len({"name", "selector"} & set(binding["spec"]["subject"])) == 1
