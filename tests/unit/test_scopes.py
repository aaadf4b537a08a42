"""functions/shared/scopes.py, and functions/login/grants.py with them: nothing gets to be for more than it was."""

from __future__ import annotations

import pytest

from functions.login import grants, operators
from functions.login.shapes import Token
from functions.shared import database, tokens
from functions.shared.problems import Problem
from functions.shared.scopes import MEANINGS, OF_A_PERSON, Scope, demand, narrowed, parse, written
from functions.shared.tables import refresh_tokens as table
from functions.shared.tables import users
from tests.unit import rows

with_tables = pytest.mark.usefixtures("tables", "secrets")
EVERYTHING = "jobs:read jobs:write account:read account:write"


def test_every_scope_is_explained() -> None:
    assert set(MEANINGS) == set(Scope)


def test_scopes_are_written_in_one_order_and_read_in_any() -> None:
    assert written({Scope.ADMIN, Scope.JOBS_READ}) == "jobs:read admin"
    assert parse(" admin  jobs:read of-a-newer-release ") == {Scope.ADMIN, Scope.JOBS_READ}
    assert parse("") == parse("JOBS:READ jobs: jobs:read:x") == frozenset()


@pytest.mark.parametrize("asked", ["admin", "jobs:read admin", "jobs:*", "everything", "jobs:read,jobs:write"])
def test_more_than_one_may_have_is_refused_and_not_cut_down(asked: str) -> None:
    with pytest.raises(Problem) as caught:
        narrowed(asked, OF_A_PERSON)
    assert (caught.value.code, caught.value.status) == ("invalid-scope", 400)
    assert caught.value.members == {"error": "invalid_scope"}


def test_who_lacks_a_scope_is_told_which() -> None:
    with pytest.raises(Problem) as caught:
        demand(Scope.JOBS_WRITE, frozenset({Scope.JOBS_READ}))
    challenge = 'Bearer realm="audiolift", error="insufficient_scope", scope="jobs:write"'
    assert (caught.value.status, caught.value.headers["WWW-Authenticate"]) == (403, challenge)


def test_a_route_that_names_no_scope_is_for_nobody() -> None:
    with pytest.raises(Problem):
        demand(None, frozenset(Scope))


@with_tables
def test_a_sign_in_is_for_all_that_a_person_may() -> None:
    response = issue(rows.user())
    assert response.scope == EVERYTHING
    assert held(response.access_token) == OF_A_PERSON


@with_tables
def test_a_sign_in_is_for_what_was_asked_and_so_is_all_that_comes_of_it() -> None:
    response = issue(rows.user(), "jobs:write jobs:read")
    for _ in range(3):
        assert response.scope == "jobs:read jobs:write"
        assert held(response.access_token) == {Scope.JOBS_READ, Scope.JOBS_WRITE}
        response = grants.refresh(response.refresh_token)


@with_tables
def test_a_renewed_token_may_be_for_less_and_the_next_one_for_all_of_the_sign_in_again() -> None:
    response = grants.refresh(issue(rows.user(), "jobs:read jobs:write").refresh_token, asked="jobs:read")
    assert held(response.access_token) == {Scope.JOBS_READ}
    assert held(grants.refresh(response.refresh_token).access_token) == {Scope.JOBS_READ, Scope.JOBS_WRITE}


@with_tables
@pytest.mark.parametrize("asked", ["jobs:write", "jobs:read jobs:write", "account:write", "admin"])
def test_a_renewed_token_is_never_for_more_and_who_asks_for_it_may_try_again(asked: str) -> None:
    token = issue(rows.user(), "jobs:read").refresh_token
    with pytest.raises(Problem) as caught:
        grants.refresh(token, asked=asked)
    assert caught.value.code == "invalid-scope"
    assert grants.refresh(token).scope == "jobs:read"


@with_tables
def test_a_sign_in_of_the_release_before_this_one_is_for_all_but_what_there_was_not() -> None:
    user, email = somebody()
    token = issue(user).refresh_token
    operators.grant(email)
    rows.change(table, table.c.user_id == user, scope=None)
    renewed = grants.refresh(token)
    assert renewed.scope == EVERYTHING
    assert grants.refresh(renewed.refresh_token).scope == EVERYTHING


@with_tables
def test_an_operator_s_sign_in_says_so_unless_it_is_asked_to_be_less() -> None:
    user, email = somebody()
    before = issue(user)
    operators.grant(email)
    assert held(issue(user).access_token) == set(Scope)
    assert Scope.ADMIN not in held(issue(user, EVERYTHING).access_token)
    assert Scope.ADMIN not in held(grants.refresh(before.refresh_token).access_token)


@with_tables
def test_who_is_no_operator_any_more_renews_without_it() -> None:
    user, email = somebody()
    operators.grant(email)
    whole, only = issue(user), issue(user, "admin")
    operators.revoke(email, even_last=True)
    assert grants.refresh(whole.refresh_token).scope == EVERYTHING
    with pytest.raises(Problem) as caught:
        grants.refresh(only.refresh_token)
    assert caught.value.code == "invalid-scope"


def issue(user: str, asked: str = "") -> Token:
    """A sign-in."""
    return grants.issue(rows.user_row(user), asked=asked)


def held(access_token: str) -> frozenset[Scope]:
    return tokens.bearer(f"Bearer {access_token}").scopes


def somebody() -> tuple[str, str]:
    """A user's id and address."""
    user = rows.user()
    with database.reading() as connection:
        return user, connection.execute(users.select().where(users.c.id == user)).one().email
