"""functions/sweep: what a source could not bring to the broker, and what no Trigger wanted."""

from __future__ import annotations

import logging

import pytest

from functions.sweep import dead_letters, main
from tests.unit.sink import Sink
from tests.unit.test_dead_letters import FOREIGN, kept

pytestmark = pytest.mark.usefixtures("tables", "store")

SOURCE = "/apis/v1/namespaces/audiolift/rabbitmqsources/video-submitted"
QUEUE, DEAD = f"{SOURCE}#audiolift.video-submitted", f"{SOURCE}-dead#audiolift.video-submitted.dead"


def test_it_is_kept_whole_and_told_and_sent_to_the_broker_at_the_next_tick(
    sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        dead_letters.record(FOREIGN)
    (letter,) = kept()
    assert (letter.attributes, letter.data, letter.reason) == (FOREIGN.attributes, FOREIGN.data, "not delivered")
    assert f"dead letter {letter.id}: com.example.thing.v1" in caplog.text
    main.tick()
    assert [(event.id, event.source, event.data) for event in sink.received] == [("7", "/cms", FOREIGN.data)]
    assert [(letter.state, letter.replays) for letter in kept()] == [("replayed", 1)]


def test_one_that_comes_again_and_again_is_sent_ten_times_and_then_waits(sink: Sink) -> None:
    for _ in range(12):
        dead_letters.record(FOREIGN)
        main.tick()
    assert len(sink.received) == 10
    assert [(letter.state, letter.replays) for letter in kept()] == [("recorded", 10)]


def test_a_message_is_of_the_queue_that_it_was_sent_to(sink: Sink) -> None:
    dead_letters.record(FOREIGN.with_attributes(source=DEAD))
    dead_letters.record(FOREIGN.with_attributes(source=QUEUE, knativeerrorcode="500"))
    (letter,) = kept()
    assert letter.attributes["source"] == QUEUE
    main.tick()
    assert [event.source for event in sink.received] == [QUEUE]


@pytest.mark.parametrize("source", ["/cms", QUEUE, DEAD.replace(".dead", ""), DEAD.replace("-dead", ""), f"x{DEAD}"])
def test_any_other_source_is_left_as_it_is(source: str) -> None:
    dead_letters.record(FOREIGN.with_attributes(source=source))
    assert kept()[0].attributes["source"] == source
