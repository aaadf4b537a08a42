"""`PYTHONPATH=.:rabbitmq-source python -m bridge ingress|dispatcher|source|declare …`: one part of the bridge.

RABBITMQ_URL says where RabbitMQ is. HOST and PORT are the ingress's.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from aiohttp import web

from bridge import topology
from bridge.bridge import Bridge
from bridge.connection import connected
from bridge.errors import BridgeError
from functions.shared.proxy import Forwarder
from knative.ingress import Ingress
from knative.local import kustomize, manifests
from knative.local.cluster import Cluster, Sink
from knative.local.errors import LocalError

__all__ = ["main"]

_OVERLAY = Path(__file__).parents[2] / "knative" / "overlays" / "local"
# Within the half minute that Kubernetes and systemd leave a process after SIGTERM.
_GRACE_SECONDS = 20
_READ_BUFFER = 256 * 1024
Item = TypeVar("Item")


def main() -> None:
    """Serve until SIGTERM or Ctrl-C. Exit status: 0; 1, with one message, when it cannot start."""
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    url = os.environ.get("RABBITMQ_URL", "")
    if urlsplit(url).scheme not in ("amqp", "amqps"):
        sys.exit("bridge: RABBITMQ_URL must say where RabbitMQ is: amqp://user:password@host:5672/vhost")
    try:
        cluster = manifests.read(kustomize.render(arguments.overlay))
        asyncio.run(_declare(cluster, url) if arguments.part == "declare" else _serve(arguments, cluster, url))
    except (LocalError, BridgeError, OSError) as error:
        sys.exit(f"bridge: {error}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bridge", description="Do the work of Knative's RabbitMQ broker.")
    parts = parser.add_subparsers(dest="part", required=True)
    for part, takes, text in (
        ("ingress", "a Broker", "take events in over HTTP"),
        ("dispatcher", "a Trigger", "deliver its events to its subscriber"),
        ("source", "a RabbitmqSource", "deliver the messages of its queue to its sink"),
    ):
        command = parts.add_parser(part, help=text)
        command.add_argument("name", help=f"the name of {takes} in the overlay")
        command.add_argument("--to", metavar="URL", help="where the sink is; without, its address in a cluster")
    parts.choices["dispatcher"].add_argument(
        "--dead-letters", action="store_true", help="deliver its dead letters to their sink instead"
    )
    parts.add_parser("declare", help="declare all exchanges, queues and bindings, and print their names")
    for command in parts.choices.values():
        command.add_argument(
            "--overlay", type=Path, default=_OVERLAY, help="kustomize directory (knative/overlays/local)"
        )
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace, cluster: Cluster, url: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def resolve(sink: Sink) -> str:
        return (arguments.to or cluster.url(sink)).rstrip("/")

    async with AsyncExitStack() as stack:
        forwarder = await stack.enter_async_context(Forwarder())
        bridge = await stack.enter_async_context(Bridge(cluster, url, forwarder, resolve))
        await _begin(arguments, cluster, bridge, stack)
        await stop.wait()
        await bridge.stop(_GRACE_SECONDS)


async def _begin(arguments: argparse.Namespace, cluster: Cluster, bridge: Bridge, stack: AsyncExitStack) -> None:
    name = arguments.name
    if arguments.part == "ingress":
        publisher = bridge.ingress(_named(name, cluster.brokers, "Broker"))
        await _listen(Ingress(publisher.publish), stack)
    elif arguments.part == "source":
        bridge.source(_named(name, {source.name: source for source in cluster.rabbitmq_sources}, "RabbitmqSource"))
    else:
        trigger = _named(name, {trigger.name: trigger for trigger in cluster.triggers}, "Trigger")
        (bridge.dead_letters if arguments.dead_letters else bridge.dispatcher)(trigger)


async def _listen(ingress: Ingress, stack: AsyncExitStack) -> None:
    server = web.Server(ingress.handle, access_log=None, auto_decompress=False, read_bufsize=_READ_BUFFER)
    runner = web.ServerRunner(server, shutdown_timeout=_GRACE_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    host, port = os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "8080"))
    await web.TCPSite(runner, host, port).start()
    logging.getLogger(__name__).info("taking events at http://%s:%d", host, port)


async def _declare(cluster: Cluster, url: str) -> None:
    wanted = [
        *topology.of_overlay(cluster),
        *(each for broker in cluster.brokers.values() for each in topology.of_broker(cluster, broker)),
    ]
    async with connected(url, "declare") as connection:
        await topology.declare(connection, wanted)
    names = topology.Names(cluster)
    for broker in cluster.brokers:
        print(f"Broker {broker}: EXCHANGE_NAME={names.exchange(broker)}")
    for trigger in cluster.triggers:
        print(
            f"Trigger {trigger.name}: QUEUE_NAME={names.queue(trigger)} DLX_NAME={names.dead_letter_exchange(trigger)}"
        )
        if trigger.delivery.dead_letter_sink:
            print(f"Trigger {trigger.name}, dead letters: DLX=true QUEUE_NAME={names.dead_letter_queue(trigger)}")
    for source in cluster.rabbitmq_sources:
        print(f"RabbitmqSource {source.name}: RABBITMQ_QUEUE_NAME={source.queue}")


def _named(name: str, among: Mapping[str, Item], kind: str) -> Item:
    if name not in among:
        raise LocalError(f"there is no {kind} {name} in the overlay, only: {', '.join(sorted(among)) or 'none'}")
    return among[name]


if __name__ == "__main__":
    main()
