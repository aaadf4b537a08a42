"""functions/login/grants.py: refresh tokens are good once; a browser's for a moment more."""

from __future__ import annotations

import pytest

from functions.login import grants, sessions
from functions.shared import database, tokens
from functions.shared.problems import Problem
from functions.shared.tables import refresh_tokens as table
from functions.shared.tables import users
from tests.unit import rows
from tests.unit.processes import race

pytestmark = pytest.mark.usefixtures("tables", "secrets")


def test_a_token_response_lets_its_user_in() -> None:
    user = rows.user()
    response = grants.issue(rows.user_row(user))
    assert tokens.bearer(f"Bearer {response.access_token}").user_id == user
    assert (response.token_type, response.expires_in) == ("Bearer", 900)


def test_a_refresh_token_is_traded_for_another() -> None:
    user = rows.user()
    first = grants.issue(rows.user_row(user))
    second = grants.refresh(first.refresh_token)
    assert tokens.bearer(f"Bearer {second.access_token}").user_id == user
    assert second.refresh_token != first.refresh_token
    assert grants.refresh(second.refresh_token)


def test_a_token_that_is_used_twice_revokes_its_whole_family_and_no_other() -> None:
    user = rows.user()
    stolen, elsewhere = grants.issue(rows.user_row(user)), grants.issue(rows.user_row(user))
    newest = grants.refresh(grants.refresh(stolen.refresh_token).refresh_token)
    for token in (stolen, newest):
        refused(token.refresh_token)
    assert grants.refresh(elsewhere.refresh_token)


def test_of_eight_who_use_a_token_at_once_one_at_most_gets_another_and_that_is_revoked() -> None:
    token = grants.issue(rows.user_row(rows.user())).refresh_token
    prepare = (
        "from functions.login import grants\n"
        "from functions.shared.problems import Problem\n"
        "def refresh():\n"
        "    try:\n"
        f"        return grants.refresh('{token}').refresh_token\n"
        "    except Problem as problem:\n"
        "        return problem.code"
    )
    said = race(8, prepare, "print(refresh())")
    assert said.count("invalid-grant") == 7
    refused(next(answer for answer in said if answer != "invalid-grant"))
    with database.reading() as connection:
        assert connection.execute(table.select()).all() == []


def test_a_token_that_is_over_is_refused() -> None:
    token = grants.issue(rows.user_row(rows.user())).refresh_token
    rows.change(table, table.c.used_at.is_(None), expires_at=rows.ago(1))
    refused(token)


def test_a_token_is_over_when_its_user_is_gone() -> None:
    user = rows.user()
    token = grants.issue(rows.user_row(user)).refresh_token
    with database.transaction() as connection:
        connection.execute(users.delete().where(users.c.id == user))
    refused(token)


@pytest.mark.parametrize("token", ["", "x", "x" * 100_000, "é", "' OR 1=1 --"])
def test_what_was_never_a_token_is_refused(token: str) -> None:
    refused(token)


def test_an_access_token_is_no_refresh_token() -> None:
    refused(grants.issue(rows.user_row(rows.user())).access_token)


def test_tokens_are_kept_as_digests_only() -> None:
    token = grants.issue(rows.user_row(rows.user())).refresh_token
    with database.reading() as connection:
        row = connection.execute(table.select()).one()
    assert token not in str(row)
    assert len(row.digest) == 64


# A browser's, which it keeps as a cookie


def test_a_browser_whose_answer_was_lost_goes_on_with_the_token_that_it_has() -> None:
    first = begun()
    lost = again(first)
    kept = again(first)
    assert again(kept) != lost
    # It comes late, and is good: its generation has just been used.
    assert again(lost)


def test_the_tabs_of_a_browser_that_send_one_token_at_once_all_go_on() -> None:
    token = begun()
    prepare = "from functions.login import grants"
    said = race(8, prepare, f"print(grants.renew('{token}', '', '', in_cookie=True).refresh_token)")
    assert len(set(said)) == 8
    # The browser keeps the one that came last.
    assert again(again(said[3]))
    with database.reading() as connection:
        owner = connection.execute(table.select()).first().user_id  # type: ignore[union-attr]
    assert len(sessions.list_of(owner).items) == 1


def test_after_the_grace_a_browser_s_token_ends_its_session_for_thief_and_owner() -> None:
    stolen = begun()
    newest = again(stolen)
    rows.change(table, table.c.used_at.is_not(None), used_at=rows.ago(grants.GRACE_SECONDS + 1))
    refused(stolen, in_cookie=True)
    refused(newest, in_cookie=True)


def test_within_the_grace_a_token_from_before_the_last_one_ends_the_session_too() -> None:
    stolen = begun()
    newest = again(again(stolen))
    refused(stolen, in_cookie=True)
    refused(newest, in_cookie=True)


def test_a_thief_within_the_grace_is_found_out_by_the_next_renewal_but_one() -> None:
    """Both go on from the token that was stolen; whoever renews second, after the grace, shows that there are two."""
    stolen = begun()
    of_the_owner, of_the_thief = again(stolen), again(stolen)
    again(of_the_owner)
    rows.change(table, table.c.used_at.is_not(None), used_at=rows.ago(grants.GRACE_SECONDS + 1))
    refused(of_the_thief, in_cookie=True)
    with database.reading() as connection:
        assert connection.execute(table.select()).all() == []


def test_a_browser_s_token_is_over_in_its_time_whatever_the_grace() -> None:
    token = begun()
    again(token)
    rows.change(table, table.c.generation == 0, expires_at=rows.ago(1))
    refused(token, in_cookie=True)


def test_a_browser_s_token_is_none_of_a_program_s_nor_the_other_way_round() -> None:
    of_browser, of_program = begun(), grants.issue(rows.user_row(rows.user())).refresh_token
    refused(of_browser)
    refused(of_program, in_cookie=True)
    assert again(of_browser)
    assert grants.refresh(of_program)


def begun() -> str:
    """The refresh token of a browser that has just signed in."""
    return grants.begin(rows.user_row(rows.user()), "", "", in_cookie=True).refresh_token


def again(token: str) -> str:
    """The one that a browser gets for it."""
    return grants.renew(token, "", "", in_cookie=True).refresh_token


def refused(token: str, *, in_cookie: bool = False) -> None:
    with pytest.raises(Problem) as caught:
        grants.renew(token, "", "", in_cookie=in_cookie)
    assert (caught.value.code, caught.value.members) == ("invalid-grant", {"error": "invalid_grant"})
