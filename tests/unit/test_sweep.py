"""functions/sweep: what time alone makes due."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from functions.shared import database, outbox
from functions.shared.blobs import Blobs
from functions.shared.jobs import claims, transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.reasons import Failure
from functions.shared.tables import checkpoints, now
from functions.shared.tables import jobs as jobs_table
from functions.shared.tables import outbox as table
from functions.sweep import events, files, main
from tests.unit import rows
from tests.unit.sink import Sink

pytestmark = pytest.mark.usefixtures("tables", "store")

AUDIO = Audio(10, "ab" * 32, 1.5)


def test_an_event_that_was_never_sent_is_sent(sink: Sink) -> None:
    job = uploaded(sent=None, created=11)
    events.send_again()
    assert sink.types() == ["video.uploaded"]
    assert rows.messages(job)[0].sent_at is not None


def test_an_event_that_its_function_is_about_to_send_is_left_to_it(sink: Sink) -> None:
    uploaded(sent=None, created=1)
    events.send_again()
    assert sink.received == []


def test_a_dead_sink_is_asked_once_and_everything_is_sent_when_it_is_back(sink: Sink) -> None:
    for _ in range(3):
        uploaded(sent=None, created=60)
    sink.status = 503
    events.send_again()
    assert len(sink.refused) == 1
    sink.status = 202
    events.send_again()
    assert len(sink.received) == 3
    events.send_again()
    assert len(sink.received) == 3


def test_an_event_that_had_its_effect_is_not_sent_again(sink: Sink) -> None:
    job = uploaded(sent=10_000)
    rows.change(table, table.c.job_id == job, settled_at=now())
    events.send_again()
    assert sink.received == []


@pytest.mark.parametrize(("tries", "wait"), [(1, 600), (2, 1200), (3, 2400), (7, 38_400), (8, 76_800), (50, 76_800)])
def test_the_wait_for_an_effect_doubles_with_each_try(sink: Sink, tries: int, wait: int) -> None:
    job = uploaded(sent=wait - 5, tries=tries)
    events.send_again()
    assert sink.received == []
    rows.change(table, table.c.job_id == job, sent_at=rows.ago(wait + 5))
    events.send_again()
    assert len(sink.received) == 1
    assert rows.messages(job)[0].attempts == tries + 1


def test_a_job_that_is_being_converted_is_left_alone(sink: Sink) -> None:
    job = uploaded(sent=100_000)
    claims.claim(job)
    events.send_again()
    assert sink.received == []


def test_a_job_whose_conversion_died_is_sent_again_once(sink: Sink) -> None:
    job = uploaded(sent=60)
    claims.claim(job)
    rows.change(jobs_table, jobs_table.c.id == job, lease_until=rows.ago(1))
    events.send_again()
    events.send_again()
    assert len(sink.received) == 1


def test_the_news_of_a_job_are_sent_again_until_its_owner_was_told(sink: Sink) -> None:
    job = rows.job("converting")
    transitions.finish(rows.claim_of(job), AUDIO)
    rows.change(table, table.c.job_id == job, sent_at=rows.ago(601), attempts=1)
    events.send_again()
    assert sink.types() == ["audio.created"]


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_a_job_that_is_over_expires_with_its_files(store: Blobs, state: str) -> None:
    job = rows.job(state, expires_at=rows.ago(1), audio="audio/" + "0" * 32 + ".1")
    kept = rows.job(state, expires_at=rows.ago(-60))
    for name in (f"video/{job}", "audio/" + "0" * 32 + ".1", f"video/{kept}"):
        write(store, name)
    files.expire()
    assert [rows.read(each).state for each in (job, kept)] == ["expired", state]
    assert [blob.name for blob in store.all()] == [f"video/{kept}"]


def test_a_job_that_is_retried_at_its_last_moment_keeps_its_video(store: Blobs) -> None:
    job = rows.job("failed", expires_at=rows.ago(1))
    write(store, f"video/{job}")
    transitions.retry(job)
    files.expire()
    assert (rows.read(job).state, [blob.name for blob in store.all()]) == ("queued", [f"video/{job}"])


def test_an_upload_that_broke_off_long_ago_is_forgotten_and_a_running_one_is_not(
    store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPLOAD_GRACE_SECONDS", "3600")
    old, young = rows.job("receiving", updated_at=rows.ago(3601)), rows.job("receiving", updated_at=rows.ago(3599))
    queued = rows.job("queued", updated_at=rows.ago(10_000))
    files.forget_unfinished()
    assert [rows.read(job) is None for job in (old, young, queued)] == [True, False, False]


def test_files_of_no_job_are_deleted_and_all_others_stay(store: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    converting, failed, expired = rows.job("converting"), rows.job("failed"), rows.job("expired")
    done, receiving, nobody = rows.job("done", fencing_token=3), rows.job("receiving"), "f" * 32
    rows.change(jobs_table, jobs_table.c.id == done, audio=f"audio/{done}.3")
    needed = {
        f"video/{converting}",
        f"audio/{converting}.1",
        f"video/{failed}",
        f"video/{receiving}",
        f"audio/{done}.3",
    }
    saved(converting, f"part/{converting}.1.0")
    saved(done, f"part/{done}.2.0")
    needed |= {f"part/{converting}.1.0"}
    orphans = {f"part/{done}.2.0", f"part/{converting}.1.1", f"part/{nobody}.1.0"}
    orphans |= {f"video/{nobody}", f"video/{done}", f"audio/{done}.2", f"audio/{converting}.0", f"video/{expired}"}
    for name in needed | orphans:
        write(store, name)
    files.delete_orphans()
    assert {blob.name for blob in store.all()} == needed | orphans
    monkeypatch.setattr("functions.sweep.files.ORPHAN_SECONDS", -1)
    files.delete_orphans()
    assert {blob.name for blob in store.all()} == needed


def test_a_tick_does_all_of_it_and_a_second_one_nothing_more(store: Blobs, sink: Sink) -> None:
    sent, over = uploaded(sent=None, created=60), rows.job("done", expires_at=rows.ago(1))
    broken_off = rows.job("receiving", updated_at=rows.ago(100_000))
    for _ in range(2):
        main.tick()
    assert [event.subject for event in sink.received] == [sent]
    assert (rows.read(over).state, rows.read(broken_off)) == ("expired", None)
    assert rows.history(over) == ["expired"]


def test_an_expired_failure_can_still_be_shown(store: Blobs) -> None:
    job = rows.job()
    transitions.fail(job, Failure("damaged"))
    rows.change(jobs_table, jobs_table.c.id == job, expires_at=rows.ago(1))
    files.expire()
    assert (rows.read(job).state, rows.read(job).error_code) == ("expired", "damaged")


def saved(job: str, part: str) -> None:
    """A checkpoint of the job with this part."""
    with database.transaction() as connection:
        values = {"job_id": job, "parts": [part], "state": {}, "saved_at": rows.ago(0)}
        connection.execute(checkpoints.insert().values(values))


def uploaded(*, sent: float | None, created: float = 0, tries: int = 1) -> str:
    """A queued job whose event was sent that many seconds ago, or never."""
    job = rows.job("receiving")
    event_id = transitions.queue(claims.receiving(job), "talk.mp4", {}, 1000)
    sent_at = None if sent is None else rows.ago(sent)
    created_at = min(sent_at or now(), now() - timedelta(seconds=created))
    attempts = 0 if sent is None else tries
    rows.change(table, table.c.event_id == event_id, sent_at=sent_at, created_at=created_at, attempts=attempts)
    return job


def write(store: Blobs, name: str) -> None:
    with store.writing(name) as writer:
        writer.write(hashlib.sha256(name.encode()).digest())


def test_the_database_is_left_as_it_was_when_nothing_is_due(sink: Sink) -> None:
    job = rows.job("queued")
    before = rows.read(job)
    main.tick()
    with database.reading() as connection:
        assert connection.execute(table.select()).all() == []
    assert rows.read(job) == before


def test_rows_that_have_done_their_duty_are_forgotten() -> None:
    job = rows.job("converting")
    transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
    with database.transaction() as connection:
        outbox.settle(connection, outbox.of(job))
    main.tick()
    assert rows.messages(job)
    rows.change(table, table.c.job_id == job, settled_at=rows.ago(8 * 86400))
    main.tick()
    assert rows.messages(job) == []
