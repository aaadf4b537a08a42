"""functions.upload.by_url and batches: jobs whose videos are fetched by URL, one by one and by the thousand."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

import functions.upload.admission as admission
from events.catalogue import VideoSubmitted
from functions.download import listing
from functions.download.shapes import PageQuery
from functions.shared import audit, database, outbox
from functions.shared.api import json_response
from functions.shared.blobs import Blobs
from functions.shared.jobs import deletion
from functions.shared.jobs.states import State
from functions.shared.problems import Problem
from functions.shared.tables import batches as batch_table
from functions.shared.tables import jobs
from functions.shared.tables import outbox as outbox_table
from functions.shared.views import Job
from functions.sweep import events, files
from functions.sweep import retention as sweep_rows
from functions.upload import batches, by_url, intake
from functions.upload.url_shapes import BatchItem, NewBatch
from tests import asgi
from tests.unit import rows
from tests.unit.sink import Sink

pytestmark = pytest.mark.usefixtures("tables")

URL = "https://media.example.com/videos/Lecture%203.mp4?token=x"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def recount(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has counted the jobs that wait."""
    monkeypatch.setattr(admission, "_counted", (-10.0, 0))


def posted(owner: str, body: Any, key: str | None = None) -> tuple[int, Any]:
    """What `by_url.create` makes of a request with this JSON: 200 and [job's id, event's id], or a problem."""

    def handler(request: Request) -> Response:
        return json_response(by_url.create(request, owner, key))

    answer = asgi.answered(handler, "POST", JSON, json.dumps(body).encode())
    return answer.status, json.loads(answer.body)


def accepted(owner: str, body: Any, key: str | None = None) -> Any:
    status, (job_id, _) = posted(owner, body, key)
    assert status == 200
    return rows.read(job_id)


def refused(owner: str, body: Any, key: str | None = None) -> tuple[int, str, str]:
    status, problem = posted(owner, body, key)
    return status, problem["code"], problem["detail"]


def batch(owner: str, *items: Any, key: str | None = None) -> list[BatchItem]:
    batch_id, _ = batches.create(owner, NewBatch(list(items)), key)
    return batches.view(batch_id).items


def test_a_url_becomes_a_job_and_the_event_that_has_it_fetched() -> None:
    job = accepted(rows.user(), {"source_url": URL, "options": {"quality": 3, "trim_silence": True}})
    assert (job.state, job.source_url, job.filename) == (State.RECEIVING, URL, "Lecture 3.mp4")
    assert (job.options, job.lease_until) == ({"quality": 3, "trim_silence": True}, None)
    (event,) = rows.messages(job.id)
    assert (event.type, event.data) == (
        VideoSubmitted.TYPE,
        {"url": URL, "filename": "Lecture 3.mp4", "options": job.options},
    )


def test_a_name_that_is_given_is_cleaned_and_taken() -> None:
    assert accepted(rows.user(), {"source_url": URL, "filename": "../a\nb.mp4"}).filename == "ab.mp4"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "`source_url`"),
        ({"source_url": 1}, "`source_url`"),
        ({"source_url": URL, "sourceUrl": URL}, "`sourceUrl`"),
        ({"source_url": URL, "quality": 2}, "`quality`"),
        ({"source_url": URL, "options": {"qualty": 2}}, "`qualty`"),
        ({"source_url": URL, "options": {"quality": 11}}, "`quality`"),
        ({"source_url": URL, "options": [1]}, "`options`"),
        ({"source_url": URL, "filename": 7}, "`filename`"),
        ({"source_url": "https://example.com/" + "x" * 2000}, "`source_url`"),
        ({"source_url": "ftp://example.com/x"}, "`source_url`"),
        ({"source_url": "http://user:secret@example.com/x"}, "`source_url`"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_left(body: Any, named: str) -> None:
    owner = rows.user()
    status, _, detail = refused(owner, body)
    assert (status, named in detail) == (400, True), detail
    assert "secret" not in detail
    with database.reading() as connection:
        assert connection.execute(sa.select(jobs.c.id).where(jobs.c.user_id == owner)).all() == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "10.0.0.1",
        "169.254.169.254",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:a9fe:a9fe]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1%25eth0]",
        "[fd00:ec2::254]",
        "１２７.0.0.1",
        "１６９。２５４。１６９。２５４",
    ],
)
def test_an_address_that_is_not_public_is_refused_at_once_in_any_spelling(host: str) -> None:
    assert refused(rows.user(), {"source_url": f"http://{host}/x.mp4"})[:2] == (400, "bad-request")


def test_a_host_in_other_letters_is_kept_by_the_name_that_stands_for_it() -> None:
    job = accepted(rows.user(), {"source_url": "https://bücher.example/größe.mp4"})
    assert (job.source_url, job.filename) == ("https://xn--bcher-kva.example/gr%C3%B6%C3%9Fe.mp4", "größe.mp4")


@pytest.mark.parametrize("host", ["☃.example", "\u0430pple.com"])
def test_a_host_that_is_no_name_is_said_to_be_that(host: str) -> None:
    status, _, detail = refused(rows.user(), {"source_url": f"https://{host}/x.mp4"})
    assert (status, "Its host has letters" in detail) == (400, True)


def test_options_in_the_address_are_refused_by_name() -> None:
    scope = asgi.scope_of("POST", "/v1/jobs", JSON, "quality=2")
    with pytest.raises(Problem, match="`quality`"):
        by_url.create(Request(scope), "nobody", None)


def test_the_same_key_gives_the_same_job_whatever_has_become_of_it() -> None:
    owner, asked = rows.user(), {"source_url": URL, "options": {"quality": 1, "channels": 1}}
    job = accepted(owner, asked, "once")
    # Spelled otherwise, it is the same.
    again = {"options": {"channels": 1, "quality": 1}, "source_url": URL}
    for state, lease in ((State.RECEIVING, None), (State.RECEIVING, rows.ago(60)), (State.DONE, None)):
        rows.change(jobs, jobs.c.id == job.id, state=state, lease_until=lease)
        assert posted(owner, again, "once") == (200, [job.id, None])
    assert refused(owner, {"source_url": URL}, "once")[:2] == (422, "key-reused")
    assert accepted(rows.user(), asked, "once").id != job.id


def test_an_upload_with_the_key_of_a_fetch_is_refused_and_takes_nothing_away() -> None:
    owner = rows.user()
    job = accepted(owner, {"source_url": URL}, "once")
    rows.change(jobs, jobs.c.id == job.id, lease_until=rows.ago(60))
    with pytest.raises(Problem) as caught:
        intake.open_job(owner, "talk.mp4", {}, "once", "print", 0)
    assert (caught.value.code, rows.read(job.id).state) == ("key-reused", State.RECEIVING)


def test_quotas_and_admission_are_those_of_uploads(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = rows.user()
    monkeypatch.setenv("MAX_USER_JOBS", "1")
    accepted(owner, {"source_url": URL})
    assert refused(owner, {"source_url": URL})[:2] == (403, "quota-exceeded")
    monkeypatch.setenv("MAX_QUEUED_JOBS", "1")
    monkeypatch.setattr(admission, "_counted", (-10.0, 0))
    assert refused(rows.user(), {"source_url": URL})[:2] == (503, "too-busy")


def test_each_item_of_a_batch_has_its_own_result_in_order() -> None:
    owner = rows.user()
    found = batch(
        owner,
        {"source_url": URL, "options": {"quality": 1}},
        {"source_url": "http://127.0.0.1/x"},
        17,
        {"source_url": URL, "options": {"qualty": 1}},
        {"source_url": URL, "filename": "last.mp4"},
    )
    assert [item.status for item in found] == [202, 400, 400, 400, 202]
    assert isinstance(found[3].problem, dict)
    assert (found[3].problem["code"], "`qualty`" in found[3].problem["detail"]) == ("bad-option", True)
    names = [item.job.filename for item in found if isinstance(item.job, Job)]
    assert names == ["Lecture 3.mp4", "last.mp4"]


def test_a_batch_is_listed_in_the_order_of_its_items_and_nobody_else_sees_it() -> None:
    owner = rows.user()
    batch(owner, {"source_url": URL})
    batch_id, event_ids = batches.create(
        owner, NewBatch([{"source_url": URL, "filename": f"{number}.mp4"} for number in range(30)]), None
    )
    page = listing.page(owner, PageQuery(batch=batch_id, limit=100))
    assert [job.filename for job in page.items] == [f"{number}.mp4" for number in reversed(range(30))]
    assert {job.batch_id for job in page.items} == {batch_id}
    assert len(set(event_ids)) == 30
    assert listing.page(rows.user(), PageQuery(batch=batch_id)).items == []
    assert listing.page(owner, PageQuery(batch="")).items == []


@pytest.mark.parametrize("which", ["MAX_USER_JOBS", "MAX_QUEUED_JOBS"])
def test_the_first_items_get_what_room_there_is(monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    owner = rows.user()
    accepted(owner, {"source_url": URL})
    monkeypatch.setenv(which, "3")
    full = {"MAX_USER_JOBS": 403, "MAX_QUEUED_JOBS": 503}[which]
    found = batch(owner, {"source_url": URL}, {"source_url": "x"}, *[{"source_url": URL}] * 3)
    assert [item.status for item in found] == [202, 400, 202, full, full]
    assert [item.status for item in batch(owner, {"source_url": URL})] == [full]


def test_a_batch_of_an_account_that_has_no_room_at_all_is_told_so_by_item(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_USER_BYTES", "10")
    owner = rows.user()
    rows.job(State.QUEUED, owner, video_bytes=11)
    (item,) = batch(owner, {"source_url": URL})
    assert isinstance(item.problem, dict)
    assert (item.status, item.problem["quota"]) == (403, "stored_bytes")


def test_the_same_key_gives_the_same_batch_also_for_what_was_refused_or_deleted(store: Blobs) -> None:
    owner, items = rows.user(), [{"source_url": URL}, {"source_url": "x"}, {"source_url": URL}]
    first, events_of_first = batches.create(owner, NewBatch(items), "once")
    assert len(events_of_first) == 2
    assert batches.create(owner, NewBatch(items), "once") == (first, [])
    job = batches.view(first).items[0].job
    assert isinstance(job, Job)
    deletion.delete(rows.read(job.id), audit.SWEEP)
    assert [item.status for item in batches.view(first).items] == [404, 400, 202]
    with pytest.raises(Problem) as caught:
        batches.create(owner, NewBatch(items[:1]), "once")
    assert caught.value.code == "key-reused"
    assert batches.create(rows.user(), NewBatch(items), "once")[0] != first


def test_requests_with_one_key_in_one_moment_make_one_batch() -> None:
    owner, body = rows.user(), NewBatch([{"source_url": URL}] * 20)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: batches.create(owner, body, "once"), range(4)))
    assert len({batch_id for batch_id, _ in made}) == 1
    assert sorted(len(event_ids) for _, event_ids in made) == [0, 0, 0, 20]
    with database.reading() as connection:
        count = connection.execute(sa.select(sa.func.count()).select_from(jobs).where(jobs.c.user_id == owner))
        assert count.scalar_one() == 20


def test_a_batch_for_an_account_that_is_gone_is_refused() -> None:
    with pytest.raises(Problem) as caught:
        batches.create("nobody", NewBatch([{"source_url": URL}]), None)
    assert caught.value.code == "unauthenticated"


def test_a_thousand_items_take_a_few_statements() -> None:
    owner, statements = rows.user(), []

    def count(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        statements.append(statement)

    sa.event.listen(database.engine(), "before_cursor_execute", count)
    try:
        began = time.process_time()
        found = batch(owner, *[{"source_url": f"{URL}&{number}"} for number in range(1000)])
        spent = time.process_time() - began
    finally:
        sa.event.remove(database.engine(), "before_cursor_execute", count)
    assert [item.status for item in found] == [202] * 1000
    assert len(statements) < 20, statements
    assert spent < 5


def test_what_a_process_that_died_left_unsent_sweep_sends(sink: Sink) -> None:
    batches.create(rows.user(), NewBatch([{"source_url": URL}] * 3), None)
    rows.change(outbox_table, outbox_table.c.sent_at.is_(None), created_at=rows.ago(60))
    events.send_again()
    assert sink.types() == ["video.submitted"] * 3


def test_a_sink_that_is_away_is_not_asked_a_thousand_times(sink: Sink) -> None:
    sink.status = 503
    _, event_ids = batches.create(rows.user(), NewBatch([{"source_url": URL}] * 5), None)
    outbox.send_all(event_ids)
    assert len(sink.requests) == 1
    sink.status = 202
    outbox.send_all(event_ids)
    assert len(sink.received) == 5


def test_batches_are_forgotten_and_their_jobs_are_not() -> None:
    owner = rows.user()
    batch_id, _ = batches.create(owner, NewBatch([{"source_url": URL}]), "once")
    rows.change(batch_table, batch_table.c.id == batch_id, created_at=rows.ago(10**8), told_at=rows.ago(10**7))
    sweep_rows.forget()
    assert [job.batch_id for job in listing.page(owner, PageQuery(batch=batch_id)).items] == [batch_id]
    assert batches.create(owner, NewBatch([{"source_url": URL}]), "once")[0] != batch_id


def test_no_step_of_sweep_takes_a_fetch_that_waits_for_an_upload_that_broke_off(store: Blobs) -> None:
    job = accepted(rows.user(), {"source_url": URL})
    rows.change(jobs, jobs.c.id == job.id, updated_at=rows.ago(10**8), lease_until=rows.ago(60))
    files.forget_unfinished()
    assert rows.read(job.id).state == State.RECEIVING
