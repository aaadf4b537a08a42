"""One mail for all jobs of a batch, once, whatever becomes of them and of whoever tells it."""

from __future__ import annotations

import email
import uuid
from collections.abc import Callable
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from events.catalogue import AudioCreated, BatchEnded, ConversionFailed
from functions.notify import deliveries, fanout, ledger, main, news, notice_routes, preferences, texts
from functions.notify.batch_news import EndedBatch
from functions.notify.notice_shapes import DeliveryQuery
from functions.notify.preference_shapes import Preferences
from functions.shared import audit, database, takes
from functions.shared.jobs import batches, deletion, transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import Problem
from functions.shared.reasons import Failure
from functions.shared.tables import batches as table
from functions.shared.tables import jobs, notifications, now, outbox, users
from functions.sweep import batches as ended_batches
from functions.sweep import events, retention
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables", "store", "secrets", "mails")
# The handlers look at nothing of a request.
ANY: Any = None
Ender = Callable[[str], None]


def batch_of(user: str, count: int = 2) -> tuple[str, list[str]]:
    """A batch whose jobs are being converted."""
    batch_id = uuid.uuid4().hex
    about = {"id": batch_id, "user_id": user, "fingerprint": "", "results": [], "created_at": now()}
    with database.transaction() as connection:
        connection.execute(table.insert().values(**about))
    return batch_id, [rows.job("converting", user, batch_id=batch_id, filename=f"{at}.mp4") for at in range(count)]


def finish(job: str) -> None:
    """Its MP3 is made, and its event delivered."""
    transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
    fanout.tell(job, AudioCreated)


def fail(job: str) -> None:
    transitions.fail_claimed(rows.claim_of(job), Failure("no-audio"))
    fanout.tell(job, ConversionFailed)


def cancel(job: str) -> None:
    transitions.cancel(job)


def delete(job: str) -> None:
    deletion.delete(rows.read(job), audit.SWEEP)


def tell_ended() -> int:
    """A tick, and the delivery of the events that it brings. Returns: how many there are."""
    ended_batches.announce()
    with database.reading() as connection:
        found = connection.execute(outbox.select().where(outbox.c.type == BatchEnded.TYPE)).all()
    left = [row for row in found if row.settled_at is None]
    for row in left:
        deliver(row.data["batch_id"])
    return len(left)


def deliver(batch_id: str) -> None:
    """The event of a batch comes."""
    fanout.tell(batch_id, BatchEnded)


def kept(mails: Path) -> list[EmailMessage]:
    return [email.message_from_bytes(path.read_bytes(), policy=policy.default) for path in mails.glob("*.eml")]


def body(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def told_at(batch_id: str) -> Any:
    with database.reading() as connection:
        return connection.execute(table.select().where(table.c.id == batch_id)).one().told_at


def prefer(user: str, language: str = "en", unwanted: tuple[str, ...] = ()) -> None:
    given = {"events": {kind: {"mail": False} for kind in unwanted}, "language": language}
    preferences.change(user, takes.checked(given, Preferences, "bad-request"))


def test_an_owner_gets_one_mail_for_a_whole_batch(anna: str, mails: Path) -> None:
    batch_id, (first, second) = batch_of(anna)
    finish(first)
    assert (tell_ended(), kept(mails), rows.unsettled(first)) == (0, [], [])
    fail(second)
    assert tell_ended() == 1
    (message,) = kept(mails)
    assert str(message["Subject"]) == "Your batch is over: 1 of 2 MP3s are ready"
    text = body(message)
    assert "- 0.mp4 (0:02, 0 kB), kept until" in text
    assert "/v1/files/" in text
    assert "- 1.mp4: The video has no audio track. There is nothing to convert." in text
    assert "0.mp4</a>" in body(message, "html")
    assert "/v1/unsubscribe/" in message["List-Unsubscribe"]
    assert (tell_ended(), len(kept(mails))) == (0, 1)
    assert told_at(batch_id)


@pytest.mark.parametrize("last", [finish, fail, cancel, delete])
def test_the_batch_is_over_however_its_last_job_ends(anna: str, mails: Path, last: Ender) -> None:
    _, (first, second) = batch_of(anna)
    finish(first)
    last(second)
    assert tell_ended() == 1
    assert len(kept(mails)) == 1


@pytest.mark.parametrize("end", [cancel, delete])
def test_of_a_batch_that_its_owner_has_ended_there_is_nothing_to_tell(anna: str, mails: Path, end: Ender) -> None:
    batch_id, (first, second) = batch_of(anna)
    end(first)
    end(second)
    assert (tell_ended(), kept(mails)) == (0, [])
    assert told_at(batch_id)


def test_a_job_that_never_ends_keeps_the_others_back_for_a_day(anna: str, mails: Path) -> None:
    _, (first, second) = batch_of(anna)
    finish(first)
    rows.change(jobs, jobs.c.id == first, updated_at=rows.ago(batches.PATIENCE_SECONDS - 60))
    assert tell_ended() == 0
    rows.change(jobs, jobs.c.id == first, updated_at=rows.ago(batches.PATIENCE_SECONDS + 60))
    assert tell_ended() == 1
    (message,) = kept(mails)
    assert "1 are not over: you will be told" in body(message)
    fail(second)
    assert (tell_ended(), len(kept(mails))) == (0, 2)
    assert {str(each["Subject"])[:6] for each in kept(mails)} == {"Your b", "No MP3"}


def test_a_batch_of_which_nothing_ends_is_not_told_of(anna: str, mails: Path) -> None:
    batch_id, _ = batch_of(anna)
    rows.change(table, table.c.id == batch_id, created_at=rows.ago(2 * batches.PATIENCE_SECONDS))
    assert (tell_ended(), kept(mails), told_at(batch_id)) == (0, [], None)


def test_what_becomes_of_a_job_that_is_tried_again_later_is_told_by_itself(anna: str, mails: Path) -> None:
    _, (first, second) = batch_of(anna)
    finish(first)
    fail(second)
    tell_ended()
    assert transitions.retry(second)
    rows.change(jobs, jobs.c.id == second, state="converting")
    finish(second)
    assert (tell_ended(), len(kept(mails))) == (0, 2)


def test_an_event_of_a_job_that_comes_late_brings_no_second_mail(anna: str, mails: Path) -> None:
    """Also when the clock of whoever converted it is ahead of sweep's."""
    _, (job,) = batch_of(anna, 1)
    finish(job)
    rows.change(jobs, jobs.c.id == job, updated_at=rows.ago(-30))
    tell_ended()
    fanout.tell(job, AudioCreated)
    assert len(kept(mails)) == 1


def test_events_that_come_twice_and_ticks_at_once_bring_one_mail(anna: str, mails: Path) -> None:
    batch_id, (job,) = batch_of(anna, 1)
    finish(job)
    assert batches.announce(batch_id)
    assert batches.announce(batch_id) is None
    deliver(batch_id)
    deliver(batch_id)
    assert [each.state for each in deliveries.page(anna, DeliveryQuery()).items] == ["sent"]
    assert (len(kept(mails)), rows.unsettled(job)) == (1, [])


def test_whoever_dies_while_telling_is_followed_by_one_who_tells_it_once(anna: str, mails: Path) -> None:
    """kill -9 after the ledger has the row: it is due when its claim has run out, and sweep sends the event again."""
    batch_id, (job,) = batch_of(anna, 1)
    finish(job)
    ended_batches.announce()
    rows.change(outbox, outbox.c.job_id == job, sent_at=rows.ago(100), attempts=1, created_at=rows.ago(100))
    notice = news.notice_of(batch_id, BatchEnded)
    assert notice
    assert ledger.begin(notice, "mail", "", 60)
    assert due() == []
    deliver(batch_id)
    assert kept(mails) == []
    rows.change(notifications, notifications.c.job_id == batch_id, due_at=rows.ago(1), claimed_at=rows.ago(1))
    assert due() == [BatchEnded.TYPE]
    deliver(batch_id)
    assert (len(kept(mails)), rows.unsettled(job)) == (1, [])
    assert told_at(batch_id)


@pytest.mark.parametrize("lose", [delete, lambda job: transitions.retry(job)])
def test_the_event_hangs_on_another_job_when_its_own_is_gone_or_has_newer_news(
    anna: str, mails: Path, lose: Ender
) -> None:
    batch_id, (first, second) = batch_of(anna)
    fail(first)
    finish(second)
    ended_batches.announce()
    assert rows.unsettled(first) == [BatchEnded.TYPE]
    lose(first)
    assert tell_ended() == 1
    assert len(kept(mails)) == 1
    assert told_at(batch_id)


def test_a_mail_that_waits_is_not_sent_again_though_its_event_moves_to_another_job(anna: str, mails: Path) -> None:
    batch_id, (first, second) = batch_of(anna)
    fail(first)
    finish(second)
    ended_batches.announce()
    notice = news.notice_of(batch_id, BatchEnded)
    assert notice
    attempt = ledger.begin(notice, "mail", "", 60)
    assert attempt
    ledger.finish(attempt)
    delete(first)
    assert tell_ended() == 1
    assert kept(mails) == []
    assert told_at(batch_id)


def test_what_the_job_has_waiting_stays(anna: str) -> None:
    batch_id, (job,) = batch_of(anna, 1)
    transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
    assert batches.announce(batch_id)
    assert sorted(rows.unsettled(job)) == [AudioCreated.TYPE, BatchEnded.TYPE]


@pytest.mark.parametrize(
    "unwanted", [(BatchEnded.TYPE,), (AudioCreated.TYPE, ConversionFailed.TYPE)], ids=["batches", "jobs"]
)
def test_who_wants_no_such_mails_gets_none_for_each_job_either(
    anna: str, mails: Path, unwanted: tuple[str, ...]
) -> None:
    prefer(anna, unwanted=unwanted)
    batch_id, (first, second) = batch_of(anna)
    finish(first)
    fail(second)
    assert tell_ended() == 1
    assert kept(mails) == []
    assert told_at(batch_id)


def test_one_click_ends_mails_about_batches_and_no_others(anna: str, mails: Path) -> None:
    preferences.unsubscribe(preferences.unsubscribe_token(anna, BatchEnded.TYPE))
    _, (job,) = batch_of(anna, 1)
    finish(job)
    tell_ended()
    assert kept(mails) == []
    finish(rows.job("converting", anna))
    assert len(kept(mails)) == 1


def test_it_is_in_the_language_that_was_chosen(anna: str, mails: Path) -> None:
    prefer(anna, "de")
    _, (first, second) = batch_of(anna)
    finish(first)
    fail(second)
    tell_ended()
    (message,) = kept(mails)
    assert str(message["Subject"]) == "Dein Stapel ist fertig: 1 von 2 MP3s"
    assert "Das Video hat keine Tonspur" in body(message)


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_long_batch_is_a_mail_of_bounded_length(anna: str, language: str) -> None:
    batch_id, (done, failed) = batch_of(anna)
    finish(done)
    fail(failed)
    found = [rows.read(done), rows.read(failed)] * 1000
    batch = EndedBatch(batch_id, anna, "anna@example.com", now(), now(), found)
    for written in (texts.write(batch, BatchEnded.TYPE, language), texts.write_html(batch, BatchEnded.TYPE, language)):
        assert written.count("/v1/files/") == texts.MAX_LISTED
        assert written.count("900") == 2
        assert len(written) < 100_000


def test_hostile_names_stay_text(anna: str, mails: Path) -> None:
    _, (job,) = batch_of(anna, 1)
    rows.change(jobs, jobs.c.id == job, filename="<script>alert(1)</script>.mp4")
    finish(job)
    tell_ended()
    (message,) = kept(mails)
    assert "<script>" not in body(message, "html")
    assert "<script>" in body(message)


def test_it_is_listed_and_sent_again_when_asked(anna: str, mails: Path) -> None:
    batch_id, (job,) = batch_of(anna, 1)
    finish(job)
    tell_ended()
    (notice,) = deliveries.page(anna, DeliveryQuery()).items
    assert (notice.job_id, notice.type, notice.state) == (batch_id, BatchEnded.TYPE, "sent")
    (path,) = mails.glob("*.eml")
    path.unlink()
    assert notice_routes.resend_notice(ANY, anna, notice.id).status_code == 202
    assert (len(kept(mails)), rows.unsettled(job)) == (1, [])
    assert told_at(batch_id)
    assert (
        str(job)[:8] in str(main.list_mail(ANY, anna).body) or b"Your batch is over" in main.list_mail(ANY, anna).body
    )
    delete(job)
    with pytest.raises(Problem):
        notice_routes.resend_notice(ANY, anna, notice.id)


def test_the_ledger_keeps_it_as_long_as_the_batch_and_the_batch_until_it_is_told(anna: str, mails: Path) -> None:
    batch_id, (job,) = batch_of(anna, 1)
    finish(job)
    rows.change(table, table.c.id == batch_id, created_at=rows.ago(10**8))
    retention.forget()
    tell_ended()
    retention.clear_lost_notices()
    assert [each.job_id for each in deliveries.page(anna, DeliveryQuery()).items] == [batch_id]
    retention.forget()
    with database.reading() as connection:
        assert connection.execute(table.select()).all() == []


def test_an_owner_who_is_gone_is_not_told(anna: str, mails: Path) -> None:
    _, (job,) = batch_of(anna, 1)
    finish(job)
    rows.change(users, users.c.id == anna, deleted_at=now())
    tell_ended()
    assert kept(mails) == []


def due() -> list[str]:
    with database.reading() as connection:
        return [row.type for row in connection.execute(events._due())]
