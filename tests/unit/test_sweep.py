"""functions/sweep: what time alone makes due."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from events.catalogue import VideoSubmitted
from functions.shared import database, outbox
from functions.shared.blobs import Blobs
from functions.shared.jobs import claims, names, transitions
from functions.shared.jobs.states import State
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import Unavailable
from functions.shared.reasons import Failure
from functions.shared.tables import jobs as jobs_table
from functions.shared.tables import notifications, now
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
    rows.checkpoint(converting, f"part/{converting}.1.0")
    rows.checkpoint(done, f"part/{done}.2.0")
    # The newest claim may be about to write down that it has saved another part.
    needed |= {f"part/{converting}.1.0", f"part/{converting}.1.1"}
    orphans = {f"part/{done}.2.0", f"part/{converting}.0.1", f"part/{done}.3.1", f"part/{nobody}.1.0"}
    orphans |= {f"video/{nobody}", f"video/{done}", f"audio/{done}.2", f"audio/{converting}.0", f"video/{expired}"}
    for name in needed | orphans:
        write(store, name)
    files.delete_orphans()
    assert {blob.name for blob in store.all()} == needed | orphans
    monkeypatch.setattr("functions.sweep.files.ORPHAN_SECONDS", -1)
    files.delete_orphans()
    assert {blob.name for blob in store.all()} == needed


def test_of_the_videos_of_a_job_only_that_of_its_row_or_of_its_newest_claim_stays(
    store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.sweep.files.ORPHAN_SECONDS", -1)
    fetched, fetching = (rows.job(state, fencing_token=3) for state in (State.QUEUED, State.RECEIVING))
    rows.change(jobs_table, jobs_table.c.id == fetched, video=names.video(fetched, 2))
    needed = {names.video(fetched, 2), names.video(fetching, 3), names.old_video(fetching)}
    stale = {names.video(fetched, 1), names.old_video(fetched), names.video(fetching, 2)}
    for name in needed | stale:
        write(store, name)
    files.delete_orphans()
    assert {blob.name for blob in store.all()} == needed


def test_a_video_with_a_token_goes_when_its_job_expires(store: Blobs) -> None:
    job = rows.job(State.FAILED, expires_at=rows.ago(1))
    rows.change(jobs_table, jobs_table.c.id == job, video=names.video(job, 2))
    write(store, names.video(job, 2))
    files.expire()
    assert list(store.all()) == []


def test_an_upload_that_still_comes_in_is_not_forgotten_however_long_it_takes() -> None:
    job = rows.job(State.RECEIVING, updated_at=rows.ago(100_000), lease_until=rows.ago(-10))
    files.forget_unfinished()
    assert rows.read(job)


URL = {"source_url": "http://example.com/talk.mp4", "video_bytes": None}


def submitted(sends: int, **values: Any) -> str:
    """A job by URL that nobody has touched for more than a day, whose event was sent so often."""
    job = rows.job(State.RECEIVING, updated_at=rows.ago(100_000), **URL, **values)
    with database.transaction() as connection:
        outbox.add(connection, job, 0, VideoSubmitted("http://example.com/talk.mp4"))
    sent_at = rows.ago(1) if sends else None
    rows.change(table, table.c.job_id == job, attempts=sends, sent_at=sent_at, tried_at=rows.ago(1))
    return job


def test_a_video_that_nobody_fetched_in_a_day_fails_its_job_and_its_owner_is_told(sink: Sink) -> None:
    job = submitted(sends=5)
    main.tick()
    row = rows.read(job)
    assert (row.state, row.error_code, sink.types()) == (State.FAILED, "unreachable", ["conversion.failed"])


@pytest.mark.parametrize("sends", [0, 4])
def test_a_job_by_url_whose_event_did_not_get_through_for_a_day_waits_on(sink: Sink, sends: int) -> None:
    sink.status = 503
    job = submitted(sends)
    for _ in range(2):
        with suppress(Unavailable):
            main.tick()
    assert rows.read(job).state == State.RECEIVING
    assert rows.unsettled(job) == [VideoSubmitted.TYPE]


def test_a_video_that_is_being_fetched_after_a_day_is_left_alone(sink: Sink) -> None:
    job = submitted(sends=5, lease_until=rows.ago(-10))
    main.tick()
    assert (rows.read(job).state, sink.types()) == (State.RECEIVING, [])


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


def uploaded(*, sent: float | None, created: float = 0, tries: int = 1) -> str:
    """A queued job whose event was sent that many seconds ago, or never."""
    job = rows.job("receiving")
    event_id = transitions.queue(claims.claim_upload(job), "talk.mp4", {}, 1000)
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


def test_a_job_that_expired_long_ago_is_forgotten_and_what_its_owner_was_told_with_it(sink: Sink) -> None:
    old, young = (rows.job(State.EXPIRED, expires_at=rows.ago(days * 86400)) for days in (91, 89))
    failed = rows.job(State.FAILED, expires_at=rows.ago(-86400))
    for job in (old, young, failed):
        with database.transaction() as connection:
            values = {"kind": "failed", "channel": "mail", "generation": 1, "user_id": rows.read(job).user_id}
            connection.execute(notifications.insert().values(job_id=job, claimed_at=now(), **values))
    main.tick()
    assert [rows.read(job) is None for job in (old, young, failed)] == [True, False, False]
    with database.reading() as connection:
        assert set(connection.execute(sa.select(notifications.c.job_id)).scalars()) == {young, failed}


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
