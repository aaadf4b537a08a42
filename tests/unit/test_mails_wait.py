"""Mails about accounts outlast a mail server that is away, a notify that is killed and a broker that is down."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest
import sqlalchemy as sa

from functions.notify import deliveries, main
from functions.notify.notice_shapes import DeliveryQuery
from functions.shared import database
from functions.shared.tables import (
    account_mails,
    mailed_tokens,
    notice_attempts,
    notifications,
    outbox,
    users,
)
from functions.sweep import events, retention
from tests.patience import PATIENCE
from tests.unit import rows
from tests.unit.login import PASSWORD, asked, carry, register, sign_in, token
from tests.unit.processes import start
from tests.unit.sink import Sink
from tests.unit.smtp import Server

pytestmark = pytest.mark.usefixtures("broker")

ANNA = "anna@example.com"
AWAY = "smtp://127.0.0.1:9"


def every(table: sa.Table[Any]) -> list[Any]:
    with database.reading() as connection:
        return list(connection.execute(table.select()).all())


def let_time_pass() -> None:
    """Until all rests are over, and everything that was claimed may be taken again."""
    past = rows.ago(1)
    rows.change(notifications, notifications.c.due_at.is_not(None), due_at=past, claimed_at=past)


def forget_password(email: str = ANNA) -> None:
    assert asked("POST", "/v1/password/forgot", {"email": email}).status == 202


def account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERIFY_EMAIL", "off")
    assert register(ANNA).status == 201


def test_a_mail_server_that_is_away_at_registration_gets_the_mail_when_it_is_back_and_once(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as away:
        away.setenv("SMTP_URL", AWAY)
        assert register(ANNA).status == 202
        for _ in range(2):
            carry()
            let_time_pass()
    for _ in range(3):
        carry()
    assert [subject for subject, _ in server.mails()] == ["Confirm your address"]
    link = {"token": server.token(ANNA), "password": PASSWORD}
    assert asked("POST", "/v1/users/verify", link).status == 200
    assert [each.outcome for each in every(notice_attempts)] == ["put-off", "put-off", "sent"]
    # What is sent is forgotten, all but that it was.
    assert (every(account_mails), every(outbox), len(every(notifications))) == ([], [], 1)


def test_the_broker_that_is_away_gets_the_event_by_sweep(sink: Sink, server: Server) -> None:
    sink.status = 503
    register(ANNA)
    assert sink.received == []
    sink.status = 202
    rows.change(outbox, sa.true(), created_at=rows.ago(60))
    events.send_again()
    events.send_again()
    (event,) = sink.received
    (row,) = every(account_mails)
    assert (event.source, event.subject) == ("/audiolift/login", row.id)
    # The mail server is away: sweep sends the event once more when the mail is due, and not before.
    with pytest.MonkeyPatch.context() as away:
        away.setenv("SMTP_URL", AWAY)
        carry()
    events.send_again()
    assert sink.types() == ["mail.requested"]
    rows.change(outbox, sa.true(), sent_at=rows.ago(100))
    rows.change(notifications, sa.true(), due_at=rows.ago(50), claimed_at=rows.ago(50))
    events.send_again()
    assert sink.types() == ["mail.requested"] * 2
    assert len(server.mails(ANNA)) == 1


def test_who_is_killed_while_it_sends_leaves_the_mail_to_the_next(server: Server) -> None:
    register(ANNA)
    (row,) = every(account_mails)
    server.pauses["RCPT"] = 2.0
    code = "from functions.notify import fanout\nfrom events.catalogue import MailRequested\n"
    with start(f"{code}fanout.tell({row.id!r}, MailRequested)") as killed:
        while "RCPT" not in server.reached:
            assert killed.poll() is None
        killed.kill()
        assert killed.wait(PATIENCE) == -signal.SIGKILL
    server.pauses.clear()
    carry()
    assert server.got == []
    let_time_pass()
    assert len(server.mails(ANNA)) == len(server.mails(ANNA)) == 1


def test_a_link_that_is_good_no_more_is_not_sent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    account(monkeypatch)
    with pytest.MonkeyPatch.context() as away:
        away.setenv("SMTP_URL", AWAY)
        forget_password()
        carry()
    rows.change(mailed_tokens, sa.true(), expires_at=rows.ago(1))
    let_time_pass()
    assert server.mails() == []
    (notice,) = deliveries.page(every(users)[0].id, DeliveryQuery()).items
    assert (notice.state, notice.type, notice.job_id) == ("refused", "account.reset", None)
    assert notice.reason == "it is good no more"
    assert (every(account_mails), every(outbox)) == ([], [])


def test_a_new_password_ends_the_mail_that_another_one_was_asked_for_by(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    account(monkeypatch)
    mine = token(ANNA)
    forget_password()
    change = {"password": PASSWORD, "new_password": "another passphrase"}
    assert asked("POST", "/v1/me/password", change, Authorization=mine).status == 200
    assert [subject for subject, _ in server.mails()] == ["Your password was changed"]


def test_the_password_of_no_account_is_mailed_to_nobody_and_leaves_nothing(server: Server) -> None:
    forget_password("nobody@example.com")
    (waiting,) = every(account_mails)
    assert (waiting.user_id, waiting.kind) == (None, "account.reset")
    assert server.mails() == []
    assert (every(account_mails), every(outbox), every(notifications)) == ([], [], [])


def test_who_has_deleted_the_account_is_told_when_all_rows_of_it_are_gone(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    account(monkeypatch)
    mine = token(ANNA)
    forget_password()
    assert asked("DELETE", "/v1/me", {"password": PASSWORD}, Authorization=mine).status == 204
    with database.transaction() as connection:
        connection.execute(users.delete())
    assert [subject for subject, _ in server.mails(ANNA)] == ["Your account was deleted"]


def test_what_nobody_has_sent_in_a_week_is_forgotten_and_the_ledger_keeps_what_was(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    account(monkeypatch)
    forget_password()
    server.mails()
    sign_in(ANNA)
    forget_password()
    rows.change(account_mails, sa.true(), expires_at=rows.ago(4000))
    retention.forget()
    retention.clear_lost_notices()
    assert (every(account_mails), every(outbox), len(every(notifications))) == ([], [], 1)


def test_where_mail_is_kept_the_owner_sees_it_on_the_page(mails: object, monkeypatch: pytest.MonkeyPatch) -> None:
    account(monkeypatch)
    forget_password()
    carry()
    shown = json.loads(bytes(main.list_mail(None, every(users)[0].id).body))["items"]  # type: ignore[arg-type]
    assert [(mail["to"], mail["subject"]) for mail in shown] == [(ANNA, "Reset your password")]
    assert "/reset/" in shown[0]["text"]
