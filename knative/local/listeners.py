"""The sockets of a cluster's addresses: one for each Service, each Broker, and the Kubernetes API."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from aiohttp import web

from knative.local.cluster import API_HOST, Cluster, Sink
from knative.local.errors import ManifestError, StartError
from knative.local.process import LOCALHOST

__all__ = ["Handler", "Listeners"]

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_VISIBILITY = "networking.knative.dev/visibility"
_CHUNK = 256 * 1024
_BACKLOG = 1024
# Headers may be larger than a cluster lets through: it is for the handler to refuse those as the cluster does.
_SETTINGS: dict[str, Any] = {
    "handler_cancellation": True,
    "auto_decompress": False,
    "read_bufsize": _CHUNK,
    "max_line_size": 1024 * 1024,
    "max_field_size": 1024 * 1024,
    "max_headers": 10_000,
}
_SHUTDOWN_SECONDS = 3
_ANY_ADDRESS = {"127.0.0.1", "0.0.0.0", "::", "::1", "localhost"}


class Listeners:
    """Bound in the context, so that all addresses are known before anything is served.

    The one public Service (not labelled cluster-local) gets host and port, all others a free port of this machine.
    `addresses`: host name in the cluster → URL here. Entering raises: StartError, ManifestError.
    """

    def __init__(self, cluster: Cluster, host: str, port: int) -> None:
        self.public = _public_service(cluster)
        self._hosts = [cluster.host(Sink("Service", name)) for name in cluster.services]
        self._hosts += [*(cluster.host(Sink("Broker", name)) for name in cluster.brokers), API_HOST]
        self._host, self._port = host, port
        self._runners: list[web.ServerRunner] = []

    def __enter__(self) -> Listeners:
        with ExitStack() as stack:
            self._sockets = {host: stack.enter_context(self._bind(host)) for host in self._hosts}
            self._stack = stack.pop_all()
        self.addresses = {host: self._url(host) for host in self._hosts}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    async def serve(self, handlers: Mapping[str, Handler]) -> None:
        """Begin to answer: `handlers` has one for each host name. A client that disconnects cancels its handler."""
        for host, handler in handlers.items():
            server = web.Server(handler, access_log=None, **_SETTINGS)
            runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS)
            await runner.setup()
            await web.SockSite(runner, self._sockets[host]).start()
            self._runners.append(runner)

    async def close(self) -> None:
        """Take no more requests; those in flight have three seconds to finish."""
        await asyncio.gather(*(runner.cleanup() for runner in self._runners))

    def _bind(self, host: str) -> socket.socket:
        if host != self.public:
            return socket.create_server((LOCALHOST, 0), backlog=_BACKLOG)
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            return socket.create_server((self._host, self._port), family=family, backlog=_BACKLOG)
        except OSError as error:
            raise StartError(self._why_not(error)) from error

    def _why_not(self, error: OSError) -> str:
        if error.errno == errno.EADDRINUSE:
            return f"port {self._port} is taken by another program. Choose another: make run PORT={self._port + 1}"
        return f"{self._host} port {self._port} cannot be used: {error.strerror}. Choose others by --host and --port"

    def _url(self, host: str) -> str:
        port = self._sockets[host].getsockname()[1]
        if host != self.public:
            return f"http://{LOCALHOST}:{port}"
        name = "localhost" if self._host in _ANY_ADDRESS else self._host
        return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _public_service(cluster: Cluster) -> str:
    services = cluster.services.values()
    public = [service.name for service in services if service.labels.get(_VISIBILITY) != "cluster-local"]
    if len(public) != 1:
        raise ManifestError(
            f"one Service must be public (not labelled cluster-local), not {', '.join(public) or 'none'}"
        )
    return public[0]
