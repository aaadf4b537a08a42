"""`make replay` and `make resend`: what the broker gave up on or refused, by a filter, with one effect each."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest

from events.wire import Envelope
from functions.shared import database
from functions.shared.jobs import claims, transitions
from functions.shared.tables import audit, outbox
from functions.sweep import dead_letters, main, replay, resend
from tests.unit import rows
from tests.unit.sink import Sink

MODULES = {"replay": replay, "resend": resend}
pytestmark = pytest.mark.usefixtures("tables", "store")


def test_letters_are_listed_replayed_and_settled_by_what_they_are_and_each_is_sent_once(sink: Sink) -> None:
    for event_id, source, kind in (("1", "/cms", "a.v1"), ("2", "/cms", "b.v1"), ("3", "/shop", "b.v1")):
        dead_letters.record(foreign(event_id, source, kind))
    assert len(said("replay", "--type", "b.v1").splitlines()) == 2
    assert said("replay", "--state", "healed") == ""
    assert said("replay", "--type", "b.v1", "--source", "/cms", "--all").startswith("1 to be replayed")
    main.tick()
    assert [event.id for event in sink.received] == ["2"]
    # It was replayed: it is no longer what `--all` means.
    assert said("replay", "--all").startswith("2 to be replayed")
    main.tick()
    main.tick()
    assert sorted(event.id for event in sink.received) == ["1", "2", "3"]
    assert said("replay", "--settle", "--all", "--source", "/shop", "--state", "replayed") == "1 settled.\n"
    assert acts() == [
        ("dead-letters.replayed", {"type": "b.v1", "source": "/cms", "count": 1}),
        ("dead-letters.replayed", {"all": True, "count": 2}),
        ("dead-letters.settled", {"source": "/shop", "state": "replayed", "count": 1}),
    ]


def test_what_may_be_a_slip_is_refused() -> None:
    slips = ("1 --all", "1 --type a.v1", "--settle", "--settle 1 --all", "--settle 1 --type a.v1", "--state lost")
    assert [run("replay", *slip.split())[0] for slip in slips] == [2] * len(slips)
    assert acts() == []


def test_events_that_the_broker_refused_are_listed_and_sent_again_once(sink: Sink) -> None:
    job = rows.job("receiving")
    event_id = transitions.queue(claims.claim_upload(job), "talk.mp4", {}, 1000)
    refused = {"refusal": "the sink answers 413\x1b[31m", "set_aside_at": rows.ago(60), "attempts": 1}
    rows.change(
        outbox,
        outbox.c.event_id == event_id,
        created_at=rows.ago(90),
        sent_at=rows.ago(90),
        tried_at=rows.ago(60),
        **refused,
    )
    listed = said("resend")
    assert listed.startswith(f"{event_id} dev.audiolift.video.uploaded.v1 {job}, attempts: 1, set aside at 20")
    assert "413" in listed
    assert "\x1b" not in listed
    assert run("resend", "other")[0] == 1
    assert said("resend", event_id) == "1 to be sent at sweep's next ticks.\n"
    assert run("resend", "--all")[0] == 1
    main.tick()
    main.tick()
    assert [event.subject for event in sink.received] == [job]
    assert ("events.sent-again", {"ids": [event_id], "count": 1}) in acts()


def foreign(event_id: str, source: str, kind: str) -> Envelope:
    attributes = {"id": event_id, "source": source, "type": kind, "specversion": "1.0"}
    return Envelope({**attributes, "knativeerrorcode": "500"}, b"{}")


def run(name: str, *arguments: str) -> tuple[int, str]:
    """What `python -m functions.sweep.NAME` does. Returns: its status, and what it says."""
    said, status = io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(said):
        patch.setattr(sys, "argv", [name, *arguments])
        try:
            MODULES[name].main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
    return status, said.getvalue()


def said(name: str, *arguments: str) -> str:
    status, answer = run(name, *arguments)
    assert status == 0, answer
    return answer


def acts() -> list[tuple[str, dict[str, object]]]:
    """What was done by command line."""
    mine = audit.select().where(audit.c.actor == "command-line").order_by(audit.c.at)
    with database.reading() as connection:
        return [(row.action, row.target) for row in connection.execute(mine)]
