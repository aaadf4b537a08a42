"""Reads the rendered objects once, at the start, and checks that they fit each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from knative.local import messaging, workloads
from knative.local.cluster import (
    Broker,
    Cluster,
    Container,
    DeliverySpec,
    Job,
    KeyRef,
    PingSource,
    RabbitmqSource,
    Sink,
    Trigger,
)
from knative.local.durations import iso_duration
from knative.local.errors import ManifestError
from knative.local.kustomize import Manifest

__all__ = ["read"]

_PARALLELISM = "rabbitmq.eventing.knative.dev/parallelism"
# Objects that say something only to a real cluster, as group/kind.
_WITHOUT_EFFECT = {
    "/Namespace",
    "/Service",
    "/ServiceAccount",
    "apps/Deployment",
    "apps/StatefulSet",
    "eventing.knative.dev/EventType",
    "networking.internal.knative.dev/ClusterDomainClaim",
    "networking.k8s.io/NetworkPolicy",
    "policy/PodDisruptionBudget",
    "rbac.authorization.k8s.io/Role",
    "rbac.authorization.k8s.io/RoleBinding",
    "rabbitmq.com/Permission",
    "rabbitmq.com/RabbitmqCluster",
    "rabbitmq.com/User",
    "scheduling.k8s.io/PriorityClass",
    "serving.knative.dev/DomainMapping",
}


def read(objects: Iterable[Manifest]) -> Cluster:
    """The cluster that the objects describe. Raises: ManifestError, naming the object and what is wrong with it."""
    found: dict[str, list[Any]] = {kind: [] for kind in _READERS}
    namespaces = set()
    for manifest in objects:
        kind, metadata = manifest["kind"], manifest["metadata"]
        if f"{manifest['apiVersion'].rpartition('/')[0]}/{kind}" in _WITHOUT_EFFECT:
            continue
        namespaces.add(metadata.get("namespace", "default"))
        if kind not in _READERS:
            raise ManifestError(f"{kind} {metadata['name']}: the local runner does not know this kind of object")
        found[kind].append(_read_one(manifest))
    if len(namespaces) != 1:
        raise ManifestError(f"the objects must be in one namespace, not in {', '.join(sorted(namespaces)) or 'none'}")
    return _checked(_assemble(namespaces.pop(), found))


def _read_one(manifest: Manifest) -> Any:
    try:
        return _READERS[manifest["kind"]](manifest)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise ManifestError(f"{manifest['kind']} {manifest['metadata']['name']}: {reason}") from error


def _assemble(namespace: str, found: Mapping[str, list[Any]]) -> Cluster:
    services = {service.name: service for service in found["Service"]}
    brokers = {broker.name: broker for broker in _brokers(found)}
    return Cluster(
        namespace=namespace,
        services=services,
        brokers=brokers,
        triggers=tuple(_inheriting(trigger, brokers.get(trigger.broker)) for trigger in found["Trigger"]),
        ping_sources=tuple(found["PingSource"]),
        rabbitmq_sources=tuple(found["RabbitmqSource"]),
        topology=tuple(each for kind in messaging.READERS for each in found[kind]),
        policies=tuple(found["Policy"]),
        sinks={
            service.name: sink
            for service in services.values()
            for selector, sink in found["SinkBinding"]
            if selector.items() <= service.labels.items()
        },
        jobs=tuple(found["Job"]),
        config_maps=dict(found["ConfigMap"]),
    )


def _brokers(found: Mapping[str, list[Any]]) -> Iterable[Broker]:
    """The Brokers, with the type of queue that their RabbitmqBrokerConfig says; classic ones without."""
    types = dict(found["RabbitmqBrokerConfig"])
    for broker, (kind, name) in found["Broker"]:
        yield replace(broker, queue_type=types[name] if kind == "RabbitmqBrokerConfig" and name in types else "classic")


def _inheriting(trigger: Trigger, broker: Broker | None) -> Trigger:
    """A Trigger without a delivery has that of its Broker, and its dead letters too."""
    if trigger.inherits and broker and broker.delivery:
        return replace(trigger, delivery=broker.delivery)
    return replace(trigger, inherits=False)


def _checked(cluster: Cluster) -> Cluster:
    """The same cluster, when all that it refers to is there."""
    for trigger in cluster.triggers:
        what = f"Trigger {trigger.name}"
        _exists(cluster, Sink("Broker", trigger.broker), what)
        _exists(cluster, trigger.subscriber, what)
        if trigger.delivery.dead_letter_sink:
            _exists(cluster, trigger.delivery.dead_letter_sink, what)
    for ping in cluster.ping_sources:
        _exists(cluster, ping.sink, f"PingSource {ping.name}")
    for source in cluster.rabbitmq_sources:
        _exists(cluster, source.sink, f"RabbitmqSource {source.name}")
    for name, sink in cluster.sinks.items():
        _exists(cluster, sink, f"the SinkBinding of {name}")
    for container in cluster.containers():
        _check_config(cluster, container)
    return cluster


def _exists(cluster: Cluster, sink: Sink, what: str) -> None:
    names: Iterable[str] = cluster.services if sink.kind == "Service" else cluster.brokers
    if sink.name not in names:
        raise ManifestError(f"{what} names the {sink.kind} {sink.name}, which the overlay does not have")


def _check_config(cluster: Cluster, container: Container) -> None:
    keys = [env.value for env in container.env if isinstance(env.value, KeyRef) and env.value.kind == "ConfigMap"]
    missing = [name for name in container.config_maps if name not in cluster.config_maps]
    missing += [f"{ref.name}/{ref.key}" for ref in keys if ref.key not in cluster.config_maps.get(ref.name, {})]
    if missing:
        raise ManifestError(f"{' '.join(container.command)} needs the ConfigMap {missing[0]}, which is not there")


def _sink(destination: Mapping[str, Any]) -> Sink:
    ref = destination["ref"]
    if ref["kind"] not in ("Service", "Broker"):
        raise ValueError(f"a sink must be a Service or a Broker, not a {ref['kind']}")
    return Sink(ref["kind"], ref["name"])


def _broker(manifest: Manifest) -> tuple[Broker, tuple[str, str]]:
    spec, metadata = manifest.get("spec", {}), manifest["metadata"]
    config = spec.get("config", {})
    delivery = _delivery(spec["delivery"]) if "delivery" in spec else None
    broker = Broker(metadata["name"], metadata.get("uid", ""), delivery=delivery)
    return broker, (config.get("kind", ""), config.get("name", ""))


def _trigger(manifest: Manifest) -> Trigger:
    spec = manifest["spec"]
    if "filters" in spec:
        raise ValueError("spec.filters is ignored by the RabbitMQ broker, and would match every event: use spec.filter")
    return Trigger(
        name=manifest["metadata"]["name"],
        broker=spec["broker"],
        attributes=spec.get("filter", {}).get("attributes", {}),
        subscriber=_sink(spec["subscriber"]),
        delivery=_delivery(spec["delivery"]) if "delivery" in spec else DeliverySpec(),
        parallelism=int(manifest["metadata"].get("annotations", {}).get(_PARALLELISM, 1)),
        uid=manifest["metadata"].get("uid", ""),
        inherits="delivery" not in spec,
    )


def _delivery(spec: Mapping[str, Any]) -> DeliverySpec:
    """Defaults are those of the RabbitMQ broker's dispatcher: 5 retries and 50 ms, and no timeout."""
    return DeliverySpec(
        retry=int(spec.get("retry", 5)),
        exponential=spec.get("backoffPolicy", "exponential") == "exponential",
        backoff=iso_duration(spec.get("backoffDelay", "PT0.05S")),
        timeout=iso_duration(spec["timeout"]) if "timeout" in spec else None,
        dead_letter_sink=_sink(spec["deadLetterSink"]) if "deadLetterSink" in spec else None,
    )


def _ping_source(manifest: Manifest) -> PingSource:
    spec = manifest["spec"]
    return PingSource(
        name=manifest["metadata"]["name"],
        schedule=spec["schedule"],
        timezone=spec.get("timezone", "UTC"),
        content_type=spec.get("contentType", ""),
        data=spec.get("data", "").encode(),
        sink=_sink(spec["sink"]),
    )


def _rabbitmq_source(manifest: Manifest) -> RabbitmqSource:
    spec = manifest["spec"]
    resources = spec["rabbitmqResourcesConfig"]
    if not resources.get("predeclared"):
        raise ValueError("predeclared must be true: what a source declares itself has no dead-letter exchange")
    return RabbitmqSource(
        name=manifest["metadata"]["name"],
        queue=resources["queueName"],
        parallelism=int(resources.get("parallelism", 1)),
        delivery=_delivery(spec.get("delivery", {"retry": 0})),
        sink=_sink(spec["sink"]),
    )


def _sink_binding(manifest: Manifest) -> tuple[Mapping[str, str], Sink]:
    subject = manifest["spec"]["subject"]
    if subject["kind"] != "Service" or set(subject["selector"]) != {"matchLabels"}:
        raise ValueError("the subject must be Services, chosen by matchLabels")
    return subject["selector"]["matchLabels"], _sink(manifest["spec"]["sink"])


def _job(manifest: Manifest) -> Job:
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    deadline = float(manifest["spec"].get("activeDeadlineSeconds", 600))
    return Job(manifest["metadata"]["name"], workloads.container(container), deadline)


_READERS: dict[str, Callable[[Manifest], Any]] = {
    "Service": workloads.service,
    "Broker": _broker,
    "RabbitmqBrokerConfig": lambda manifest: (
        manifest["metadata"]["name"],
        manifest["spec"].get("queueType", "quorum"),
    ),
    "RabbitmqSource": _rabbitmq_source,
    **messaging.READERS,
    "Policy": messaging.policy,
    "Trigger": _trigger,
    "PingSource": _ping_source,
    "SinkBinding": _sink_binding,
    "Job": _job,
    "ConfigMap": lambda manifest: (manifest["metadata"]["name"], manifest.get("data", {})),
}
