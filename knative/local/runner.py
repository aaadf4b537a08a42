"""Puts the parts together: `async with running(Options(…)) as local:` serves an overlay at `local.url`."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from functions.shared.proxy import Forwarder
from knative.ingress import Ingress
from knative.local import jobs, kustomize, manifests, pingsource
from knative.local.activator import Activator
from knative.local.cluster import API_HOST, Cluster, PingSource, Service, Sink
from knative.local.eventing import BuiltIn, Eventing
from knative.local.front import names
from knative.local.listeners import Handler, Listeners
from knative.local.lock import data_directory
from knative.local.pods import PodList
from knative.local.prober import Prober
from knative.local.process import LOCALHOST, Process, free_port, spawn
from knative.local.revision import Revision
from knative.local.secrets import Environment, load_secrets
from knative.supervision import supervised

log = logging.getLogger(__name__)

__all__ = ["DEFAULT_OVERLAY", "Local", "Options", "running"]

DEFAULT_OVERLAY = Path(__file__).parents[1] / "overlays" / "local"
# What is in flight when the runner is told to stop gets so long to finish, at each step.
_GRACE_SECONDS = 3
_TICK_SECONDS = 1


@dataclass(frozen=True)
class Options:
    """What to run, where its data is, and where the public Service listens (port 0: any free one)."""

    overlay: Path = DEFAULT_OVERLAY
    data: Path = Path("data")
    host: str = LOCALHOST
    port: int = 8080


@dataclass(frozen=True)
class Local:
    """What is being served. `addresses`: host name in the cluster (`convert`, `audiolift-broker-ingress`) → URL."""

    url: str
    data: Path
    addresses: Mapping[str, str]


@asynccontextmanager
async def running(options: Options) -> AsyncIterator[Local]:
    """Serve an overlay while in the context. Leaving it stops every process within seconds.

    Enter it in the main thread: the processes die with the thread that enters it.
    Raises: LocalError, when it cannot start.
    """
    cluster = manifests.read(kustomize.render(options.overlay))
    for source in cluster.ping_sources:
        pingsource.check_schedule(source)
    async with AsyncExitStack() as stack:
        data = stack.enter_context(data_directory(options.data))
        listeners = stack.enter_context(Listeners(cluster, options.host, options.port))
        environment = Environment(cluster, load_secrets(data, cluster), listeners.addresses, os.environ)
        for container in cluster.containers():
            environment.of(container)  # what is missing in it is said now, not at the first request
        for job in cluster.jobs:
            await jobs.run(job, environment)
        for host, address in listeners.addresses.items():
            log.debug("%s is at %s", host, address)
        await _serve(stack, _Machine(cluster, environment, listeners, data))
        yield Local(listeners.addresses[listeners.public], data, listeners.addresses)


@dataclass(frozen=True)
class _Machine:
    """What the parts are made of."""

    cluster: Cluster
    environment: Environment
    listeners: Listeners
    data: Path

    def address(self, sink: Sink) -> str:
        return self.listeners.addresses[self.cluster.host(sink)]

    def hosts(self, service: str) -> frozenset[str]:
        return names(service, self.cluster.namespace, self.address(Sink("Service", service)))


async def _serve(stack: AsyncExitStack, machine: _Machine) -> None:
    """Start everything. It is stopped the other way round: first what brings work in, last the processes."""
    cluster = machine.cluster
    runtime = stack.enter_context(_scratch(machine.data / "run"))
    processes = await stack.enter_async_context(Forwarder(keep_alive=False))
    listeners = await stack.enter_async_context(Forwarder())
    eventing = await stack.enter_async_context(_eventing(machine, listeners))
    revisions = [
        Revision(service, partial(_launch, service, machine, runtime), Prober(processes))
        for service in cluster.services.values()
    ]
    stack.push_async_callback(_together, lambda: [revision.close(_GRACE_SECONDS) for revision in revisions])
    handlers = _handlers(machine, revisions, processes, eventing)
    stack.push_async_callback(machine.listeners.close)
    await machine.listeners.serve(handlers)
    eventing.start()
    stack.push_async_callback(eventing.stop, _GRACE_SECONDS)
    clocks = [supervised(f"the clock of {revision.service.name}", partial(_tick, revision)) for revision in revisions]
    clocks += [
        supervised(f"PingSource {source.name}", partial(_ping, machine, source, listeners))
        for source in cluster.ping_sources
    ]
    stack.push_async_callback(_cancel, [asyncio.create_task(clock) for clock in clocks])


def _eventing(machine: _Machine, forwarder: Forwarder) -> Eventing:
    """RabbitMQ when RABBITMQ_URL names one, else the broker in here."""
    url = machine.environment.own.get("RABBITMQ_URL")
    if not url:
        return BuiltIn(machine.cluster, machine.data / "broker.db", forwarder, machine.address)
    from knative.local.rabbitmq import OverRabbitMQ  # what pika costs is paid only here

    return OverRabbitMQ(machine.cluster, url, forwarder, machine.address)


def _handlers(
    machine: _Machine, revisions: list[Revision], processes: Forwarder, eventing: Eventing
) -> dict[str, Handler]:
    """Who answers at each host name: an activator for each Service, an ingress for each Broker, and who lists pods."""
    cluster, handlers = machine.cluster, dict[str, Handler]()
    for revision in revisions:
        name = revision.service.name
        hosts = None if name == machine.listeners.public else machine.hosts(name)
        handlers[name] = Activator(revision, processes, hosts).handle
    address = names(API_HOST, "default", machine.listeners.addresses[API_HOST])
    handlers[API_HOST] = PodList(cluster.namespace, [each.pods for each in revisions], address).handle
    for broker in cluster.brokers:
        handlers[cluster.host(Sink("Broker", broker))] = Ingress(eventing.publisher(broker)).handle
    return handlers


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """An empty directory for what processes need while they run; what a run that was killed left there is deleted."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


async def _launch(service: Service, machine: _Machine, runtime: Path) -> Process:
    """A process of the Service, just started. Raises: OSError."""
    # Programs keep sockets and the like there, under names that two processes would share.
    own = tempfile.mkdtemp(prefix=f"{service.name}-", dir=runtime)
    injected = {
        "K_SERVICE": service.name,
        "HOST": LOCALHOST,
        "PORT": str(free_port()),
        "XDG_RUNTIME_DIR": own,
        "TMPDIR": own,
    }
    if service.name in machine.cluster.sinks:
        injected["K_SINK"] = machine.address(machine.cluster.sinks[service.name])
    environment = machine.environment.of(service.container, **injected)
    return await spawn(service.name, service.container.command, environment)


async def _ping(machine: _Machine, source: PingSource, forwarder: Forwarder) -> None:
    await pingsource.run(source, machine.cluster.namespace, forwarder, machine.address(source.sink))


async def _tick(revision: Revision) -> None:
    while True:
        await asyncio.sleep(_TICK_SECONDS)
        revision.tick()


async def _together(make: Callable[[], Iterable[Awaitable[None]]]) -> None:
    await asyncio.gather(*make())


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
