"""What runs of each function, from the list of its pods."""

from __future__ import annotations

import logging

from functions.shared.views import rfc3339
from functions.sweep import pods
from functions.sweep.instance_shapes import FunctionInstances, Functions, Instance, InstanceState, LastEnd

__all__ = ["FUNCTIONS", "of_functions"]

log = logging.getLogger(__name__)

# In the order in which a video meets them.
FUNCTIONS = ("gateway", "login", "upload", "convert", "notify", "download", "sweep")
# Where Serving runs the function itself, beside its queue-proxy.
_CONTAINER = "user-container"


def of_functions() -> Functions:
    """All functions, each with its instances; or why nothing is known of them."""
    try:
        found = pods.listed()
    except pods.Unseen as error:
        log.warning("operators see no instances: %s", error)
        return Functions(error.why, [])
    found.sort(key=lambda pod: pod.metadata.creation_timestamp, reverse=True)
    return Functions(None, [_function(name, found) for name in FUNCTIONS])


def _function(name: str, found: list[pods.Pod]) -> FunctionInstances:
    own = [_instance(pod) for pod in found if _label(pod, pods.SERVICE) == name]
    states = [each.state for each in own]
    return FunctionInstances(
        name=name,
        ready=states.count("ready"),
        starting=states.count("starting"),
        terminating=states.count("terminating"),
        failed=states.count("failed"),
        instances=own,
    )


def _instance(pod: pods.Pod) -> Instance:
    state, containers = _state(pod), pod.status.container_statuses or []
    container = next((each for each in containers if each.name == _CONTAINER), pods.Container(_CONTAINER))
    return Instance(
        name=pod.metadata.name,
        revision=_label(pod, pods.REVISION),
        state=state,
        why=None if state == "ready" else _why(pod, container),
        since=rfc3339(pod.metadata.creation_timestamp),
        restarts=container.restart_count,
        last_end=_last_end(container),
    )


def _state(pod: pods.Pod) -> InstanceState:
    if pod.metadata.deletion_timestamp:
        return "terminating"
    if pod.status.phase in ("Failed", "Succeeded"):
        return "failed"
    is_ready = any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions or ())
    return "ready" if is_ready else "starting"


def _why(pod: pods.Pod, container: pods.Container) -> str | None:
    """What the pod as a whole says, then what its container waits for, then why no node takes it."""
    waiting = container.state.waiting if container.state else None
    unplaced = [each.reason for each in pod.status.conditions or () if each.type == "PodScheduled"]
    reasons = (pod.status.reason, waiting.reason if waiting else None, *unplaced)
    return next((reason for reason in reasons if reason), None)


def _last_end(container: pods.Container) -> LastEnd | None:
    """Of the process that ended last: between two tries it is in the state of now."""
    moments = (container.state, container.last_state)
    end = next((each.terminated for each in moments if each and each.terminated), None)
    if end is None:
        return None
    return LastEnd(end.reason, end.exit_code, rfc3339(end.finished_at) if end.finished_at else None)


def _label(pod: pods.Pod, name: str) -> str:
    return (pod.metadata.labels or {}).get(name, "")
