"""Registering and confirming addresses: what strangers can learn, and what they cannot get."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from starlette.types import Message

from functions.login import mails
from functions.shared import database
from functions.shared.tables import mailed_tokens, outbox
from tests.asgi import Answered, app_of, received, scope_of
from tests.unit import rows
from tests.unit.login import PASSWORD, asked, carry, code, register, sign_in, statements, token
from tests.unit.sink import Sink
from tests.unit.smtp import Server

pytestmark = pytest.mark.usefixtures("tables", "secrets", "broker")

ANNA, EVE = "anna@example.com", "eve@example.com"


def confirm(mailed: str, password: str = PASSWORD) -> Answered:
    return asked("POST", "/v1/users/verify", {"token": mailed, "password": password})


def member_of(server: Server, email: str) -> None:
    """An account, made as it ought to be."""
    register(email)
    assert confirm(server.token(email)).status == 200


def test_where_mail_is_kept_an_account_works_at_once(broker: None, mails: Path) -> None:
    assert register(ANNA).status == 201
    assert sign_in(ANNA).status == 200
    assert code(register(ANNA)) == (409, "email-taken")
    carry()
    assert not mails.exists()


def test_where_mail_is_sent_an_account_works_once_its_address_is_confirmed(server: Server) -> None:
    answer = register(ANNA)
    assert (answer.status, answer.body) == (202, b"")
    assert code(sign_in(ANNA)) == (401, "invalid-credentials")
    assert confirm(server.token(ANNA)).status == 200
    assert sign_in(ANNA).status == 200


def test_who_has_not_confirmed_is_told_what_strangers_are_told(server: Server) -> None:
    register(ANNA)
    assert sign_in(ANNA).body == sign_in(EVE).body


def test_a_known_address_is_answered_as_an_unknown_one_is(server: Server) -> None:
    member_of(server, ANNA)
    known, unknown = register(ANNA), register(EVE)
    assert (known.status, known.body) == (unknown.status, unknown.body) == (202, b"")
    assert known.headers.keys() == unknown.headers.keys()
    assert [subject for subject, _ in server.mails(ANNA)][1:] == ["You already have an account"]
    assert [subject for subject, _ in server.mails(EVE)] == ["Confirm your address"]


def test_a_known_address_takes_the_same_statements_as_an_unknown_one(server: Server) -> None:
    member_of(server, ANNA)
    register(EVE, "another passphrase")
    with statements() as known:
        register(ANNA)
    with statements() as unknown:
        register(EVE, "another passphrase")
    assert known == unknown != []


def test_the_answer_does_not_wait_for_the_broker(sink: Sink) -> None:
    sent_at_the_end_of_the_answer: list[int] = []
    body = json.dumps({"email": ANNA, "password": PASSWORD}).encode()
    scope = scope_of("POST", "/v1/users", {"Content-Type": "application/json"})

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            sent_at_the_end_of_the_answer.append(len(sink.requests))

    asyncio.run(app_of("login")(scope, received([body]), send))  # type: ignore[arg-type]
    assert (sent_at_the_end_of_the_answer, sink.types()) == ([0], ["mail.requested"])


def test_a_link_is_of_no_use_without_the_password_that_was_chosen(server: Server) -> None:
    """Somebody registers the address of Anna, who opens the link: Eve gets no account with it."""
    register(ANNA, "the password of eve")
    assert code(confirm(server.token(ANNA), PASSWORD)) == (403, "wrong-password")
    assert sign_in(ANNA, "the password of eve").status == 401


def test_guesses_at_the_password_of_a_link_have_to_wait(server: Server) -> None:
    register(ANNA)
    answers = [confirm(server.token(ANNA), f"guess number {number}").status for number in range(12)]
    assert answers == [403] * 10 + [429] * 2


def test_of_two_who_register_an_address_each_has_a_link_of_their_own(server: Server) -> None:
    register(ANNA, "the password of eve")
    for_eve = server.token(ANNA)
    register(ANNA, PASSWORD)
    for_anna = server.token(ANNA)
    assert confirm(for_eve, PASSWORD).status == 403
    assert confirm(for_anna, PASSWORD).status == 200
    assert code(confirm(for_eve, "the password of eve")) == (400, "invalid-link")
    assert sign_in(ANNA, "the password of eve").status == 401


def test_a_link_is_good_once_and_for_a_day(server: Server) -> None:
    register(ANNA)
    register(EVE)
    assert confirm(server.token(ANNA)).status == 200
    assert code(confirm(server.token(ANNA))) == (400, "invalid-link")
    rows.change(mailed_tokens, mailed_tokens.c.email == EVE, expires_at=rows.ago(1))
    assert code(confirm(server.token(EVE))) == (400, "invalid-link")


def test_a_link_to_reset_confirms_nothing_and_a_link_to_confirm_resets_nothing(server: Server) -> None:
    member_of(server, ANNA)
    asked("POST", "/v1/password/forgot", {"email": ANNA})
    assert code(confirm(server.token(ANNA))) == (400, "invalid-link")
    register(EVE)
    reset = {"token": server.token(EVE), "new_password": "another passphrase"}
    assert code(asked("POST", "/v1/password/reset", reset)) == (400, "invalid-link")


@pytest.mark.parametrize("mailed", ["", "x", "é", "x" * 10_000, "' OR 1=1 --"])
def test_what_was_never_mailed_confirms_nothing(server: Server, mailed: str) -> None:
    register(ANNA)
    assert code(confirm(mailed)) == (400, "invalid-link")


def test_nobody_can_flood_a_mailbox_and_nobody_learns_why(server: Server) -> None:
    member_of(server, ANNA)
    answers = {register(ANNA).status for _ in range(5)}
    assert (answers, len(server.mails())) == ({202}, 3)
    register(EVE)
    assert len(server.mails(EVE)) == 1


def test_who_uses_up_the_mails_of_an_address_keeps_no_reset_from_its_owner(server: Server) -> None:
    member_of(server, ANNA)
    for _ in range(5):
        register(ANNA)
    answers = {asked("POST", "/v1/password/forgot", {"email": ANNA}).status for _ in range(5)}
    assert answers == {202}
    assert [subject for subject, _ in server.mails(ANNA)].count("Reset your password") == 3
    reset = {"token": server.token(ANNA), "new_password": "another passphrase"}
    assert asked("POST", "/v1/password/reset", reset).status == 204


def test_a_token_is_neither_in_the_database_nor_in_the_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "functions")
    register(ANNA)
    with database.reading() as connection:
        (event,) = connection.execute(outbox.select()).all()
    mailed = server.token(ANNA)
    with database.reading() as connection:
        (row,) = connection.execute(mailed_tokens.select()).all()
    said = " ".join(record.getMessage() for record in caplog.records if record.name.startswith("functions"))
    assert "account.confirm" in said
    assert ANNA not in said
    assert not {mailed, PASSWORD} & {*said.split(), *map(str, row), *map(str, event)}
    assert ANNA not in str(event)


def test_a_mail_that_cannot_be_sent_changes_no_answer(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.answers["RCPT"] = "550 no such mailbox"
    assert register(ANNA).status == 202
    carry()
    assert "refused" in caplog.text


@pytest.mark.parametrize(
    ("chosen", "url", "needed"),
    [
        ("", "file:data/mail", False),
        ("auto", "file:data/mail", False),
        ("on", "file:data/mail", True),
        ("", "smtp://localhost", True),
        ("auto", "smtps://localhost", True),
        ("off", "smtp://localhost", False),
    ],
)
def test_whether_addresses_are_confirmed(monkeypatch: pytest.MonkeyPatch, chosen: str, url: str, needed: bool) -> None:
    monkeypatch.setenv("VERIFY_EMAIL", chosen)
    monkeypatch.setenv("SMTP_URL", url)
    assert mails.are_needed() is needed


def test_an_address_changes_once_the_new_one_is_confirmed_and_the_former_is_told(server: Server) -> None:
    member_of(server, ANNA)
    mine = token(ANNA)
    assert change(mine, EVE).status == 202
    assert sign_in(ANNA).status == 200
    assert confirm(server.token(EVE), "not the password").status == 403
    assert confirm(server.token(EVE)).status == 200
    assert (sign_in(ANNA).status, sign_in(EVE).status) == (401, 200)
    assert server.mails(ANNA)[-1][0] == "Your address was changed"


def test_an_address_that_is_taken_is_answered_like_one_that_is_free(server: Server) -> None:
    member_of(server, ANNA)
    member_of(server, EVE)
    mine = token(EVE)
    taken, free = change(mine, ANNA), change(mine, "free@example.com")
    assert (taken.status, taken.body) == (free.status, free.body) == (202, b"")
    assert server.mails(ANNA)[-1][0] == "You already have an account"


def test_who_changes_the_address_ends_what_was_mailed_to_the_former_one(server: Server) -> None:
    member_of(server, ANNA)
    asked("POST", "/v1/password/forgot", {"email": ANNA})
    stolen = server.token(ANNA)
    change(token(ANNA), EVE)
    confirm(server.token(EVE))
    reset = {"token": stolen, "new_password": "another passphrase"}
    assert code(asked("POST", "/v1/password/reset", reset)) == (400, "invalid-link")


def test_where_mail_is_kept_an_address_changes_at_once(broker: None, mails: Path) -> None:
    for email in (ANNA, EVE):
        register(email)
    mine = token(ANNA)
    assert code(change(mine, EVE)) == (409, "email-taken")
    assert code(change(mine, "anna")) == (422, "invalid-account")
    assert code(change(mine, "new@example.com", "not the password")) == (403, "wrong-password")
    assert change(mine, "new@example.com").status == 200
    assert sign_in("new@example.com").status == 200


def change(mine: str, email: str, password: str = PASSWORD) -> Answered:
    return asked("PATCH", "/v1/me", {"email": email, "password": password}, Authorization=mine)


def test_the_owner_hears_of_an_api_key_that_was_made(server: Server) -> None:
    member_of(server, ANNA)
    made = {"name": "nightly {import}", "scopes": ["jobs:read"]}
    answer = asked("POST", "/v1/api-keys", made, Authorization=token(ANNA))
    assert answer.status == 201
    subject, text = server.mails(ANNA)[-1]
    assert subject == "An API key was made"
    assert 'called it "nightly {import}".' in text
    assert json.loads(answer.body)["key"] not in text


def test_a_mail_server_that_is_away_keeps_nobody_from_making_a_key(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    member_of(server, ANNA)
    monkeypatch.setenv("SMTP_URL", "smtp://127.0.0.1:9")
    made = {"name": "nightly import", "scopes": ["jobs:read"]}
    assert asked("POST", "/v1/api-keys", made, Authorization=token(ANNA)).status == 201
