"""The bridge over a real RabbitMQ: what becomes of an event at each answer of its subscriber.

After each of these RabbitMQ must have nothing left: World sees to that.
"""

from __future__ import annotations

import asyncio
import base64

import pytest
from aiohttp import web
from bridge import message
from pika.spec import BasicProperties

from events.wire import Envelope
from knative.delivery import MAX_EVENT_BYTES
from tests.integration.bridge_world import World, amqp, eventually
from tests.servers import RabbitMQ


def test_an_event_arrives_whole_and_once(rabbitmq: RabbitMQ) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world, world.serving() as ingress:
            event_id = await world.post(ingress, subject="s", time="2026-01-02T03:04:05Z", extra="e")
            await eventually(lambda: world.seen["subscriber"])
            (event,) = world.seen["subscriber"]
            assert event.attributes == {
                **{"id": event_id, "source": "/test", "type": "numbers", "specversion": "1.0", "subject": "s"},
                **{"time": "2026-01-02T03:04:05Z", "extra": "e", "datacontenttype": "application/json"},
            }
            assert event.data == b'{"n": 1}'

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [404, 408, 409, 429, 500, 502, 503, 504])
def test_these_are_retried_then_go_to_the_dead_letters(rabbitmq: RabbitMQ, status: int) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world, world.serving() as ingress:
            event_id = await world.post(ingress, (status,))
            await eventually(lambda: world.seen["sink"])
            assert len(world.deliveries("subscriber", event_id)) == 3
            (letter,) = world.seen["sink"]
            assert letter.attributes["knativeerrorcode"] == str(status)
            subscriber = f"http://subscriber.{world.cluster.namespace}.svc.cluster.local"
            assert letter.attributes["knativeerrordest"] == subscriber
            assert base64.b64decode(letter.attributes["knativeerrordata"]) == b"why"
            assert letter.data == b'{"n": 1}'

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [304, 400, 401, 403, 405, 410, 413, 415, 422, 425])
def test_these_are_acknowledged_and_lost(rabbitmq: RabbitMQ, status: int) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world, world.serving() as ingress:
            event_id = await world.post(ingress, (status,))
            await eventually(lambda: world.deliveries("subscriber", event_id))
            assert len(world.deliveries("subscriber", event_id)) == 1
            assert not world.seen["sink"]

    asyncio.run(scenario())


def test_a_retry_that_works_ends_it(rabbitmq: RabbitMQ) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world, world.serving() as ingress:
            event_id = await world.post(ingress, (503, 503, 204))
            await eventually(lambda: len(world.deliveries("subscriber", event_id)) == 3)
            assert not world.seen["sink"]

    asyncio.run(scenario())


def test_no_answer_is_code_minus_one(rabbitmq: RabbitMQ) -> None:
    async def scenario() -> None:
        slow = {"retry": 0, "timeout": "PT0.3S", "deadLetterSink": {"ref": {"kind": "Service", "name": "sink"}}}
        async with World(rabbitmq.url, delivery=slow) as world, world.serving() as ingress:
            world.gate.clear()
            await world.post(ingress)
            await eventually(lambda: world.seen["sink"])
            assert world.seen["sink"][0].attributes["knativeerrorcode"] == "-1"

    asyncio.run(scenario())


def test_a_dead_letter_sink_that_is_down_is_waited_for(rabbitmq: RabbitMQ) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world, world.serving() as ingress:
            world.sink_status = 400
            event_id = await world.post(ingress, (503,))
            await eventually(lambda: len(world.seen["sink"]) > 5)
            world.sink_status = 204
            await eventually(lambda: world.letters_taken)
            assert {letter.id for letter in world.seen["sink"]} == {event_id}

    asyncio.run(scenario())


def test_a_reply_is_published_before_its_cause_is_acknowledged(rabbitmq: RabbitMQ) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world, world.serving() as ingress:
            world.reply = lambda event: _reply("answer") if event.id != "answer" else web.Response(status=204)
            await world.post(ingress, (200,))
            await eventually(lambda: world.deliveries("subscriber", "answer"))

    asyncio.run(scenario())


@pytest.mark.parametrize("text", ["OK", ""])
def test_an_answer_that_is_no_event_is_done(rabbitmq: RabbitMQ, text: str) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world, world.serving() as ingress:
            world.reply = lambda _: web.Response(text=text)
            await world.post(ingress, (200,))
            await eventually(lambda: world.seen["subscriber"])
            assert len(world.seen["subscriber"]) == 1

    asyncio.run(scenario())


def test_without_a_dead_letter_sink_an_event_that_fails_is_gone(rabbitmq: RabbitMQ) -> None:
    async def scenario() -> None:
        delivery = {"retry": 1, "backoffDelay": "PT0.01S"}
        async with World(rabbitmq.url, delivery=delivery) as world, world.serving() as ingress:
            event_id = await world.post(ingress, (500,))
            await eventually(lambda: len(world.deliveries("subscriber", event_id)) == 2)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"type": "numbers"}, b"garbage"),
        ({"type": "numbers", "specversion": "0.3", "id": "1", "source": "/x"}, b"{}"),
        ({"type": "numbers", "specversion": "1.0", "source": "/x"}, b"{}"),
        ({"type": "numbers", "specversion": "1.0", "id": "a\r\nX-Evil: 1", "source": "/x"}, b"{}"),
        ({"type": "numbers", "specversion": "1.0", "id": "1", "source": "/x", "big": "b" * 9000}, b"{}"),
        ({"type": "numbers", "specversion": "1.0", "id": "1", "source": "/x"}, b"x" * (MAX_EVENT_BYTES + 1)),
    ],
)
def test_what_cannot_be_delivered_is_a_dead_letter(rabbitmq: RabbitMQ, headers: dict[str, str], body: bytes) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world, world.serving() as ingress:
            await world.post(ingress)
            with amqp(rabbitmq.url) as channel:
                channel.basic_publish(world.names.exchange("test"), "", body, BasicProperties(headers=dict(headers)))
            await eventually(lambda: world.seen["sink"])
            (letter,) = world.seen["sink"]
            assert letter.attributes["knativeerrorcode"] in ("400", "413")
            assert letter.data == body[:MAX_EVENT_BYTES]

    asyncio.run(scenario())


def test_what_rabbitmq_itself_gave_up_on_says_that_nobody_answered(rabbitmq: RabbitMQ) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world, world.bridge() as bridge:
            ingress = await world.ingress(bridge)
            event_id = await world.post(ingress)
            with amqp(rabbitmq.url) as channel:
                method, _, _ = channel.basic_get(world.names.queue(world.trigger))
                assert method
                channel.basic_nack(method.delivery_tag, requeue=False)
            bridge.dead_letters(world.trigger)
            await eventually(lambda: world.deliveries("sink", event_id))
            assert world.seen["sink"][0].attributes["knativeerrorcode"] == "-1"

    asyncio.run(scenario())


def test_an_event_in_json_format_is_delivered_in_binary_mode(rabbitmq: RabbitMQ) -> None:
    async def scenario() -> None:
        async with World(rabbitmq.url) as world, world.serving() as ingress:
            headers = {"content-type": "application/cloudevents+json"}
            body = b'{"specversion":"1.0","id":"7","source":"/x","type":"numbers","data":{"a":1}}'
            async with world.session.post(ingress + "/", data=body, headers=headers) as answer:
                assert answer.status == 202
            await eventually(lambda: world.deliveries("subscriber", "7"))
            assert world.headers[0]["ce-specversion"] == "1.0"
            assert world.seen["subscriber"][0].data == b'{"a": 1}'

    asyncio.run(scenario())


def test_the_trace_of_the_request_goes_along(rabbitmq: RabbitMQ) -> None:
    async def scenario() -> None:
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        async with World(rabbitmq.url) as world, world.serving() as ingress:
            headers = {"ce-id": "1", "ce-source": "/x", "ce-type": "numbers", "ce-specversion": "1.0"}
            async with world.session.post(ingress + "/", data=b"", headers={**headers, "traceparent": trace}):
                pass
            await eventually(lambda: world.headers)
            assert world.headers[0]["traceparent"] == world.headers[0]["ce-traceparent"] == trace

    asyncio.run(scenario())


def test_messages_and_events_are_the_same_both_ways() -> None:
    attributes = {"id": "1", "source": "/x", "type": "t", "specversion": "1.0", "time": "2026-01-01T00:00:00Z"}
    event = Envelope({**attributes, "knativeerrorcode": "-1", "datacontenttype": "text/plain"}, b"data")
    properties, body = message.to_message(event)
    assert message.from_message(properties, body) == event


def _reply(event_id: str) -> web.Response:
    headers = {"ce-id": event_id, "ce-source": "/reply", "ce-type": "numbers", "ce-specversion": "1.0"}
    return web.Response(body=b"{}", headers={**headers, "content-type": "application/json"})
