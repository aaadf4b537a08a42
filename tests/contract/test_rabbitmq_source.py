"""The manifests of rabbitmq-source/: queues that neither lose nor keep anything, a user that may only submit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from bridge.topology import Names, of_overlay

from knative.local import kustomize, manifests
from knative.local.cluster import Binding, Queue

ROOT = Path(__file__).parents[2]
CLUSTER = {"name": "audiolift-rabbitmq"}
OBJECTS = {
    (each["kind"], each["metadata"]["name"]): each["spec"] for each in kustomize.render(ROOT / "rabbitmq-source")
}
OVERLAYS = [ROOT / "knative" / "base", *sorted((ROOT / "knative" / "overlays").iterdir())]
BASE = manifests.read(kustomize.render(OVERLAYS[0]))
# With what their policies say.
QUEUES = {each.name: each.arguments for each in of_overlay(BASE) if isinstance(each, Queue)}
LONGEST_WAIT_MS = 10 * 60 * 1000


def sources() -> dict[str, Any]:
    """The RabbitmqSources, by the queue that each reads."""
    return {
        spec["rabbitmqResourcesConfig"]["queueName"]: {**spec, "name": name}
        for (kind, name), spec in OBJECTS.items()
        if kind == "RabbitmqSource"
    }


def after(queue: str) -> str:
    """The queue that gets the dead letters of a queue, by an exchange or, without one, by name."""
    exchange = QUEUES[queue]["x-dead-letter-exchange"]
    if not exchange:
        return str(QUEUES[queue]["x-dead-letter-routing-key"])
    bound = (each for each in of_overlay(BASE) if isinstance(each, Binding) and each.exchange == exchange)
    (binding,) = bound
    return binding.queue


def test_all_is_in_the_rabbitmq_of_the_broker() -> None:
    broker = (ROOT / "knative" / "base" / "broker.yaml").read_text()
    assert f"name: {CLUSTER['name']}" in broker
    assert all(spec["rabbitmqClusterReference"] == CLUSTER for spec in OBJECTS.values())


def test_every_queue_is_read_or_hands_on_in_time_what_it_holds() -> None:
    for name, arguments in QUEUES.items():
        if name not in sources():
            assert 0 < arguments["x-message-ttl"] <= LONGEST_WAIT_MS
            assert after(name) in sources()


def test_what_a_source_refuses_comes_back_to_one_that_brings_it_to_sweep() -> None:
    for queue, source in sources().items():
        assert source["rabbitmqResourcesConfig"]["predeclared"] is True
        back = after(queue) if after(queue) in sources() else after(after(queue))
        assert sources()[back]["sink"]["ref"]["name"] == "sweep"


def test_the_source_of_the_dead_is_named_so_that_sweep_finds_the_queue_that_a_message_was_in() -> None:
    from functions.sweep.parked import attributed
    from tests.unit.test_dead_letters import FOREIGN

    def source_of(queue: str) -> str:
        return f"/apis/v1/namespaces/{BASE.namespace}/rabbitmqsources/{sources()[queue]['name']}#{queue}"

    first, dead = "audiolift.video-submitted", "audiolift.video-submitted.dead"
    assert after(first) == dead
    assert attributed(FOREIGN.with_attributes(source=source_of(dead))).source == source_of(first)
    assert attributed(FOREIGN.with_attributes(source=source_of(first))).source == source_of(first)


def test_no_queue_drops_what_it_holds() -> None:
    for arguments in QUEUES.values():
        assert arguments["x-queue-type"] == "quorum"
        assert arguments["x-overflow"] == "reject-publish"
        assert arguments["x-dead-letter-strategy"] == "at-least-once"
    # Else RabbitMQ drops, as going round by itself, what was delivered often and settled by nobody.
    assert QUEUES["audiolift.video-submitted.dead"]["x-delivery-limit"] > 1_000_000


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_an_event_that_no_trigger_wants_is_a_dead_letter(overlay: Path) -> None:
    cluster = manifests.read(kustomize.render(overlay))
    policy = OBJECTS["Policy", "unwanted"]
    assert policy["applyTo"] == "exchanges"
    assert re.search(policy["pattern"], Names(cluster).exchange("audiolift"))
    for trigger in cluster.triggers:
        assert not re.search(policy["pattern"], Names(cluster).dead_letter_exchange(trigger))
    exchanges = [spec["name"] for (kind, _), spec in OBJECTS.items() if kind == "Exchange"]
    assert policy["definition"]["alternate-exchange"] in exchanges


def test_the_submitter_may_write_to_one_exchange_and_nothing_else() -> None:
    permissions = OBJECTS["Permission", "video-submitter"]["permissions"]
    names = {spec["name"] for (kind, _), spec in OBJECTS.items() if kind in ("Exchange", "Queue")}
    # RabbitMQ takes these as regular expressions that match anywhere in the name.
    assert {name for name in names if re.search(permissions["write"], name)} == {"audiolift.video-submitted"}
    assert permissions["configure"] == permissions["read"] == "^$"
