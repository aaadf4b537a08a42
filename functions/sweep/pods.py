"""The pods of the functions, as Kubernetes lists them: one GET with the token of sweep's own ServiceAccount.

On one machine the local runner answers it (knative/local/pods.py). What is read of a pod: Kubernetes API, core/v1 Pod.
"""

from __future__ import annotations

import http.client
import ssl
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec

from functions.shared import settings

__all__ = ["CREDENTIALS", "REVISION", "SERVICE", "Container", "Pod", "Unseen", "listed"]

# Serving's labels of a pod.
SERVICE, REVISION = "serving.knative.dev/service", "serving.knative.dev/revision"
# Where kubelet puts token and certificate; it writes the token anew before it ends.
CREDENTIALS = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SECONDS = 5
# A pod takes some 12 kB.
MAX_BYTES = 16 * 1024**2
# resourceVersion=0: the API server's memory will do, and etcd is left alone.
_QUERY = f"?resourceVersion=0&labelSelector={quote(SERVICE, safe='')}"


class Unseen(Exception):
    """There is no list of the pods; `why` is a code of docs/api.md."""

    def __init__(self, why: str, message: str) -> None:
        super().__init__(message)
        self.why = why


class _Read(msgspec.Struct, rename="camel"):
    """A part of what Kubernetes says, with its names."""


class _Metadata(_Read):
    """Which pod it is, and since when; `deletion_timestamp` is there once it is told to end."""

    name: str
    creation_timestamp: datetime
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] | None = None


class _Terminated(_Read):
    """How a container ended."""

    exit_code: int
    reason: str | None = None
    finished_at: datetime | None = None


class _Waiting(_Read):
    """Why a container does not run yet."""

    reason: str | None = None


class _Moment(_Read):
    """What a container does, or did before."""

    waiting: _Waiting | None = None
    terminated: _Terminated | None = None


class Container(_Read):
    """A container of a pod."""

    name: str
    restart_count: int = 0
    state: _Moment | None = None
    last_state: _Moment | None = None


class _Condition(_Read):
    """Something that is so of a pod, or is not."""

    type: str
    status: str
    reason: str | None = None


class _Status(_Read):
    """What a pod does."""

    phase: str = ""
    reason: str | None = None
    conditions: list[_Condition] | None = None
    container_statuses: list[Container] | None = None


class Pod(_Read):
    """A pod, as much of it as is shown."""

    metadata: _Metadata
    status: _Status


class _PodList(_Read):
    items: list[Pod]


def listed() -> list[Pod]:
    """The pods of all functions in their namespace. Raises: Unseen."""
    url = settings.text("PODS_URL")
    if not url:
        raise Unseen("not-set-up", "PODS_URL is not set")
    try:
        status, body = _got(url)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Unseen("unreachable", f"Kubernetes cannot be asked: {error}") from error
    if status in (401, 403):
        raise Unseen("forbidden", f"Kubernetes answers {status}")
    return _read(status, body)


def _read(status: int, body: bytes) -> list[Pod]:
    if status != 200 or len(body) > MAX_BYTES:
        raise Unseen("unreachable", f"Kubernetes answers {status}, with {len(body)} bytes or more")
    try:
        return msgspec.json.decode(body, type=_PodList).items
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unseen("unreachable", f"what Kubernetes answers is no list of pods: {error}") from error


def _got(url: str) -> tuple[int, bytes]:
    """Status and body of a GET, without a proxy and without following redirects."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    secure = parts.scheme == "https"
    connection = (
        http.client.HTTPSConnection(host, port, timeout=SECONDS, context=_trust())
        if secure
        else http.client.HTTPConnection(host, port, timeout=SECONDS)
    )
    try:
        connection.request("GET", parts.path + _QUERY, headers=_headers(secure))
        answer = connection.getresponse()
        return answer.status, answer.read(MAX_BYTES + 1)
    finally:
        connection.close()


def _trust() -> ssl.SSLContext:
    """Only the cluster's own authority."""
    return ssl.create_default_context(cafile=str(CREDENTIALS / "ca.crt"))


def _headers(secure: bool) -> dict[str, str]:
    """The token goes to nobody in the clear."""
    token = {"Authorization": f"Bearer {(CREDENTIALS / 'token').read_text().strip()}"} if secure else {}
    return {"Accept": "application/json", **token}
