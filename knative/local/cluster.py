"""What the rendered objects say, as frozen dataclasses. `manifests` reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "API_HOST",
    "Binding",
    "Broker",
    "Cluster",
    "Container",
    "DeliverySpec",
    "EnvVar",
    "Exchange",
    "Job",
    "KeyRef",
    "PingSource",
    "Policy",
    "Probe",
    "Queue",
    "RabbitmqSource",
    "Service",
    "Sink",
    "Trigger",
]


# The first part of the host name of the Kubernetes API.
API_HOST = "kubernetes"


@dataclass(frozen=True)
class KeyRef:
    """One key of a Secret or of a ConfigMap."""

    kind: str
    name: str
    key: str


@dataclass(frozen=True)
class EnvVar:
    """One environment variable of a container: a value, or where it comes from."""

    name: str
    value: str | KeyRef


@dataclass(frozen=True)
class Container:
    """What is started: a command line, and its environment (`config_maps` come in whole, `env` wins over them)."""

    command: tuple[str, ...]
    env: tuple[EnvVar, ...]
    config_maps: tuple[str, ...]


@dataclass(frozen=True)
class Probe:
    """How a process is asked whether it is ready, or alive: GET `path`, or only a connection when that is None.

    Times in seconds. A `period` of 0, which only readiness can have, leaves the rhythm to queue-proxy. `failures` and
    `successes` in a row turn the verdict.
    """

    path: str | None
    delay: float
    period: float
    timeout: float
    failures: int
    successes: int


@dataclass(frozen=True)
class Service:
    """A Knative Service. Times in seconds; `concurrency` is what one process takes at a time.

    An answer takes `timeout` at most, begins within `response_start_timeout`, and pauses no longer than `idle_timeout`
    (None: as long as it likes).
    """

    name: str
    labels: Mapping[str, str]
    container: Container
    readiness: Probe
    liveness: Probe | None
    concurrency: int
    timeout: float
    response_start_timeout: float
    idle_timeout: float | None
    min_scale: int
    max_scale: int
    idle_seconds: float


@dataclass(frozen=True)
class Sink:
    """Where events go: a Service or a Broker."""

    kind: str
    name: str


@dataclass(frozen=True)
class DeliverySpec:
    """How often, and how long apart in seconds, a delivery is tried; `timeout` is for one attempt, None for none."""

    retry: int = 0
    exponential: bool = True
    backoff: float = 0.05
    timeout: float | None = None
    dead_letter_sink: Sink | None = None

    def wait_before(self, retry: int) -> float:
        """Seconds to wait before the retry with this number, counted from 1."""
        return self.backoff * (2.0**retry if self.exponential else retry)


@dataclass(frozen=True)
class Broker:
    """A Broker. `delivery` is for the Triggers that have none; `uid` is "" outside a cluster."""

    name: str
    uid: str = ""
    queue_type: str = "quorum"
    delivery: DeliverySpec | None = None


@dataclass(frozen=True)
class Trigger:
    """Which events (all `attributes` are equal) go to which subscriber, `parallelism` at a time.

    `inherits`: its delivery is that of its Broker.
    """

    name: str
    broker: str
    attributes: Mapping[str, str]
    subscriber: Sink
    delivery: DeliverySpec
    parallelism: int
    uid: str = ""
    inherits: bool = False


@dataclass(frozen=True)
class RabbitmqSource:
    """A queue whose messages go to a sink as events, `parallelism` at a time."""

    name: str
    queue: str
    parallelism: int
    delivery: DeliverySpec
    sink: Sink


@dataclass(frozen=True)
class Exchange:
    """An exchange of RabbitMQ, durable; `kind` is headers, topic, direct or fanout."""

    name: str
    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Queue:
    """A queue of RabbitMQ, durable, with its optional arguments (x-queue-type and others)."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Binding:
    """What an exchange gives to a queue."""

    exchange: str
    queue: str
    routing_key: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Policy:
    """Settings of RabbitMQ for all whose name has `pattern` in it; `applies_to` is queues, exchanges or all."""

    pattern: str
    applies_to: str
    priority: int
    definition: Mapping[str, Any]


@dataclass(frozen=True)
class PingSource:
    """An event that is due again and again, by a cron schedule."""

    name: str
    schedule: str
    timezone: str
    content_type: str
    data: bytes
    sink: Sink


@dataclass(frozen=True)
class Job:
    """A command that runs to its end before anything is served, within `deadline` seconds."""

    name: str
    container: Container
    deadline: float


@dataclass(frozen=True)
class Cluster:
    """All of an overlay. `sinks` says which Services get a K_SINK (by SinkBinding).

    `topology` is what the overlay itself has in RabbitMQ, beside what each Broker and Trigger implies.
    """

    namespace: str
    services: Mapping[str, Service]
    brokers: Mapping[str, Broker]
    triggers: tuple[Trigger, ...]
    ping_sources: tuple[PingSource, ...]
    rabbitmq_sources: tuple[RabbitmqSource, ...]
    topology: tuple[Exchange | Queue | Binding, ...]
    policies: tuple[Policy, ...]
    sinks: Mapping[str, Sink]
    jobs: tuple[Job, ...]
    config_maps: Mapping[str, Mapping[str, str]]

    def containers(self) -> Iterable[Container]:
        """The containers of all Services and Jobs."""
        yield from (service.container for service in self.services.values())
        yield from (job.container for job in self.jobs)

    def host(self, sink: Sink) -> str:
        """The first part of the host name that a sink has in a cluster."""
        return sink.name if sink.kind == "Service" else f"{sink.name}-broker-ingress"

    def url(self, sink: Sink) -> str:
        """The address that a sink has in a cluster."""
        return f"http://{self.host(sink)}.{self.namespace}.svc.cluster.local"
