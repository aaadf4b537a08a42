"""What the tests of the bridge share: a cluster of one Broker, with subscribers that answer as a test says."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pika
import yaml
from aiohttp import web
from bridge.bridge import Bridge
from bridge.topology import Names
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker

from events import wire
from events.wire import Envelope
from functions.shared.proxy import Forwarder
from knative.ingress import Ingress
from knative.local import manifests
from knative.local.cluster import Cluster, Queue, Sink
from tests.patience import PATIENCE

MANIFESTS = (Path(__file__).parent / "fixtures" / "bridge.yaml").read_text(encoding="utf-8")
SERVICES = """
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: %s}
spec: {template: {spec: {containers: [{image: test, command: [none]}]}}}
"""


def objects(namespace: str) -> dict[str, dict[str, Any]]:
    """The manifests of the tests, by "Kind name"."""
    text = MANIFESTS.replace("NAMESPACE", namespace)
    found = [*yaml.safe_load_all(text), *(yaml.safe_load(SERVICES % name) for name in ("subscriber", "sink"))]
    for manifest in found:
        manifest["metadata"]["namespace"] = namespace
    return {f"{manifest['kind']} {manifest['metadata']['name']}": manifest for manifest in found}


def cluster(namespace: str, **trigger: Any) -> Cluster:
    """The cluster of the tests; `trigger` goes over the spec of its Trigger."""
    found = objects(namespace)
    found["Trigger numbers"]["spec"].update(trigger)
    return manifests.read(found.values())


class World:
    """A RabbitMQ with a namespace of its own in it, and the two Services. `seen`: the events by Service, in order.

    `statuses` says how the subscriber answers the deliveries of an event, by its id; the last one stays.
    Leaving it fails when events are left in RabbitMQ after `serving`.
    """

    def __init__(self, url: str, **trigger: Any) -> None:
        self.url = url
        self.cluster = cluster(f"test-{uuid.uuid4().hex[:12]}", **trigger)
        self.names = Names(self.cluster)
        self.trigger = self.cluster.triggers[0]
        self.seen: dict[str, list[Envelope]] = defaultdict(list)
        self.headers: list[dict[str, str]] = []
        self.statuses: dict[str, list[int]] = {}
        self.reply: Callable[[Envelope], web.Response] = lambda _: web.Response(status=204)
        self.sink_status = 204
        self.letters_taken = 0
        self._served = False
        self.gate = asyncio.Event()
        self.gate.set()
        self._stack = AsyncExitStack()
        self._addresses: dict[str, str] = {}

    async def __aenter__(self) -> World:
        self.forwarder = await self._stack.enter_async_context(Forwarder())
        self.session = await self._stack.enter_async_context(aiohttp.ClientSession())
        self._addresses["subscriber"] = await self.listen(self._subscribe)
        self._addresses["sink"] = await self.listen(self._collect)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.gate.set()
        await self._stack.aclose()
        if kind is None and self._served:
            assert self.left() == 0

    def left(self) -> int:
        """How many events wait in RabbitMQ; those that a stopped dispatcher held are among them."""
        with amqp(self.url) as channel:
            queues = self.names.queue(self.trigger), self.names.dead_letter_queue(self.trigger)
            found = [channel.queue_declare(queue, passive=True).method.message_count for queue in queues if queue]
        return sum(found)

    async def listen(self, handler: Callable[[web.BaseRequest], Any]) -> str:
        """Serve on a free port until the end of the test. Returns: the address."""
        runner = web.ServerRunner(web.Server(handler, access_log=None), shutdown_timeout=1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    def address(self, sink: Sink) -> str:
        """Where a sink is in this test."""
        return self._addresses[sink.name]

    @asynccontextmanager
    async def bridge(self, url: str | None = None) -> AsyncIterator[Bridge]:
        """A bridge that does nothing yet, over the RabbitMQ or what `url` says."""
        async with Bridge(self.cluster, url or self.url, self.forwarder, self.address) as bridge:
            yield bridge

    def publish(self, body: bytes, queue: str = "in", **properties: Any) -> None:
        """Put a message into a queue of the RabbitmqSource, as another system does."""
        with amqp(self.url) as channel:
            channel.confirm_delivery()
            channel.basic_publish("", f"{self.cluster.namespace}.{queue}", body, pika.BasicProperties(**properties))

    def get(self, queue: str) -> bytes | None:
        """Take a message from a queue of the RabbitmqSource."""
        with amqp(self.url) as channel:
            _, _, body = channel.basic_get(f"{self.cluster.namespace}.{queue}", auto_ack=True)
        return body

    @asynccontextmanager
    async def sourcing(self, *names: str, seconds: float = PATIENCE) -> AsyncIterator[None]:
        """The RabbitmqSources of these names (outside unless said), once all queues are there; then stopped."""
        async with self.bridge() as bridge:
            for source in self.cluster.rabbitmq_sources:
                if source.name in (names or ("outside",)):
                    bridge.source(source)
            await eventually(self.declared)
            yield
            await bridge.stop(seconds)

    def waiting(self) -> int:
        """How many messages are in the queues of the RabbitmqSources."""
        names = [each.name for each in self.cluster.topology if isinstance(each, Queue)]
        with amqp(self.url) as channel:
            return sum(channel.queue_declare(name, passive=True).method.message_count for name in names)

    def declared(self) -> bool:
        """Whether the queues of the RabbitmqSources are there."""
        try:
            self.waiting()
        except ChannelClosedByBroker:
            return False
        return True

    def redirect(self, service: str, address: str) -> None:
        """Have what is for a Service go elsewhere."""
        self._addresses[service] = address

    @asynccontextmanager
    async def serving(self, url: str | None = None) -> AsyncIterator[str]:
        """Ingress, dispatcher and dead letters. Gives the ingress's address."""
        async with self.bridge(url) as bridge:
            ingress = await self.ingress(bridge)
            bridge.dispatcher(self.trigger)
            bridge.dead_letters(self.trigger)
            yield ingress
            await bridge.stop(PATIENCE)
            self._served = True

    async def ingress(self, bridge: Bridge) -> str:
        """Serve the ingress. Returns: its address."""
        return await self.listen(Ingress(bridge.ingress(self.cluster.brokers["test"]).publish).handle)

    async def post(self, ingress: str, statuses: tuple[int, ...] = (204,), **extra: str) -> str:
        """Send an event that the subscriber answers with these statuses. Returns: its id; asserts the 202."""
        event_id = extra.pop("id", uuid.uuid4().hex)
        self.statuses[event_id] = list(statuses)
        headers = {"ce-id": event_id, "ce-source": "/test", "ce-type": "numbers", "ce-specversion": "1.0"}
        headers |= {"content-type": "application/json", **{f"ce-{name}": value for name, value in extra.items()}}
        async with self.session.post(ingress + "/", data=b'{"n": 1}', headers=headers) as answer:
            assert answer.status == 202, await answer.text()
        return event_id

    def deliveries(self, service: str, event_id: str) -> list[Envelope]:
        """What a Service saw of an event."""
        return [event for event in self.seen[service] if event.id == event_id]

    async def _subscribe(self, request: web.BaseRequest) -> web.Response:
        event = await self._note("subscriber", request)
        await self.gate.wait()
        statuses = self.statuses.get(event.id, [204])
        status = statuses[min(len(self.deliveries("subscriber", event.id)), len(statuses)) - 1]
        return self.reply(event) if status == 200 else web.Response(status=status, text="" if status == 204 else "why")

    async def _collect(self, request: web.BaseRequest) -> web.Response:
        await self._note("sink", request)
        self.letters_taken += self.sink_status == 204
        return web.Response(status=self.sink_status)

    async def _note(self, service: str, request: web.BaseRequest) -> Envelope:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        event = wire.read(request.headers, await request.read())
        self.seen[service].append(event)
        return event


@contextmanager
def amqp(url: str) -> Iterator[BlockingChannel]:
    """A channel of pika's own, as another system has it."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        yield connection.channel()
    finally:
        connection.close()


async def eventually(condition: Callable[[], Any]) -> None:
    """Wait until the condition holds; an assertion error when it does not in time."""
    for _ in range(PATIENCE * 50):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"after {PATIENCE} seconds it still did not hold")


def structured(**attributes: Any) -> bytes:
    """An event in JSON format."""
    return json.dumps({"specversion": "1.0", "id": "1", "source": "/test", "type": "numbers", **attributes}).encode()
