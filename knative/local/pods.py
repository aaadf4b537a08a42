"""What Kubernetes says of the pods of functions, said of the processes here: in the same words, at the same path.

So sweep asks here as it does in a cluster. Only the list is there, and of each pod only what a function reads of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from knative.local.front import refusal
from knative.local.health import Health
from knative.local.process import Process

__all__ = ["PodList", "Pods"]

_KILLED = 128


@dataclass(frozen=True)
class _End:
    status: int
    at: datetime
    restarts: int


@dataclass(eq=False)
class _Pod:
    process: Process
    health: Health
    before: _End | None
    made_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ending_since: datetime | None = None

    @property
    def restarts(self) -> int:
        return self.before.restarts if self.before else 0


class Pods:
    """The processes of one Service. One that takes the place of another that died is that one, started again."""

    def __init__(self, service: str, most: int) -> None:
        self._service = service
        self._pods: dict[Process, _Pod] = {}
        self._died: deque[_End] = deque(maxlen=most)

    def began(self, process: Process, health: Health) -> None:
        """It was started; until it has exited it is in the list."""
        pod = _Pod(process, health, self._died.popleft() if self._died else None)
        self._pods[process] = pod
        process.exited.add_done_callback(lambda exited: self._gone(pod, exited))

    def ending(self, process: Process) -> None:
        """It is told to end, and no other takes its place."""
        if process in self._pods:
            self._pods[process].ending_since = datetime.now(UTC)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """As Kubernetes writes them."""
        return (_written(self._service, pod) for pod in self._pods.values())

    def _gone(self, pod: _Pod, exited: asyncio.Task[int]) -> None:
        self._pods.pop(pod.process, None)
        if not pod.ending_since and not exited.cancelled():
            self._died.append(_End(exited.result(), datetime.now(UTC), pod.restarts + 1))


class PodList:
    """Answers at the address of the API server, for one of `hosts`."""

    def __init__(self, namespace: str, services: Iterable[Pods], hosts: frozenset[str]) -> None:
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._services = list(services)
        self._hosts = hosts

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The list; whatever is asked for besides is not there. All of its pods have the label of a Service."""
        if refused := refusal(request, self._hosts):
            return refused
        if (request.method, request.path) != ("GET", self._path):
            return web.json_response(
                {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}, status=404
            )
        items = [pod for service in self._services for pod in service]
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})


def _written(service: str, pod: _Pod) -> dict[str, Any]:
    revision = f"{service}-00001"
    labels = {"serving.knative.dev/service": service, "serving.knative.dev/revision": revision}
    metadata = {"name": f"{revision}-{pod.process.pid}", "labels": labels, "creationTimestamp": _time(pod.made_at)}
    if pod.ending_since:
        metadata["deletionTimestamp"] = _time(pod.ending_since)
    ready = {"type": "Ready", "status": "True" if pod.health.ready else "False"}
    container = {"name": "user-container", "image": "", "imageID": "", "ready": pod.health.ready}
    container["restartCount"] = pod.restarts
    container["state"] = {"running": {"startedAt": _time(pod.made_at)}}
    container["lastState"] = {"terminated": _ended(pod.before)} if pod.before else {}
    return {
        "metadata": metadata,
        "status": {"phase": "Running", "conditions": [ready], "containerStatuses": [container]},
    }


def _ended(end: _End) -> dict[str, Any]:
    code = end.status if end.status >= 0 else _KILLED - end.status
    return {"exitCode": code, "reason": "Error" if code else "Completed", "finishedAt": _time(end.at)}


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
