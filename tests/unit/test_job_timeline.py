"""functions/sweep/timeline.py: the course of a job, put together from its rows."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from events.catalogue import AudioCreated
from events.wire import Envelope
from functions.notify import ledger
from functions.notify.channels import Notice
from functions.shared import database, outbox, trace
from functions.shared.jobs import claims, leases, transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import Problem
from functions.shared.tables import jobs
from functions.shared.trace import Trace
from functions.sweep import dead_letters, timeline
from tests.unit import rows
from tests.unit.sink import Sink

pytestmark = pytest.mark.usefixtures("tables", "store")

TRACE = Trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


def test_a_jobs_course_has_its_states_its_events_and_every_try_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    job = rows.job("receiving", rows.user("anna@example.com"), filename="secret.mp4")
    with Sink() as sink, trace.following(TRACE):
        monkeypatch.setenv("K_SINK", sink.url)
        outbox.send(transitions.queue(claims.claim_upload(job), "secret.mp4", {}, 10))
    claim = claims.claim(job)
    assert claim
    leases.renew(claim, 0.3)
    leases.renew(claim, 0.7)
    transitions.finish(claim, Audio(5, "ab" * 32, 1.0))
    told(job)
    course = timeline.of(job)
    assert [step.name for step in course.steps if step.kind == "state"] == ["receiving", "queued", "converting", "done"]
    uploaded, created = (step for step in course.steps if step.kind == "event")
    assert uploaded.sent_at
    assert uploaded.ended_at
    assert (uploaded.attempts, created.sent_at, created.ended_at) == (1, None, None)
    assert {step.trace_id for step in (uploaded, created)} == {TRACE.trace_id}
    assert course.trace_ids == [TRACE.trace_id]
    (notice,) = (step for step in course.steps if step.kind == "notice")
    assert (notice.name, notice.outcome, notice.detail) == ("mail", "refused", "no such mailbox")
    assert [step.began_at for step in course.steps] == sorted(step.began_at for step in course.steps)
    ends = {step.name: step.ended_at for step in course.steps if step.kind == "state"}
    begins = {step.name: step.began_at for step in course.steps if step.kind == "state"}
    assert (ends["queued"], ends["done"]) == (begins["converting"], begins["done"])
    assert not [word for word in ("secret", "anna") if word in msgspec.json.encode(course).decode()]


def test_what_the_broker_gave_up_on_is_part_of_it() -> None:
    job = rows.job("receiving", rows.user())
    event_id = transitions.queue(claims.claim_upload(job), "talk.mp4", {}, 10)
    row = outbox.read(event_id)
    about = {"id": event_id, "source": "/audiolift/upload", "type": row.type, "specversion": "1.0", "subject": job}
    dead_letters.record(Envelope({**about, "knativeerrorcode": "500"}, b"{}"))
    (letter,) = (step for step in timeline.of(job).steps if step.kind == "dead-letter")
    assert (letter.name, letter.outcome) == (row.type, "recorded")
    assert timeline.of(job).job.state == "failed"


def test_of_a_job_that_is_not_there_nothing_is_said() -> None:
    with pytest.raises(Problem) as caught:
        timeline.of("0" * 32)
    assert caught.value.code == "not-found"


def told(job_id: str) -> None:
    """Try to mail the owner, who has moved."""
    with database.reading() as connection:
        job: Any = connection.execute(jobs.select().where(jobs.c.id == job_id)).one()
    attempt = ledger.begin(Notice(job, AudioCreated.TYPE), "mail", "", 60)
    assert attempt
    ledger.finish(attempt, "no such mailbox")
