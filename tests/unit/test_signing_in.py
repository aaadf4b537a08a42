"""Signing in and out: sessions, passwords that are changed or forgotten, and what slows down who guesses."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import functions.shared.attempts as attempts
from functions.login import accounts, grants
from functions.shared import database, tokens
from functions.shared.attempts import PASSWORDS
from functions.shared.problems import Problem
from functions.shared.tables import attempts as attempts_table
from functions.shared.tables import mailed_tokens, now, refresh_tokens, users
from tests.asgi import Answered
from tests.unit import rows
from tests.unit.login import PASSWORD, asked, code, member, posted, register, sign_in, statements, token
from tests.unit.processes import race
from tests.unit.smtp import Server

pytestmark = pytest.mark.usefixtures("tables", "secrets", "anna")

ANNA, EVE = "anna@example.com", "eve@example.com"
NEW = "another passphrase"
WAITING = {"code": "too-many-attempts", "error": "slow_down"}


@pytest.fixture
def anna(broker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has an account."""
    monkeypatch.setenv("VERIFY_EMAIL", "off")
    assert register(ANNA).status == 201


class Clock:
    """The time, which stands still."""

    def __init__(self) -> None:
        self.time = now()

    def __call__(self) -> datetime:
        return self.time

    def go_on(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def guess(email: str, count: int) -> list[int]:
    return [sign_in(email, f"guess number {number}").status for number in range(count)]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Waits pass when a test says so, and not while a slow machine computes hashes."""
    made = Clock()
    monkeypatch.setattr(attempts, "now", made)
    return made


def sessions(mine: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = member(asked("GET", "/v1/me/sessions", Authorization=mine), "items")
    return found


def renewed(refresh_token: str) -> Answered:
    return posted("/v1/token", {"grant_type": "refresh_token", "refresh_token": refresh_token})


@pytest.mark.parametrize("email", [ANNA, EVE, "no address at all", "x" * 10_000])
def test_ten_guesses_are_answered_and_then_one_has_to_wait(email: str) -> None:
    assert guess(email, 12) == [401] * 10 + [429] * 2
    answer = sign_in(email)
    assert answer.headers["retry-after"] == "1"
    assert {name: member(answer, name) for name in WAITING} == WAITING


def test_a_known_address_waits_exactly_as_an_unknown_one() -> None:
    guess(ANNA, 11)
    guess(EVE, 11)
    assert sign_in(ANNA).body == sign_in(EVE).body


def test_a_known_address_takes_the_same_statements_as_an_unknown_one() -> None:
    guess(EVE, 1)
    guess(ANNA, 1)
    with statements() as known:
        guess(ANNA, 1)
    with statements() as unknown:
        guess(EVE, 1)
    assert known == unknown != []


def test_a_wait_doubles_and_is_never_longer_than_a_minute(clock: Clock) -> None:
    waits = []
    guess(ANNA, 10)
    for _ in range(9):
        waits.append(sign_in(ANNA, "guess").headers["retry-after"])
        clock.go_on(60)
        guess(ANNA, 1)
    assert waits == ["1", "2", "4", "8", "16", "32", "60", "60", "60"]


def test_who_tries_while_there_is_a_wait_makes_it_no_longer(clock: Clock) -> None:
    guess(ANNA, 10)
    guess(ANNA, 30)
    clock.go_on(1)
    assert sign_in(ANNA).status == 200


def test_guesses_at_one_address_make_no_other_wait() -> None:
    guess(EVE, 12)
    assert sign_in(ANNA).status == 200


def test_the_right_password_is_not_tried_while_there_is_a_wait_and_ends_all_waits_after_it(clock: Clock) -> None:
    guess(ANNA, 10)
    assert sign_in(ANNA).status == 429
    clock.go_on(1)
    assert sign_in(ANNA).status == 200
    assert guess(ANNA, 10) == [401] * 10


def test_what_was_tried_an_hour_ago_is_forgotten(clock: Clock) -> None:
    guess(ANNA, 10)
    clock.go_on(3601)
    assert guess(ANNA, 10) == [401] * 10


def test_of_forty_tries_at_once_ten_are_free() -> None:
    prepare = (
        "from functions.shared.attempts import Pace, seconds_left\n"
        "pace = Pace('password', free=10, first=600, longest=600)\n"
    )
    said = race(4, prepare, "print(*(seconds_left(pace, 'anna') for _ in range(10)))")
    assert " ".join(said).split().count("0") == 10


def test_an_address_that_was_never_tried_is_counted_once_for_each_who_comes_first() -> None:
    prepare = "from functions.shared import attempts\n"
    said = race(6, prepare, "print(attempts.seconds_left(attempts.MAILS, 'new@example.com'))")
    assert said.count("0") == 3


def test_a_session_says_since_when_and_by_what() -> None:
    mine = token(ANNA)
    (own,) = sessions(mine)
    member(sign_in(ANNA, user_agent="Phone\x85\u00ad" + "x" * 300), "session_id")
    phone, same = sessions(mine)
    assert same == own
    assert phone["user_agent"].startswith("Phonexxx")
    assert len(phone["user_agent"]) == 200
    assert own["user_agent"] == "tests"
    assert own["signed_in_at"] <= own["used_at"]


def test_renewing_keeps_the_session_and_says_when() -> None:
    signed_in = sign_in(ANNA)
    before = sessions(f"Bearer {member(signed_in, 'access_token')}")[0]
    again = renewed(member(signed_in, "refresh_token"))
    (after,) = sessions(f"Bearer {member(again, 'access_token')}")
    assert member(again, "session_id") == member(signed_in, "session_id") == after["id"] == before["id"]
    assert after["signed_in_at"] == before["signed_in_at"]
    assert after["used_at"] > before["used_at"]


def test_a_session_of_the_release_before_is_listed_too() -> None:
    mine = token(ANNA)
    rows.change(refresh_tokens, sa.true(), signed_in_at=None, issued_at=None, user_agent=None)
    assert [(each["signed_in_at"], each["used_at"], each["user_agent"]) for each in sessions(mine)] == [
        (None, None, "")
    ]


def test_a_session_that_is_ended_can_not_be_renewed_and_others_can() -> None:
    one, other = sign_in(ANNA), sign_in(ANNA)
    mine = f"Bearer {member(one, 'access_token')}"
    ended = asked("DELETE", f"/v1/me/sessions/{member(other, 'session_id')}", Authorization=mine)
    assert ended.status == 204
    assert code(renewed(member(other, "refresh_token"))) == (400, "invalid-grant")
    assert renewed(member(one, "refresh_token")).status == 200


def test_nobody_ends_or_sees_the_session_of_somebody_else() -> None:
    register(EVE)
    hers = sign_in(ANNA)
    eve = token(EVE)
    assert len(sessions(eve)) == 1
    answer = asked("DELETE", f"/v1/me/sessions/{member(hers, 'session_id')}", Authorization=eve)
    assert code(answer) == code(asked("DELETE", f"/v1/me/sessions/{'0' * 32}", Authorization=eve)) == (404, "not-found")
    assert renewed(member(hers, "refresh_token")).status == 200


def test_who_signs_out_everywhere_is_signed_out_everywhere_and_nobody_else_is() -> None:
    register(EVE)
    eve, one, other = sign_in(EVE), sign_in(ANNA), sign_in(ANNA)
    mine = f"Bearer {member(one, 'access_token')}"
    assert asked("DELETE", "/v1/me/sessions", Authorization=mine).status == 204
    assert {renewed(member(each, "refresh_token")).status for each in (one, other)} == {400}
    assert sessions(mine) == []
    assert renewed(member(eve, "refresh_token")).status == 200


@pytest.mark.parametrize("hint", ["refresh_token", "access_token", "no_such_thing"])
def test_revoking_ends_the_session_whatever_the_hint(hint: str) -> None:
    signed_in = sign_in(ANNA)
    form = {"token": member(signed_in, "refresh_token"), "token_type_hint": hint}
    assert posted("/v1/token/revoke", form).status == 200
    assert renewed(form["token"]).status == 400


def test_revoking_a_token_that_was_traded_in_ends_its_session() -> None:
    first = member(sign_in(ANNA), "refresh_token")
    second = member(renewed(first), "refresh_token")
    posted("/v1/token/revoke", {"token": first})
    assert renewed(second).status == 400


@pytest.mark.parametrize("unknown", ["", "x", "é\x00", "x" * 10_000])
def test_revoking_what_is_no_token_is_fine(unknown: str) -> None:
    answer = posted("/v1/token/revoke", {"token": unknown})
    assert (answer.status, answer.body) == (200, b"")


def test_revoking_nothing_is_a_bad_request() -> None:
    assert code(posted("/v1/token/revoke", {})) == (400, "bad-request")


def test_who_changes_the_password_stays_and_all_others_go(server: Server) -> None:
    one, other = sign_in(ANNA), sign_in(ANNA)
    changed = change(f"Bearer {member(one, 'access_token')}")
    assert changed.status == 200
    assert {renewed(member(each, "refresh_token")).status for each in (one, other)} == {400}
    assert renewed(member(changed, "refresh_token")).status == 200
    assert (sign_in(ANNA).status, sign_in(ANNA, NEW).status) == (401, 200)
    assert [subject for subject, _ in server.mails(ANNA)] == ["Your password was changed"]


def test_a_stolen_access_token_is_not_enough_to_change_anything() -> None:
    mine = token(ANNA)
    assert code(change(mine, "guess")) == (403, "wrong-password")
    assert code(asked("DELETE", "/v1/me", {"password": "guess"}, Authorization=mine)) == (403, "wrong-password")
    body = {"email": EVE, "password": "guess"}
    assert code(asked("PATCH", "/v1/me", body, Authorization=mine)) == (403, "wrong-password")
    assert sign_in(ANNA).status == 200


def test_guesses_with_a_stolen_access_token_have_to_wait_like_all_others() -> None:
    mine = token(ANNA)
    assert [change(mine, f"guess {number}").status for number in range(12)] == [403] * 10 + [429] * 2


@pytest.mark.parametrize("password", ["short", "x" * 257, "password1", "PASSWORD1", " password1 ", ANNA, "audiolift"])
def test_a_new_password_has_to_be_as_good_as_a_first_one(password: str) -> None:
    answer = change(token(ANNA), PASSWORD, password)
    assert code(answer) == (422, "invalid-account")
    assert member(answer, "detail").startswith("`new_password` ")
    assert register(EVE, password).status == 422 or password == ANNA
    assert sign_in(ANNA).status == 200


def test_a_sign_in_that_began_before_the_password_was_changed_gets_nothing() -> None:
    before = accounts.check_password(ANNA, PASSWORD)
    change(token(ANNA))
    with pytest.raises(Problem) as caught:
        grants.issue(before)
    assert caught.value.code == "invalid-credentials"


def test_no_token_that_is_being_renewed_outlives_the_end_of_all_sessions(tmp_path: Path) -> None:
    user = accounts.by_email(ANNA)
    chains = [grants.issue(user).refresh_token for _ in range(4)]
    renew = (
        "import time\n"
        "from functions.login import grants, sessions\n"
        "from functions.shared.problems import Problem\n"
        f"chains = {chains!r}\n"
        "def act(number):\n"
        "    if number == 4:\n"
        "        time.sleep(0.1)\n"
        f"        return sessions.end_every('{user.id}')\n"
        "    token, ends = chains[number], time.monotonic() + 10\n"
        "    while time.monotonic() < ends:\n"
        "        try:\n"
        "            token = grants.refresh(token).refresh_token\n"
        "        except Problem:\n"
        "            return\n"
    )
    said = race(5, f"{renew}{NUMBER.format(place=tmp_path)}", "act(number()); print('over')")
    assert said == ["over"] * 5
    with database.reading() as connection:
        assert connection.execute(refresh_tokens.select()).all() == []


# Each process that asks gets another number.
NUMBER = """
import os
def number():
    for each in range(5):
        try:
            os.close(os.open(f'{place}/{{each}}', os.O_CREAT | os.O_EXCL))
            return each
        except FileExistsError:
            continue
"""


def forgotten(server: Server, email: str = ANNA) -> str:
    assert asked("POST", "/v1/password/forgot", {"email": email}).status == 202
    return server.token(email)


def reset(mailed: str, password: str = NEW) -> Answered:
    return asked("POST", "/v1/password/reset", {"token": mailed, "new_password": password})


def change(mine: str, password: str = PASSWORD, new: str = NEW) -> Answered:
    return asked("POST", "/v1/me/password", {"password": password, "new_password": new}, Authorization=mine)


def test_a_password_that_was_forgotten_is_reset_and_everybody_is_signed_out(server: Server) -> None:
    old = sign_in(ANNA)
    assert reset(forgotten(server)).status == 204
    assert (sign_in(ANNA).status, sign_in(ANNA, NEW).status) == (401, 200)
    assert renewed(member(old, "refresh_token")).status == 400
    assert server.mails(ANNA)[-1][0] == "Your password was changed"


def test_who_has_forgotten_is_answered_alike_with_and_without_an_account(server: Server) -> None:
    known = asked("POST", "/v1/password/forgot", {"email": ANNA})
    unknown = asked("POST", "/v1/password/forgot", {"email": EVE})
    assert (known.status, known.body, known.headers.keys()) == (unknown.status, unknown.body, unknown.headers.keys())
    assert (len(server.mails(ANNA)), len(server.mails(EVE))) == (1, 0)
    with statements() as of_known:
        asked("POST", "/v1/password/forgot", {"email": ANNA})
    with statements() as of_unknown:
        asked("POST", "/v1/password/forgot", {"email": EVE})
    assert of_known == of_unknown != []


def test_a_link_to_reset_is_good_once_for_half_an_hour_and_only_the_newest_use_counts(server: Server) -> None:
    first, second = forgotten(server), forgotten(server)
    assert reset(first).status == 204
    assert code(reset(first)) == code(reset(second)) == (400, "invalid-link")
    third = forgotten(server)
    rows.change(mailed_tokens, sa.true(), expires_at=rows.ago(1))
    assert code(reset(third)) == (400, "invalid-link")


def test_a_password_that_will_not_do_uses_no_link_up(server: Server) -> None:
    mailed = forgotten(server)
    assert code(reset(mailed, "password1")) == (422, "invalid-account")
    assert reset(mailed).status == 204


def test_of_four_who_use_a_link_at_once_one_gets_through(server: Server) -> None:
    mailed = forgotten(server)
    prepare = (
        "from functions.login import changes\n"
        "from functions.shared.problems import Problem\n"
        "def reset():\n"
        "    try:\n"
        f"        return bool(changes.reset('{mailed}', '{NEW}'))\n"
        "    except Problem as problem:\n"
        "        return problem.code\n"
    )
    assert sorted(race(4, prepare, "print(reset())")) == ["True"] + ["invalid-link"] * 3


def test_who_is_kept_out_by_the_guesses_of_others_gets_in_by_a_reset(server: Server) -> None:
    guess(ANNA, 12)
    assert reset(forgotten(server)).status == 204
    assert sign_in(ANNA, NEW).status == 200


def test_a_reset_of_an_unknown_address_makes_no_account(server: Server) -> None:
    asked("POST", "/v1/password/forgot", {"email": EVE})
    with database.reading() as connection:
        assert len(connection.execute(users.select()).all()) == 1
        assert len(connection.execute(mailed_tokens.select()).all()) == 1


def test_who_deletes_the_account_is_gone_at_once(server: Server) -> None:
    signed_in = sign_in(ANNA)
    mine = f"Bearer {member(signed_in, 'access_token')}"
    assert asked("DELETE", "/v1/me", {"password": PASSWORD}, Authorization=mine).status == 204
    assert sign_in(ANNA).body == sign_in(EVE).body
    assert renewed(member(signed_in, "refresh_token")).status == 400
    for method, path in (("GET", "/v1/me"), ("DELETE", "/v1/me"), ("PATCH", "/v1/me")):
        body = {"password": PASSWORD, "email": EVE}
        assert asked(method, path, None if method == "GET" else body, Authorization=mine).status == 401
    assert server.mails(ANNA)[-1][0] == "Your account was deleted"


def test_the_address_of_a_deleted_account_is_free_and_the_new_one_has_nothing_of_the_old(server: Server) -> None:
    mine, old = token(ANNA), accounts.by_email(ANNA)
    mailed = forgotten(server)
    asked("DELETE", "/v1/me", {"password": PASSWORD}, Authorization=mine)
    assert code(reset(mailed)) == (400, "invalid-link")
    assert register(ANNA, NEW).status == 201
    assert accounts.by_email(ANNA).id != old.id
    assert sign_in(ANNA).status == 401


def test_the_password_of_an_account_never_leaves_login() -> None:
    for answer in (asked("GET", "/v1/me", Authorization=token(ANNA)), sign_in(ANNA)):
        assert "password" not in json.dumps(json.loads(answer.body))


def test_an_access_token_outlives_its_session_as_documented() -> None:
    signed_in = sign_in(ANNA)
    posted("/v1/token/revoke", {"token": member(signed_in, "refresh_token")})
    assert tokens.bearer(f"Bearer {member(signed_in, 'access_token')}").user_id == accounts.by_email(ANNA).id


def test_a_try_is_counted_under_a_digest() -> None:
    attempts.check(PASSWORDS, ANNA)
    with database.reading() as connection:
        assert ANNA not in str(connection.execute(attempts_table.select()).all())
