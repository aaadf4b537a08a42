"""Reads what is run: Knative Services, and the containers in them and in Jobs. `manifests` reads all the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from knative.local.cluster import Container, EnvVar, KeyRef, Probe, Service
from knative.local.durations import go_duration
from knative.local.kustomize import Manifest

__all__ = ["container", "service"]

_AUTOSCALING = "autoscaling.knative.dev/"
# The defaults of Knative: config-defaults and config-autoscaler.
_TIMEOUT = 300
_WINDOW = "60s"
_TARGET = 100
# Knative's "no limit" still needs one on a single machine.
_MAX_PROCESSES = 4
_LIVENESS_PERIOD = 10
_PROBE_FIELDS = {
    "httpGet",
    "tcpSocket",
    "initialDelaySeconds",
    "periodSeconds",
    "timeoutSeconds",
    "failureThreshold",
    "successThreshold",
}


def service(manifest: Manifest) -> Service:
    """The Service that a manifest describes. Raises: KeyError, TypeError, ValueError."""
    template = manifest["spec"]["template"]
    spec, notes = template["spec"], template.get("metadata", {}).get("annotations", {})
    (only,) = spec["containers"]
    if "startupProbe" in only:
        raise ValueError("the local runner does not know startupProbe")
    timeout = float(spec.get("timeoutSeconds", _TIMEOUT))
    idle = notes.get(_AUTOSCALING + "window", _WINDOW), notes.get(_AUTOSCALING + "scale-down-delay", "0s")
    return Service(
        name=manifest["metadata"]["name"],
        labels=manifest["metadata"].get("labels", {}),
        container=container(only),
        readiness=_readiness(only.get("readinessProbe", {})),
        liveness=_liveness(only["livenessProbe"]) if "livenessProbe" in only else None,
        concurrency=int(spec.get("containerConcurrency", 0)) or int(notes.get(_AUTOSCALING + "target", _TARGET)),
        timeout=timeout,
        response_start_timeout=float(spec.get("responseStartTimeoutSeconds", min(timeout, _TIMEOUT))),
        idle_timeout=float(spec.get("idleTimeoutSeconds", 0)) or None,
        min_scale=int(notes.get(_AUTOSCALING + "min-scale", 0)),
        max_scale=int(notes.get(_AUTOSCALING + "max-scale", 0)) or _MAX_PROCESSES,
        idle_seconds=sum(go_duration(text) for text in idle),
    )


def container(spec: Mapping[str, Any]) -> Container:
    """A container of a Service or a Job. Raises: KeyError, TypeError, ValueError."""
    command = (*spec["command"], *spec.get("args", ()))
    return Container(
        command=tuple(str(part) for part in command),
        env=tuple(_env_var(entry) for entry in spec.get("env", ())),
        config_maps=tuple(entry["configMapRef"]["name"] for entry in spec.get("envFrom", ())),
    )


def _env_var(entry: Mapping[str, Any]) -> EnvVar:
    if "valueFrom" not in entry:
        return EnvVar(entry["name"], str(entry.get("value", "")))
    ((source, ref),) = entry["valueFrom"].items()
    kinds = {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}
    if source not in kinds:
        raise ValueError(f"{entry['name']} comes from a {source}, which the local runner does not know")
    return EnvVar(entry["name"], KeyRef(kinds[source], ref["name"], ref["key"]))


def _readiness(spec: Mapping[str, Any]) -> Probe:
    """Without a period, queue-proxy has a rhythm of its own, and Serving refuses limits to it."""
    unheeded = sorted({"timeoutSeconds", "failureThreshold"} & spec.keys())
    if unheeded and not spec.get("periodSeconds"):
        raise ValueError(f"a readinessProbe with {unheeded[0]} needs periodSeconds too")
    return _probe("readinessProbe", spec, 0)


def _liveness(spec: Mapping[str, Any]) -> Probe:
    return _probe("livenessProbe", spec, _LIVENESS_PERIOD)


def _probe(kind: str, spec: Mapping[str, Any], period: float) -> Probe:
    """Defaults are those of Kubernetes."""
    get = spec.get("httpGet")
    unknown = sorted(
        (spec.keys() - _PROBE_FIELDS) | {f"httpGet.{name}" for name in (get or {}).keys() - {"path", "port"}}
    )
    if unknown:
        raise ValueError(f"the local runner does not know {unknown[0]} of a {kind}")
    return Probe(
        path=None if get is None else "/" + get.get("path", "/").removeprefix("/"),
        delay=float(spec.get("initialDelaySeconds", 0)),
        period=float(spec.get("periodSeconds", period)),
        timeout=float(spec.get("timeoutSeconds", 1)),
        failures=int(spec.get("failureThreshold", 3)),
        successes=int(spec.get("successThreshold", 1)),
    )
