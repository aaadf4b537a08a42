"""In which order an overlay's objects go into a cluster, and what is waited for in between."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from knative.local import kustomize
from knative.local.errors import LocalError
from knative.local.kustomize import Manifest

__all__ = [
    "SERVICE",
    "STAGES",
    "Command",
    "RolloutError",
    "Stage",
    "apply",
    "in_cluster",
    "namespace",
    "objects",
    "resource",
    "stages",
    "values",
    "waits",
]

SERVICE = "Service.serving.knative.dev"
OVERLAYS = Path(__file__).parent / "overlays"


class RolloutError(LocalError):
    """The overlay cannot go into a cluster."""


@dataclass(frozen=True)
class Stage:
    """Objects that can go in together. `kinds`: Kind.group, as kubectl takes them."""

    purpose: str
    kinds: frozenset[str]
    objects: tuple[Manifest, ...] = ()


def _stage(purpose: str, *kinds: str) -> Stage:
    return Stage(purpose, frozenset(kinds))


STAGES = (
    _stage("The namespace, and what is above namespaces.", "Namespace", "PriorityClass.scheduling.k8s.io"),
    _stage(
        "Settings and rules.",
        "ConfigMap",
        "ServiceAccount",
        "Role.rbac.authorization.k8s.io",
        "RoleBinding.rbac.authorization.k8s.io",
        "NetworkPolicy.networking.k8s.io",
        "PodDisruptionBudget.policy",
        "ClusterDomainClaim.networking.internal.knative.dev",
    ),
    _stage("The stores.", "Service", "StatefulSet.apps", "Deployment.apps", "RabbitmqCluster.rabbitmq.com"),
    _stage(
        "The broker, and queues of our own.",
        "RabbitmqBrokerConfig.eventing.knative.dev",
        "Broker.eventing.knative.dev",
        *(f"{kind}.rabbitmq.com" for kind in ("Exchange", "Queue", "Binding", "Policy", "User", "Permission")),
    ),
    _stage("Before the Services, so that their first revision has K_SINK.", "SinkBinding.sources.knative.dev"),
    _stage("The tables, before what needs them.", "Job.batch"),
    _stage("The functions.", SERVICE),
    _stage(
        "What wakes them.",
        "Trigger.eventing.knative.dev",
        "EventType.eventing.knative.dev",
    ),
    _stage(
        "What brings events and requests in: after the Triggers, without which an event would be gone.",
        "PingSource.sources.knative.dev",
        "RabbitmqSource.sources.knative.dev",
        "DomainMapping.serving.knative.dev",
    ),
)
# Kind → the condition to wait for, and for how long at most.
_READY = {
    "RabbitmqCluster.rabbitmq.com": ("AllReplicasReady", "10m"),
    "Broker.eventing.knative.dev": ("Ready", "5m"),
    "Queue.rabbitmq.com": ("Ready", "2m"),
    "Policy.rabbitmq.com": ("Ready", "2m"),
    "Job.batch": ("Complete", "11m"),
    SERVICE: ("Ready", "10m"),
    "Trigger.eventing.knative.dev": ("Ready", "5m"),
    "PingSource.sources.knative.dev": ("Ready", "2m"),
    "RabbitmqSource.sources.knative.dev": ("Ready", "2m"),
    "DomainMapping.serving.knative.dev": ("Ready", "5m"),
}
_ROLLED_OUT = {"StatefulSet.apps", "Deployment.apps"}


@dataclass(frozen=True)
class Command:
    """A command line, with what it reads from stdin.

    `unless`: when this succeeds, the object is there already, and `instead` runs; () is for nothing at all.
    """

    argv: tuple[str, ...]
    stdin: str = ""
    unless: tuple[str, ...] = field(default=(), kw_only=True)
    instead: tuple[str, ...] = field(default=(), kw_only=True)

    def run(self) -> None:
        """Run it, with its output where ours goes. Raises: RolloutError."""
        if shutil.which(self.argv[0]) is None:
            raise RolloutError(f"{self.argv[0]} is not on PATH; docs/deploy.md lists what is needed")
        argv = self.argv
        if self.unless and subprocess.run(self.unless, capture_output=True, check=False).returncode == 0:
            argv = self.instead
        if argv and subprocess.run(argv, input=self.stdin, text=True, check=False).returncode:
            raise RolloutError(f"this failed, and nothing after it was done: {' '.join(argv)}")


def objects(overlay: str) -> list[Manifest]:
    """The objects of knative/overlays/`overlay` or of another directory: as kubectl renders them, if it is there.

    Raises: LocalError.
    """
    directory = OVERLAYS / overlay if (OVERLAYS / overlay).is_dir() else Path(overlay)
    if not directory.is_dir():
        raise RolloutError(f"{overlay} is neither in {OVERLAYS} nor a directory")
    if shutil.which("kubectl") is None:
        return kustomize.render(directory)
    rendered = subprocess.run(["kubectl", "kustomize", str(directory)], capture_output=True, text=True, check=False)
    if rendered.returncode:
        raise RolloutError(rendered.stderr.strip())
    return list(yaml.safe_load_all(rendered.stdout))


def in_cluster(kind: str, space: str, name: str) -> Manifest:
    """An object as it is in the cluster; {} when it is not there. Raises: RolloutError when kubectl gets no answer."""
    argv = ["kubectl", "get", kind, name, "--namespace", space, "--ignore-not-found", "--output", "json"]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise RolloutError(f"the cluster cannot be asked for the {kind} {name}: {answer.stderr.strip()}")
    found: Manifest = json.loads(answer.stdout) if answer.stdout.strip() else {}
    return found


def values(value: Any, key: str) -> Iterator[Any]:
    """What stands under `key`, anywhere in an object."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from [inner] if name == key else values(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from values(inner, key)


def stages(manifests: Sequence[Manifest]) -> list[Stage]:
    """The stages that have objects, with these. Raises: RolloutError for a kind that belongs to none."""
    if unknown := {resource(each) for each in manifests}.difference(*(stage.kinds for stage in STAGES)):
        raise RolloutError(f"knative/rollout.py does not say when {', '.join(sorted(unknown))} has its turn")
    filled = (replace(stage, objects=tuple(m for m in manifests if resource(m) in stage.kinds)) for stage in STAGES)
    return [stage for stage in filled if stage.objects]


def resource(manifest: Manifest) -> str:
    """The kind with its group, as kubectl takes it: Trigger.eventing.knative.dev."""
    group = manifest["apiVersion"].rpartition("/")[0]
    return f"{manifest['kind']}.{group}" if group else str(manifest["kind"])


def namespace(manifest: Manifest) -> tuple[str, ...]:
    """The flags that say in which namespace an object is; none for what is in none."""
    name = manifest["metadata"].get("namespace")
    return ("--namespace", name) if name else ()


def apply(manifests: Iterable[Manifest], *flags: str) -> Command:
    """What brings objects to the cluster."""
    return Command(("kubectl", "apply", *flags, "--filename", "-"), yaml.safe_dump_all(manifests, sort_keys=False))


def waits(stage: Stage) -> Iterator[Command]:
    """What has to be waited for before the next stage."""
    for manifest in stage.objects:
        kind = resource(manifest)
        name = f"{kind}/{manifest['metadata']['name']}"
        if kind in _ROLLED_OUT:
            yield Command(("kubectl", "rollout", "status", name, *namespace(manifest), "--timeout", "10m"))
        elif kind in _READY:
            condition, patience = _READY[kind]
            flags = (f"--for=condition={condition}", f"--timeout={patience}")
            yield Command(("kubectl", "wait", name, *namespace(manifest), *flags))
