"""Notices as their owner sees them: what was refused is shown with its reason, and sent again when asked."""

from __future__ import annotations

from email import message_from_bytes
from typing import Any

import pytest
import sqlalchemy as sa

from events.catalogue import AudioCreated, ConversionFailed
from functions.notify import deliveries, fanout, ledger, news, notice_routes
from functions.notify.notice_shapes import DeliveryQuery, NoticeDelivery
from functions.shared import database
from functions.shared.jobs import transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import Problem
from functions.shared.reasons import Failure
from functions.shared.tables import notifications, outbox
from functions.sweep import events
from tests.unit import rows
from tests.unit.smtp import Server

pytestmark = pytest.mark.usefixtures("tables", "store", "secrets")
# The handlers look at nothing of a request.
ANY: Any = None
NO_SUCH_USER = "550 5.1.1 <anna@example.com>: no such user"


def done(user: str) -> str:
    """A job that has just been converted."""
    job = rows.job("converting", user)
    transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
    return job


def listed(user: str, **query: Any) -> list[NoticeDelivery]:
    return deliveries.page(user, DeliveryQuery(**query)).items


def refused(server: Server, user: str) -> tuple[str, NoticeDelivery]:
    """A job, and the notice of it that the mail server has refused."""
    server.answers["RCPT"] = NO_SUCH_USER
    job = done(user)
    fanout.tell(job, AudioCreated)
    server.answers.clear()
    (notice,) = listed(user)
    return job, notice


def test_a_mail_that_was_refused_is_shown_with_its_reason_and_sent_again_when_asked(server: Server, anna: str) -> None:
    job, notice = refused(server, anna)
    assert (notice.state, notice.job_id, notice.next_try_at, server.got) == ("refused", job, None, [])
    assert notice.reason == "550 5.1.1 <the owner>: no such user"
    assert rows.unsettled(job) == []
    assert notice_routes.resend_notice(ANY, anna, notice.id).status_code == 202
    (again,) = listed(anna)
    assert (again.id, again.state, again.reason) == (notice.id, "sent", None)
    assert [each.outcome for each in again.attempts] == ["refused", "sent"]
    assert (len(server.got), rows.unsettled(job)) == (1, [])


def test_what_was_sent_is_sent_again_under_the_same_message_id(server: Server, anna: str) -> None:
    fanout.tell(done(anna), AudioCreated)
    notice_routes.resend_notice(ANY, anna, listed(anna)[0].id)
    first, second = (message_from_bytes(each.original_content or b"")["Message-ID"] for each in server.got)
    assert first == second


def test_a_mail_is_also_sent_again_when_its_event_is_long_forgotten(server: Server, anna: str) -> None:
    job, notice = refused(server, anna)
    with database.transaction() as connection:
        connection.execute(outbox.delete())
    notice_routes.resend_notice(ANY, anna, notice.id)
    assert (len(server.got), rows.unsettled(job)) == (1, [])


def test_who_dies_before_it_is_sent_again_leaves_it_to_sweep(server: Server, anna: str) -> None:
    """kill -9 between the transaction and the telling: the event is due again."""
    job, notice = refused(server, anna)
    rows.change(outbox, outbox.c.job_id == job, sent_at=rows.ago(5), attempts=1)
    assert due() == []
    deliveries.send_again(deliveries.of(anna, notice.id))
    assert due() == rows.unsettled(job) == [AudioCreated.TYPE]
    fanout.tell(job, AudioCreated)
    assert (len(server.got), rows.unsettled(job), due()) == (1, [], [])


def test_what_is_being_sent_is_not_sent_a_second_time(server: Server, anna: str) -> None:
    notice = news.notice_of(done(anna), AudioCreated)
    assert notice
    attempt = ledger.begin(notice, "mail", "", 60)
    assert attempt
    with pytest.raises(Problem, match="right now"):
        notice_routes.resend_notice(ANY, anna, attempt.delivery_id)
    ledger.finish(attempt)
    assert server.seen == []


def test_of_what_has_changed_since_nothing_is_sent_again(server: Server, anna: str) -> None:
    job = rows.job(owner=anna)
    transitions.fail(job, Failure("damaged"))
    fanout.tell(job, ConversionFailed)
    transitions.retry(job)
    with pytest.raises(Problem) as said:
        notice_routes.resend_notice(ANY, anna, listed(anna)[0].id)
    assert said.value.code == "wrong-state"
    assert len(server.got) == 1


def test_notices_are_in_pages_by_state_and_nobody_sees_another_s(server: Server, anna: str) -> None:
    refused(server, anna)
    for _ in range(3):
        fanout.tell(done(anna), AudioCreated)
    assert [each.state for each in listed(anna)] == ["sent", "sent", "sent", "refused"]
    assert [len(listed(anna, state=state)) for state in ("sent", "refused", "waiting")] == [3, 1, 0]
    first = deliveries.page(anna, DeliveryQuery(limit=3))
    rest = deliveries.page(anna, DeliveryQuery(limit=3, cursor=first.next_cursor))
    assert (len(first.items), [each.state for each in rest.items], rest.next_cursor) == (3, ["refused"], None)
    assert listed(rows.user()) == []
    with pytest.raises(Problem) as said:
        notice_routes.resend_notice(ANY, rows.user(), first.items[0].id)
    assert said.value.code == "not-found"


def test_what_a_release_before_wrote_is_passed_over(anna: str) -> None:
    job = done(anna)
    old = {"kind": AudioCreated.TYPE, "channel": "mail", "generation": 1, "user_id": anna, "claimed_at": rows.ago(9)}
    with database.transaction() as connection:
        connection.execute(notifications.insert().values(job_id=job, **old, sent_at=rows.ago(8)))
    assert listed(anna) == []


def due() -> list[str]:
    """The types of the events that sweep would send."""
    with database.reading() as connection:
        query = sa.select(outbox.c.type).where(outbox.c.event_id.in_(sa.select(events._due().subquery().c.event_id)))
        return list(connection.execute(query).scalars())
