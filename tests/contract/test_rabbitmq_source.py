"""The manifests of rabbitmq-source/: a queue that loses nothing, and a user that may only submit."""

from __future__ import annotations

import re
from pathlib import Path

from knative.local import kustomize

ROOT = Path(__file__).parents[2]
CLUSTER = {"name": "audiolift-rabbitmq"}
OBJECTS = {
    (each["kind"], each["metadata"]["name"]): each["spec"] for each in kustomize.render(ROOT / "rabbitmq-source")
}
SOURCE = OBJECTS["RabbitmqSource", "video-submitted"]


def test_all_is_in_the_rabbitmq_of_the_broker() -> None:
    broker = (ROOT / "knative" / "base" / "broker.yaml").read_text()
    assert f"name: {CLUSTER['name']}" in broker
    assert all(spec["rabbitmqClusterReference"] == CLUSTER for spec in OBJECTS.values())


def test_the_source_reads_a_queue_that_is_declared_and_keeps_what_is_refused() -> None:
    queues = {spec["name"]: spec for (kind, _), spec in OBJECTS.items() if kind == "Queue"}
    dead_letters = queues[SOURCE["rabbitmqResourcesConfig"]["queueName"]]["arguments"]["x-dead-letter-exchange"]
    bound = [spec["destination"] for (kind, _), spec in OBJECTS.items() if spec.get("source") == dead_letters]
    assert bound
    assert set(bound) <= set(queues)
    assert all(spec["type"] == "quorum" and spec["durable"] for spec in queues.values())
    assert SOURCE["rabbitmqResourcesConfig"]["predeclared"] is True


def test_a_full_queue_refuses_instead_of_dropping() -> None:
    policy = OBJECTS["Policy", "video-submitted"]
    assert policy["definition"]["overflow"] == "reject-publish"
    for (kind, _), spec in OBJECTS.items():
        if kind == "Queue":
            assert re.search(policy["pattern"], spec["name"])


def test_the_submitter_may_write_to_one_exchange_and_nothing_else() -> None:
    permissions = OBJECTS["Permission", "video-submitter"]["permissions"]
    names = {spec["name"] for (kind, _), spec in OBJECTS.items() if kind in ("Exchange", "Queue")}
    # RabbitMQ takes these as regular expressions that match anywhere in the name.
    assert {name for name in names if re.search(permissions["write"], name)} == {"audiolift.video-submitted"}
    assert permissions["configure"] == permissions["read"] == "^$"
