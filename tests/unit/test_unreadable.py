"""functions/sweep: what reaches the dead letters and is no event is kept as it came, and answered 204."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.shared import database, outbox
from functions.shared.jobs import claims, transitions
from functions.shared.tables import dead_letters as table
from functions.sweep import main
from tests import asgi
from tests.unit import rows
from tests.unit.sink import Sink

pytestmark = pytest.mark.usefixtures("tables", "store")

Asked = tuple[dict[str, str], bytes]
GOOD = {"ce-specversion": "1.0", "ce-id": "7", "ce-source": "/cms", "ce-type": "com.example.thing.v1"}
OURS = {**GOOD, "ce-source": "/audiolift/upload", "ce-type": "dev.audiolift.video.uploaded.v1", "ce-subject": "a\tb"}
STRUCTURED = {"Content-Type": "application/cloudevents+json"}
# What Knative's dispatcher adds, and what stands for one hop or one try.
HOP = {"User-Agent": "Go-http-client/1.1", "X-Request-Id": "1", "Traceparent": "00-1", "ce-knativeerrorcode": "500"}
UNREADABLE: dict[str, Asked] = {
    "a subject with a tab": ({**GOOD, "ce-subject": "a\tb"}, b"{}"),
    "an older specversion": ({**GOOD, "ce-specversion": "0.3"}, b"{}"),
    "no id": ({name: value for name, value in GOOD.items() if name != "ce-id"}, b"{}"),
    "an odd name": ({**GOOD, "ce-x.y": "v"}, b"{}"),
    "bytes that are no text": ({**GOOD, "ce-id": "%00\xff"}, b"\x00\xff"),
    "structured rubbish": (STRUCTURED, b"{"),
    "structured nesting without end": (STRUCTURED, b"[" * 100_000),
    "structured with a wrong specversion": (
        STRUCTURED,
        b'{"specversion": "0.3", "id": "7", "source": "/cms", "type": "t"}',
    ),
    "a batch": ({"Content-Type": "application/cloudevents-batch+json"}, b"[]"),
    "no event at all": ({"Content-Type": "text/plain"}, b"hello"),
    "nothing": ({}, b""),
}


@pytest.mark.parametrize("asked", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_event_is_kept_as_it_came(asked: Asked) -> None:
    headers, body = asked
    assert deliver({**headers, "ce-knativeerrorcode": "500", "ce-knativeerrordest": "http://upload/"}, body) == 204
    (letter,) = kept()
    lowered = {name.lower(): value for name, value in headers.items()}
    assert (letter.data, letter.state, lowered.items() <= letter.headers.items()) == (body, "unreadable", True)
    assert letter.reason.startswith("500 http://upload/ (it cannot be read: ")


@pytest.mark.parametrize("asked", UNREADABLE.values(), ids=UNREADABLE)
def test_the_same_request_again_is_the_same_letter(asked: Asked) -> None:
    headers, body = asked
    for number in range(2):
        again = {**HOP, "X-Request-Id": str(number), "ce-knativeerrorcode": str(500 + number)}
        assert deliver({**headers, **again}, body) == 204
    assert len(kept()) == 1


def test_another_body_or_another_attribute_is_another_letter() -> None:
    for headers, body in ((GOOD, b"{}"), (GOOD, b"[]"), ({**GOOD, "ce-id": "8"}, b"{}")):
        assert deliver({**headers, "ce-subject": "a\tb"}, body) == 204
    assert len(kept()) == 3


def test_no_credentials_are_kept() -> None:
    names = ("Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "X-Access-Token", "X-Amz-Signature")
    assert deliver({"ce-id": "1", **dict.fromkeys(names, "hunter2")}, b"{") == 204
    assert "hunter2" not in json.dumps([kept()[0].headers, kept()[0].attributes, kept()[0].reason])


def test_no_more_is_kept_than_the_databases_take() -> None:
    headers = {**GOOD, "ce-specversion": "0.3", **{f"ce-ext{number}": "x" * 100_000 for number in range(19)}}
    assert deliver(headers, b"x" * 5_000_000) == 204
    (letter,) = kept()
    assert (len(letter.data), len(json.dumps(letter.headers)) < 1_100_000) == (2 * 1024 * 1024, True)
    assert "too large" in letter.reason


def test_a_database_that_is_away_is_the_only_reason_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:////nowhere/at/all.db")
    database.engine.cache_clear()
    assert deliver(*UNREADABLE["structured rubbish"]) == 503


def test_a_job_that_it_is_about_is_failed_as_by_a_readable_one(sink: Sink) -> None:
    job, event_id = queued()
    sink.received.clear()
    assert deliver({**OURS, "ce-id": event_id, "ce-knativeerrorcode": "500"}, b"{}") == 204
    assert (rows.read(job).state, sink.types()) == ("failed", ["conversion.failed"])


def test_one_that_was_never_delivered_is_replayed_as_it_was_by_itself(sink: Sink) -> None:
    headers, body = UNREADABLE["a subject with a tab"]
    assert deliver({**headers, **HOP, "Content-Type": "text/x", "ce-knativeerrorcode": "-1"}, body) == 204
    main.tick()
    ((sent, data),) = sink.requests
    arrived = {name.lower(): value for name, value in sent.items()}
    assert ({**GOOD, "ce-subject": "a\tb", "content-type": "text/x"}.items() <= arrived.items(), data) == (True, body)
    assert not {"ce-knativeerrorcode", "x-request-id"} & set(arrived)
    assert [(letter.state, letter.replays) for letter in kept()] == [("replayed", 1)]


def test_one_that_the_sink_refuses_says_so_and_stays_on_the_list(sink: Sink) -> None:
    deliver(*UNREADABLE["structured rubbish"])
    rows.change(table, table.c.id.is_not(None), state="wanted")
    sink.status = 400
    main.tick()
    (letter,) = kept()
    assert (letter.state, letter.replays, letter.note) == ("unreadable", 1, "not replayed: the sink answers 400")


def test_of_one_that_is_about_an_event_of_ours_the_event_is_sent_not_the_rubbish(sink: Sink) -> None:
    _, event_id = queued()
    deliver({**OURS, "ce-id": event_id, "ce-knativeerrorcode": "500"}, b"{}")
    sink.received.clear()
    rows.change(table, table.c.id.is_not(None), state="wanted")
    main.tick()
    assert sink.types() == ["video.uploaded"]


def deliver(headers: dict[str, str], body: bytes) -> int:
    """Sweep's answer to a dead letter."""
    return asgi.answered(main.on_event, "POST", headers, body).status


def kept() -> list[Any]:
    """All dead letters, whole."""
    with database.reading() as connection:
        return list(connection.execute(table.select()).all())


def queued() -> tuple[str, str]:
    """A queued job, and the id of its event, which was sent."""
    job = rows.job("receiving")
    event_id = transitions.queue(claims.claim_upload(job), "talk.mp4", {}, 1000)
    outbox.send(event_id)
    return job, event_id
