"""What only a newer release writes: reasons, kinds of events, channels, outcomes. Whoever reads it here goes on."""

from __future__ import annotations

import io
import json
import subprocess
import uuid
import zipfile
from pathlib import Path

import msgspec
import pytest

from events.catalogue import ConversionFailed
from events.wire import Envelope
from functions.download import export, listing
from functions.download.shapes import PageQuery
from functions.notify import deliveries, fanout
from functions.notify.notice_shapes import DeliveryQuery
from functions.shared import audit as acting
from functions.shared import database
from functions.shared.audit import COMMAND_LINE
from functions.shared.jobs import transitions
from functions.shared.reasons import Failure
from functions.shared.tables import dead_letters, job_events, jobs, notice_attempts, notifications, now, outbox
from functions.sweep import administration, main, replays, timeline
from functions.sweep import dead_letters as recording
from functions.sweep.event_shapes import RefusedQuery
from functions.sweep.shapes import AuditQuery, LetterQuery
from knative.client.models import Job
from tests.provision import need
from tests.system import ROOT
from tests.unit import rows
from tests.unit.sink import Sink

NEW, KIND = "of-tomorrow", "dev.audiolift.audio.admired.v9"
PAGE = ROOT / "functions/gateway/page/core"


@pytest.fixture
def job(tables: None, store: None, secrets: dict[str, str], mails: Path) -> str:
    """A job of Anna's that failed, with all of that about it."""
    user = rows.user("anna@example.com")
    job = rows.job(owner=user)
    transitions.fail(job, Failure("no-audio"))
    told = {"job_id": job, "kind": KIND, "generation": 0, "channel": "telepathy", "endpoint": "", "user_id": user}
    times = {"claimed_at": rows.ago(9), "created_at": rows.ago(9), "due_at": rows.ago(5)}
    tried = {"delivery_id": "d", "user_id": user, "at": rows.ago(9), "outcome": NEW}
    rows.change(jobs, jobs.c.id == job, error_code=NEW, error_detail="Wait.", options={NEW: {"deep": [1]}})
    rows.change(jobs, jobs.c.id == job, warnings=[{"code": NEW, "values": {"x": 1}}])
    with database.transaction() as connection:
        connection.execute(job_events.insert().values(job_id=job, state=NEW, progress=0.5, at=now()))
        connection.execute(notifications.insert().values(**told, **times, delivery_id="d", tries=1))
        connection.execute(notice_attempts.insert().values(**tried))
        event = {"event_id": uuid.uuid4().hex, "job_id": job, "type": KIND, "data": {"job_id": job}, "attempts": 0}
        connection.execute(outbox.insert().values(**event, created_at=rows.ago(90)))
        acting.write(connection, COMMAND_LINE, f"jobs.{NEW}", {"count": 1})
    recording.record(Envelope({"id": "7", "source": "/x", "type": KIND, "subject": job, "specversion": "1.0"}, b"{}"))
    rows.change(dead_letters, dead_letters.c.event_id == "7", state=NEW)
    return job


def test_whoever_reads_it_shows_it_by_its_own_name(job: str, sink: Sink) -> None:
    owner = rows.read(job).user_id
    (shown,) = listing.page(owner, PageQuery()).items
    by_client = msgspec.json.decode(msgspec.json.encode(shown), type=Job)
    assert by_client.error
    assert (by_client.error.code, by_client.error.title, by_client.warnings[0].text) == (NEW, NEW, NEW)
    (told,) = deliveries.page(owner, DeliveryQuery()).items
    assert (told.type, told.attempts[0].outcome) == (KIND, NEW)
    with zipfile.ZipFile(io.BytesIO(b"".join(export.pieces(owner)))) as archive:
        assert all(NEW in archive.read(f"{name}.ndjson").decode() for name in ("jobs", "job_events", "notice_attempts"))


def test_an_operator_sees_it(job: str) -> None:
    steps = timeline.of(job).steps
    assert {NEW, KIND} <= {step.name for step in steps}
    assert {count.reason for count in administration.job_counts().items} == {NEW}
    assert administration.acts(AuditQuery()).items[0].action == f"jobs.{NEW}"
    assert [letter.state for letter in administration.letter_page(LetterQuery()).items] == [NEW]
    assert [letter.state for letter in replays.listed()] == [NEW]


def test_its_owner_is_told_of_the_failure_and_sweep_does_its_work_beside_it(job: str, sink: Sink, mails: Path) -> None:
    other = rows.job()
    fanout.tell(job, ConversionFailed)
    (sent,) = mails.iterdir()
    assert NEW in sent.read_text()
    main.tick()
    assert administration.refused_page(RefusedQuery()).items[0].type == KIND
    assert rows.read(other).state == "queued"


def test_the_page_has_words_for_what_it_knows_and_shows_the_rest_as_it_is() -> None:
    told = {"code": NEW, "title": "Too new", "detail": "Wait."}
    script = f"""
      import {{ load }} from "{(PAGE / "words.js").as_uri()}";
      import {{ saidOfJob, said, problemOf }} from "{(PAGE / "problem.js").as_uri()}";
      import {{ stateLabel, isActive }} from "{(PAGE / "format.js").as_uri()}";
      await load("de");
      const answer = JSON.stringify({json.dumps(told)});
      console.log(JSON.stringify([
        saidOfJob({json.dumps(told)}), said(problemOf(418, answer)), stateLabel("{NEW}"),
        isActive({{ state: "{NEW}" }}),
        saidOfJob({{ code: "no-audio", title: "x", detail: "y" }}).title !== "x",
      ]));
    """
    command = [need("node"), "--input-type=module", "--no-warnings", "--eval", script]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PAGE)
    as_it_is = {"title": "Too new.", "detail": "Wait."}
    assert json.loads(answer.stdout) == [as_it_is, as_it_is, NEW, True, True]
