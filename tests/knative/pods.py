"""A function as Serving runs it: its server and the real queue-proxy side by side in one pod.

The variables are those of pkg/reconciler/revision/resources/queue.go, github.com/knative/serving.
"""

from __future__ import annotations

import copy
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from knative.local.kustomize import Manifest
from tests.knative.network import Network, Pod, Program
from tests.patience import eventually

__all__ = ["FunctionPod"]

_USER_PORT, _QUEUE_PORT, _QUEUE_TLS_PORT, _ADMIN_PORT = 8080, 8012, 8112, 8022
_PROBE = {"User-Agent": "kube-probe/1.33", "K-Network-Probe": "queue"}


class FunctionPod:
    """One pod of a Service: `function` and `queue_proxy` are its programs."""

    def __init__(self, network: Network, binaries: Path, manifest: Manifest, environment: Mapping[str, str]) -> None:
        self.name = manifest["metadata"]["name"]
        self._pod = Pod(network, self.name)
        self.address = self._pod.address
        spec = manifest["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        words = [*container["command"], *container.get("args", ())]
        command = [sys.executable if words[0] == "python" else words[0], *words[1:]]
        self._grace = spec["timeoutSeconds"]
        self.function = self._pod.program(self.name, command, {**environment, "PORT": str(_USER_PORT)})
        variables = {**_of_revision(spec), **self._identity(manifest), "SERVING_READINESS_PROBE": _probe(container)}
        self.queue_proxy: Program = self._pod.program(
            f"{self.name}-queue-proxy", [str(binaries / "queue-proxy")], variables
        )

    def wait(self) -> None:
        """Wait until it is ready, asking as a kubelet does."""
        eventually(self.probe, f"{self.name} is ready")

    def probe(self, seconds: float = 1) -> bool:
        """One readiness probe: whether it succeeds within so many seconds."""
        try:
            return httpx.get(f"http://{self.address}:{_QUEUE_PORT}/", headers=_PROBE, timeout=seconds).is_success
        except httpx.TransportError:
            return False

    def connections(self, port: int) -> int:
        """How many connections the pod has to a port elsewhere."""
        return self._pod.connections(port)

    def kill(self) -> None:
        """The container of the function dies at once, and is started again."""
        self.function.kill()
        self.function.start()

    def begin_to_end(self) -> None:
        """As a kubelet does: SIGTERM to queue-proxy; to the function once its preStop hook has returned."""
        self.queue_proxy.send(signal.SIGTERM)
        httpx.get(f"http://{self.address}:{_ADMIN_PORT}/wait-for-drain", timeout=self._grace)
        self.function.send(signal.SIGTERM)

    def end(self) -> None:
        """Wait until both have ended by themselves, as long as a kubelet would."""
        for program in (self.function, self.queue_proxy):
            program.wait(self._grace)

    def delete(self) -> None:
        """Kill all of it."""
        self._pod.delete()

    def _identity(self, manifest: Manifest) -> dict[str, str]:
        revision = f"{self.name}-00001"
        return {
            "SERVING_NAMESPACE": manifest["metadata"]["namespace"],
            "SERVING_SERVICE": self.name,
            "SERVING_CONFIGURATION": self.name,
            "SERVING_REVISION": revision,
            "SERVING_POD": f"{revision}-deployment-{self.address}",
            "SERVING_POD_IP": self.address,
        }


def _of_revision(spec: Mapping[str, Any]) -> dict[str, str]:
    return {
        "CONTAINER_CONCURRENCY": str(spec["containerConcurrency"]),
        "REVISION_TIMEOUT_SECONDS": str(spec["timeoutSeconds"]),
        "REVISION_RESPONSE_START_TIMEOUT_SECONDS": str(spec.get("responseStartTimeoutSeconds", 0)),
        "REVISION_IDLE_TIMEOUT_SECONDS": str(spec.get("idleTimeoutSeconds", 0)),
        "QUEUE_SERVING_PORT": str(_QUEUE_PORT),
        "QUEUE_SERVING_TLS_PORT": str(_QUEUE_TLS_PORT),
        "USER_PORT": str(_USER_PORT),
        "SERVING_LOGGING_CONFIG": "{}",
        "SERVING_LOGGING_LEVEL": "info",
        "ENABLE_HTTP2_AUTO_DETECTION": "false",
        "ENABLE_HTTP_FULL_DUPLEX": "false",
        "ENABLE_MULTI_CONTAINER_PROBES": "false",
        "SYSTEM_NAMESPACE": "knative-serving",
    }


def _probe(container: Mapping[str, Any]) -> str:
    probe = copy.deepcopy(container["readinessProbe"])
    probe["httpGet"] |= {"host": "127.0.0.1", "port": _USER_PORT, "scheme": "HTTP"}
    if probe.get("periodSeconds"):
        probe.setdefault("timeoutSeconds", 1)
    return json.dumps(probe)
