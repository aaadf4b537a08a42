"""The programs of Knative's RabbitMQ broker and source, each in a pod of its own.

The variables are those that its controllers give: pkg/reconciler/{broker,trigger,source}/resources of
github.com/knative-extensions/eventing-rabbitmq.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bridge import topology

from knative.local.cluster import Broker, Cluster, DeliverySpec, RabbitmqSource, Sink, Trigger
from tests.knative.network import Network, Pod, Program

__all__ = ["Eventing"]

_COMMON = {"SYSTEM_NAMESPACE": "knative-eventing", "K_LOGGING_CONFIG": "{}", "K_OBSERVABILITY_CONFIG": "{}"}
# The adapter wants a client of the Kubernetes API at its start, and then does not use it: nobody listens there.
_KUBECONFIG = """apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
users: [{name: none, user: {}}]
current-context: none
"""


class Eventing:
    """`ingresses` by Broker, `dispatchers` and `dead_letters` by Trigger, `adapters` by RabbitmqSource."""

    def __init__(self, network: Network, binaries: Path, cluster: Cluster, rabbitmq: str) -> None:
        self._network, self._binaries, self._cluster, self._rabbitmq = network, binaries, cluster, rabbitmq
        self._pods: list[Pod] = []
        self._programs: list[Program] = []
        self._names = topology.Names(cluster)
        self.ingresses = {broker.name: self._ingress(broker) for broker in cluster.brokers.values()}
        self.dispatchers = {trigger.name: self._dispatcher(trigger) for trigger in cluster.triggers}
        self.dead_letters = {
            trigger.name: self._dead_letter_dispatcher(trigger, trigger.delivery.dead_letter_sink)
            for trigger in cluster.triggers
            if trigger.delivery.dead_letter_sink
        }
        self.adapters = {source.name: self._adapter(source) for source in cluster.rabbitmq_sources}

    def revive(self) -> None:
        """Start again what has ended, as a kubelet does."""
        for program in self._programs:
            if not program.running():
                program.start()

    def delete(self) -> None:
        """Kill all of it."""
        for pod in self._pods:
            pod.delete()

    def _ingress(self, broker: Broker) -> Program:
        host = self._cluster.url(Sink("Broker", broker.name)).removeprefix("http://")
        pod = self._pod(f"{broker.name}-ingress")
        self._network.name(host, pod.address)
        variables = {
            "PORT": "80",  # in a cluster, a Service makes 8080 of it
            "BROKER_URL": self._rabbitmq,
            "EXCHANGE_NAME": self._names.exchange(broker.name),
            "BROKER_NAME": broker.name,
            "BROKER_NAMESPACE": self._cluster.namespace,
        }
        return self._started(pod, "ingress", variables)

    def _dispatcher(self, trigger: Trigger) -> Program:
        variables = {
            "QUEUE_NAME": self._names.queue(trigger),
            "SUBSCRIBER": self._cluster.url(trigger.subscriber),
            "DLX_NAME": self._names.dead_letter_exchange(trigger),
        }
        return self._dispatching(trigger, f"{trigger.name}-dispatcher", variables)

    def _dead_letter_dispatcher(self, trigger: Trigger, sink: Sink) -> Program:
        queue = self._names.dead_letter_queue(trigger)
        variables = {"DLX": "true", "QUEUE_NAME": queue, "SUBSCRIBER": self._cluster.url(sink)}
        return self._dispatching(trigger, f"{trigger.name}-dlx-dispatcher", variables)

    def _dispatching(self, trigger: Trigger, name: str, variables: Mapping[str, str]) -> Program:
        common = {
            "RABBIT_URL": self._rabbitmq,
            "BROKER_INGRESS_URL": self._cluster.url(Sink("Broker", trigger.broker)),
            "PARALLELISM": str(trigger.parallelism),
            "NAMESPACE": self._cluster.namespace,
        }
        return self._started(self._pod(name), "dispatcher", {**common, **_of_delivery(trigger.delivery), **variables})

    def _adapter(self, source: RabbitmqSource) -> Program:
        kubeconfig = self._network.directory / "kubeconfig"
        kubeconfig.write_text(_KUBECONFIG)
        policy = "exponential" if source.delivery.exponential else "linear"
        variables = {
            "KUBECONFIG": str(kubeconfig),
            "RABBIT_URL": self._rabbitmq,
            "RABBITMQ_QUEUE_NAME": source.queue,
            "RABBITMQ_CHANNEL_PARALLELISM": str(source.parallelism),
            "RABBITMQ_PREDECLARED": "true",
            "K_SINK": self._cluster.url(source.sink),
            "NAMESPACE": self._cluster.namespace,
            "NAME": source.name,
            "HTTP_SENDER_RETRY": str(source.delivery.retry),
            "HTTP_SENDER_BACKOFF_POLICY": policy,
            "HTTP_SENDER_BACKOFF_DELAY": f"PT{source.delivery.backoff}S",
        }
        return self._started(self._pod(f"{source.name}-adapter"), "receive_adapter", variables)

    def _pod(self, name: str) -> Pod:
        self._pods.append(Pod(self._network, name))
        return self._pods[-1]

    def _started(self, pod: Pod, binary: str, variables: Mapping[str, str]) -> Program:
        common = {**_COMMON, "POD_NAME": pod.name, "CONTAINER_NAME": binary}
        self._programs.append(pod.program(pod.name, [str(self._binaries / binary)], {**common, **variables}))
        return self._programs[-1]


def _of_delivery(delivery: DeliverySpec) -> dict[str, str]:
    timeout = {"TIMEOUT": f"{delivery.timeout:g}s"} if delivery.timeout else {}
    return {
        "RETRY": str(delivery.retry),
        "BACKOFF_POLICY": "exponential" if delivery.exponential else "linear",
        "BACKOFF_DELAY": f"{delivery.backoff:g}s",
        **timeout,
    }
