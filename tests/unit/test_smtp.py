"""functions/shared/smtp.py: what a mail server says at each step, and what becomes of the mail and its notice."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from events.catalogue import AudioCreated
from functions.notify import fanout
from functions.shared import database, mail, smtp
from functions.shared.jobs import transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import NeedsOperator, Unavailable
from functions.shared.tables import notice_attempts as attempts
from functions.shared.tables import notifications as table
from functions.shared.tables import now
from functions.shared.watch import Watch
from tests.patience import PATIENCE, eventually
from tests.unit import rows
from tests.unit.smtp import Server

ROOT = Path(__file__).resolve().parents[2]
OF_THE_RECIPIENT = [
    ("RCPT", "550 no such mailbox"),
    ("RCPT", "550 5.1.1 no such user"),
    ("RCPT", "551 5.1.6 moved"),
    ("RCPT", "552 5.2.2 mailbox full"),
    ("RCPT", "553 5.1.3 bad address"),
    ("RCPT", "554 no such user"),
    ("RCPT", "501 that is no address"),
    ("RCPT", "556 domain does not accept mail"),
    ("RCPT", "550 5.0.0 user unknown"),
    ("RCPT", "550 5.5.0 mailbox unavailable"),
    ("DATA", "550 5.1.1 no such user"),
    ("DATA", "550 5.2.1 mailbox disabled"),
    ("DATA", "552 5.2.2 over quota"),
]
OF_THE_OPERATOR = [
    ("GREETING", "554 5.7.1 you are on a list"),
    ("GREETING", "554 no service"),
    ("MAIL", "550 5.1.1 who are you"),
    ("MAIL", "530 5.7.0 authentication required"),
    ("MAIL", "553 5.7.1 sender not yours"),
    ("MAIL", "554 5.1.8 bad sender domain"),
    ("MAIL", "501 5.1.7 bad sender"),
    ("RCPT", "530 5.7.0 authentication required"),
    ("RCPT", "550 5.7.1 relaying denied"),
    ("RCPT", "554 5.7.1 blocked"),
    ("RCPT", "550 relay not permitted"),
    ("RCPT", "550 5.1.8 sender's domain unknown"),
    ("RCPT", "550 5.4.1 no route"),
    ("RCPT", "503 5.5.1 not now"),
    ("RCPT", "554 relay access denied"),
    ("RCPT", "535 wrong password"),
    ("RCPT", "554 5.0.0 not authenticated"),
    ("BEFORE", "554 5.5.1 no valid recipients"),
    ("BEFORE", "550 5.3.0 out of order"),
    ("DATA", "554 5.7.1 spam"),
    ("DATA", "554 rejected"),
    ("DATA", "550 5.7.26 SPF and DKIM fail"),
    ("DATA", "552 5.3.4 too big"),
]
OF_THE_MOMENT = [
    ("GREETING", "421 busy"),
    ("MAIL", "451 4.3.0 try later"),
    ("RCPT", "450 4.2.1 greylisted"),
    ("RCPT", "452 4.2.2 mailbox full for now"),
    ("BEFORE", "451 4.3.0 try later"),
    ("DATA", "451 4.7.1 try later"),
    ("DATA", "421 4.3.2 shutting down"),
]


@pytest.mark.parametrize(("step", "answer"), OF_THE_RECIPIENT)
def test_what_a_server_says_of_the_recipient_is_final(server: Server, step: str, answer: str) -> None:
    server.answers[step] = answer
    with pytest.raises(mail.MailRefused) as said:
        mail.send(composed())
    assert answer[4:] in str(said.value)


@pytest.mark.parametrize(("step", "answer"), OF_THE_OPERATOR)
def test_what_is_wrong_with_us_is_the_operator_s_to_cure_and_loses_nothing(
    server: Server, step: str, answer: str
) -> None:
    server.answers[step] = answer
    with pytest.raises(NeedsOperator) as said:
        mail.send(composed())
    assert "anna" not in str(said.value)
    server.answers.clear()
    mail.send(composed())
    assert len(server.got) == 1


@pytest.mark.parametrize(("step", "answer"), OF_THE_MOMENT)
def test_what_passes_is_waited_for_without_an_operator(server: Server, step: str, answer: str) -> None:
    server.answers[step] = answer
    with pytest.raises(Unavailable) as said:
        mail.send(composed())
    assert not isinstance(said.value, NeedsOperator)


def test_a_server_that_hangs_up_after_the_mail_leaves_it_unclear(server: Server) -> None:
    server.answers["DATA"] = "CLOSE"
    with pytest.raises(mail.MailUnclear):
        mail.send(composed())
    assert len(server.seen) == 1


@pytest.mark.parametrize("answer", ["hello", "354 go on"])
def test_what_is_no_answer_to_a_mail_leaves_it_unclear(server: Server, answer: str) -> None:
    """Before, it was sent again each minute."""
    server.answers["DATA"] = answer
    with pytest.raises(mail.MailUnclear):
        mail.send(composed())


def test_the_answer_to_a_mail_has_ten_minutes_and_all_else_one() -> None:
    """RFC 5321, section 4.5.3.2.6."""
    assert (smtp.ANSWER_SECONDS, smtp.STEP_SECONDS) == (600, 60)


def test_a_server_that_thinks_is_waited_for_beyond_what_a_step_may_take(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["functions.shared.smtp"], "STEP_SECONDS", 3)
    server.seconds = 4
    mail.send(composed())
    assert len(server.got) == 1


def test_a_server_that_never_answers_leaves_it_unclear(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["functions.shared.smtp"], "ANSWER_SECONDS", 1)
    server.hang()
    with pytest.raises(mail.MailUnclear):
        mail.send(composed())


def test_whoever_watches_hears_of_each_step_and_of_the_end(server: Server) -> None:
    heard: list[str] = []
    mail.send(composed(), Watch(lambda _: heard.append("step"), lambda seconds: heard.append(f"end {seconds}")))
    assert (heard[-1], set(heard[:-1])) == ("end 600", {"step"})


def test_nothing_is_sent_when_whoever_watches_says_stop(server: Server) -> None:
    def stop(_seconds: int) -> None:
        raise Unavailable("taken over")

    with pytest.raises(Unavailable, match="taken over"):
        mail.send(composed(), Watch(at_the_end=stop))
    time.sleep(0.2)
    assert (server.got, server.seen) == ([], [])


def test_many_mails_take_one_connection(server: Server) -> None:
    for _ in range(5):
        mail.send(composed())
    assert (len(server.got), server.connections) == (5, 1)


def test_a_refused_recipient_costs_the_next_mail_nothing(server: Server) -> None:
    server.answers["RCPT"] = "550 5.1.1 no such user"
    with pytest.raises(mail.MailRefused):
        mail.send(composed())
    server.answers.clear()
    mail.send(composed())
    assert (len(server.got), server.connections) == (1, 1)


def test_a_connection_that_the_server_has_closed_costs_no_mail(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    mail.send(composed())
    for keeping in sys.modules["functions.shared.smtp"]._idle.values():
        keeping[0].server.sock.shutdown(socket.SHUT_RDWR)
    mail.send(composed())
    assert (len(server.got), server.connections) == (2, 2)


@pytest.mark.parametrize("line", [".", "..", ".\r\nMAIL FROM:<eve@example.com>", "x\n.\n"])
def test_a_dot_in_a_mail_does_not_end_it(server: Server, line: str) -> None:
    mail.send(composed(f"Subject\n\nbefore\n{line}\nafter"))
    assert server.mails()[0][1].replace("\r\n", "\n").split() == ["before", *line.split(), "after"]


# What becomes of the notice


def test_a_server_that_answers_after_the_event_gets_one_copy_and_the_event_is_settled(
    server: Server, monkeypatch: pytest.MonkeyPatch, tables: None, store: Any, secrets: Any
) -> None:
    """Before, one that answered after 45 seconds got 14 copies in ten minutes."""
    monkeypatch.setattr(sys.modules["functions.notify.fanout"], "WAIT_SECONDS", 0.2)
    server.hang()
    job = done()
    for _ in range(4):
        fanout.tell(job, AudioCreated)
    assert rows.unsettled(job) == [AudioCreated.TYPE]
    server.go_on()
    eventually(lambda: rows.unsettled(job) == [], "the event is settled")
    assert (len(server.seen), len(server.got), outcomes()) == (1, 1, ["sent"])


def test_a_server_that_hangs_up_after_the_mail_gets_three_copies_in_all_hours_apart(
    server: Server, tables: None, store: Any, secrets: Any
) -> None:
    """Before, it got 35 in ten minutes."""
    server.answers["DATA"] = "CLOSE"
    job = done()
    for _ in range(8):
        for _ in range(3):
            fanout.tell(job, AudioCreated)
        let_hours_pass()
    assert message_ids(server) == 1
    assert (len(server.seen), outcomes(), rows.unsettled(job)) == (3, ["unclear"] * 3, [])
    assert "not known" in notice_row().refusal


def test_what_only_the_operator_can_cure_is_an_error_in_the_log_and_waits(
    server: Server, caplog: pytest.LogCaptureFixture, tables: None, store: Any, secrets: Any
) -> None:
    server.answers["MAIL"] = "530 5.7.0 authentication required"
    job = done()
    with caplog.at_level(logging.WARNING):
        fanout.tell(job, AudioCreated)
    assert [each.levelname for each in caplog.records if "authentication required" in each.message] == ["ERROR"]
    assert (rows.unsettled(job), outcomes()) == ([AudioCreated.TYPE], ["put-off"])
    assert 30 < (notice_row().due_at - now()).total_seconds() < 90
    server.answers.clear()
    let_hours_pass()
    fanout.tell(job, AudioCreated)
    assert (rows.unsettled(job), len(server.got)) == ([], 1)


KILLED = """
import sys
from events.catalogue import AudioCreated
from functions.notify import fanout
fanout.WAIT_SECONDS = 60
fanout.tell(sys.argv[1], AudioCreated)
"""


@pytest.mark.parametrize(("step", "copies"), [("RCPT", 1), ("DATA", 2)])
def test_notify_is_killed_in_the_middle_of_a_send(
    server: Server, step: str, copies: int, tables: None, store: Any, secrets: Any
) -> None:
    """Before the end of the mail it is made up for within minutes; after it, once, in hours, for it may be there."""
    job = done()
    server.pauses[step] = 60
    victim = subprocess.Popen([sys.executable, "-c", KILLED, job], cwd=ROOT)
    try:
        eventually(lambda: step in server.reached, f"it is at {step}")
    finally:
        victim.kill()
        victim.wait(PATIENCE)
    server.pauses.clear()
    rest = (notice_row().due_at - now()).total_seconds()
    assert 30 < rest < 180 if step == "RCPT" else 3 * 3600 < rest < 5 * 3600
    fanout.tell(job, AudioCreated)
    assert server.got == []
    let_hours_pass()
    fanout.tell(job, AudioCreated)
    assert (len(server.seen), len(server.got), rows.unsettled(job)) == (copies, 1, [])
    assert outcomes() == ["begun", "sent"]
    assert message_ids(server) == 1


def composed(text: str = "Subject\n\nBody") -> Any:
    return mail.compose("1", "anna@example.com", text)


def done() -> str:
    """A job that has just been converted."""
    job = rows.job("converting")
    transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
    return job


def message_ids(server: Server) -> int:
    """How many there are."""
    lines = [line for each in server.seen for line in (each.original_content or b"").split(b"\r\n")]
    return len({line for line in lines if b"Message-ID" in line})


def notice_row() -> Any:
    with database.reading() as connection:
        return connection.execute(table.select()).one()


def outcomes() -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(sa.select(attempts.c.outcome).order_by(attempts.c.id)).scalars())


def let_hours_pass() -> None:
    rows.change(table, table.c.sent_at.is_(None), claimed_at=rows.ago(9), due_at=rows.ago(9))
