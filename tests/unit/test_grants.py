"""functions/login/grants.py: refresh tokens are good once."""

from __future__ import annotations

import pytest

from functions.login import grants
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


def refused(token: str) -> None:
    with pytest.raises(Problem) as caught:
        grants.refresh(token)
    assert (caught.value.code, caught.value.members) == ("invalid-grant", {"error": "invalid_grant"})
