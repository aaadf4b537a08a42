"""What an overlay can need at most, or asks for, added up from its manifests: connections and processors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from functions.gateway.limits.counters import CONNECTIONS as LIMITS
from functions.shared.blobs.gridfs import POOL
from functions.shared.database import CHECKING_CONNECTIONS, CONNECTIONS
from knative.local.kustomize import Manifest
from knative.rollout import SERVICE, resource, values

__all__ = ["MIGRATION", "OPERATOR", "ROLLOUT", "Demand", "demands", "millicores", "needed"]

# Old and new revision of every function stand side by side for a while.
ROLLOUT = 2
MIGRATION = 1
# A backup, a replay, and somebody who looks what is wrong.
OPERATOR = 10
# pymongo's two that watch each server.
WATCHING = 2
# What Knative asks for beside what a manifest says (serving pkg/deployment, eventing-rabbitmq pkg/reconciler), in
# thousandths of a core: queue-proxy in each pod; for each Trigger a dispatcher and one for its dead letters; for each
# Broker an ingress, for each source an adapter.
_QUEUE_PROXY, _EVENTING = 25, {"Trigger": 2 * 50, "Broker": 50, "RabbitmqSource": 50}
_RABBITMQ = "RabbitmqCluster"


@dataclass(frozen=True)
class Demand:
    """What one function can need: pods at most, and connections of all of them to MySQL and to each MongoDB server."""

    function: str
    pods: int
    rows: int
    files: int


def demands(manifests: Sequence[Manifest]) -> list[Demand]:
    """Of each function that has rows or files, in one revision."""
    found = [_demand(each) for each in manifests if resource(each) == SERVICE]
    return [each for each in found if each.rows or each.files]


def needed(found: Sequence[Demand]) -> tuple[int, int]:
    """Connections that MySQL, and each server of MongoDB, have to allow: during a rollout, with somebody looking on."""
    rows, files = (ROLLOUT * sum(numbers) for numbers in zip(*((each.rows, each.files) for each in found), strict=True))
    return rows + MIGRATION + OPERATOR, files + OPERATOR


def millicores(manifests: Sequence[Manifest]) -> dict[str, int]:
    """Thousandths of a core that the overlay asks for while one pod of everything runs."""
    functions = sum(_asked(each) + _QUEUE_PROXY for each in manifests if resource(each) == SERVICE)
    eventing = sum(_EVENTING.get(each["kind"], 0) for each in manifests)
    stores = sum(_asked(each) for each in manifests if each["kind"] in ("StatefulSet", "Deployment"))
    nodes = sum(
        _cpu(each["spec"]) * each["spec"]["replicas"] for each in manifests if each["kind"] == "RabbitmqCluster"
    )
    return {"functions": functions, "broker and source": eventing, "stores": stores + nodes}


def _demand(service: Manifest) -> Demand:
    template = service["spec"]["template"]
    pods = int(template["metadata"]["annotations"]["autoscaling.knative.dev/max-scale"])
    keys = {reference["key"] for reference in values(template, "secretKeyRef")}
    rows = pods * (CONNECTIONS + CHECKING_CONNECTIONS) if "database-url" in keys else 0
    files = pods * (POOL["maxPoolSize"] + WATCHING) if "blobs-url" in keys else 0
    files += pods * (LIMITS + WATCHING) if "limits-url" in keys else 0
    return Demand(service["metadata"]["name"], pods, rows, files)


def _asked(manifest: Manifest) -> int:
    return sum(_cpu(container) for container in manifest["spec"]["template"]["spec"]["containers"])


def _cpu(holder: dict[str, Any]) -> int:
    text = str(holder["resources"]["requests"]["cpu"])
    return int(text.removesuffix("m")) if text.endswith("m") else round(float(text) * 1000)
