"""Reads the objects of RabbitMQ's messaging topology operator (rabbitmq.com/v1beta1).

https://www.rabbitmq.com/kubernetes/operator/using-topology-operator
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from knative.local.cluster import Binding, Exchange, Policy, Queue
from knative.local.kustomize import Manifest

__all__ = ["READERS", "policy"]

_PLACES = ("queues", "exchanges", "all")


def policy(manifest: Manifest) -> Policy:
    """A Policy. Raises: KeyError or ValueError for what is missing or not understood."""
    spec = manifest["spec"]
    applies_to = spec.get("applyTo", "all")
    if applies_to not in _PLACES:
        raise ValueError(f"applyTo must be one of {', '.join(_PLACES)}, not {applies_to}")
    return Policy(spec["pattern"], applies_to, spec.get("priority", 0), spec["definition"])


def _exchange(manifest: Manifest) -> Exchange:
    spec = _durable(manifest)
    return Exchange(spec.get("name", manifest["metadata"]["name"]), spec.get("type", "direct"))


def _queue(manifest: Manifest) -> Queue:
    spec = _durable(manifest)
    name = spec.get("name", manifest["metadata"]["name"])
    return Queue(name, {"x-queue-type": spec.get("type", "classic"), **spec.get("arguments", {})})


def _durable(manifest: Manifest) -> dict[str, Any]:
    spec: dict[str, Any] = manifest["spec"]
    if not spec.get("durable"):
        raise ValueError("durable must be true: what is in it has to survive a restart of RabbitMQ")
    return spec


def _binding(manifest: Manifest) -> Binding:
    spec = manifest["spec"]
    if spec["destinationType"] != "queue":
        raise ValueError(f"the destination must be a queue, not an {spec['destinationType']}")
    return Binding(spec["source"], spec["destination"], spec.get("routingKey", ""), spec.get("arguments", {}))


# In the order in which they can be declared.
READERS: dict[str, Callable[[Manifest], Any]] = {"Exchange": _exchange, "Queue": _queue, "Binding": _binding}
