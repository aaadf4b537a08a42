"""functions/shared/suspension.py, functions/login/managed.py: accounts that are suspended, and what one may have."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import sqlalchemy as sa

from functions.login import accounts, grants, managed, operators
from functions.shared import audit, database, quotas, suspension
from functions.shared.problems import Problem
from functions.shared.tables import audit as acts
from functions.shared.tables import refresh_tokens
from tests.unit import rows
from tests.unit.processes import ROOT, race

pytestmark = pytest.mark.usefixtures("tables", "secrets")

BY = audit.Actor("chief", "request-1")


def test_a_sign_in_is_refused_and_sessions_are_over_for_good() -> None:
    user = rows.user("anna@example.com")
    signed_in = grants.issue(accounts.row(user))
    assert suspension.suspend(user, BY)
    refused(lambda: grants.issue(accounts.row(user)))
    refused(lambda: suspension.check(user))
    assert suspension.resume(user, BY)
    suspension.check(user)
    with pytest.raises(Problem) as caught:
        grants.refresh(signed_in.refresh_token)
    assert caught.value.code == "invalid-grant"
    assert grants.issue(accounts.row(user))


def test_others_are_not_touched_and_who_is_not_there_is_told_of() -> None:
    anna, eve, gone = rows.user(), rows.user(), rows.user()
    grants.issue(accounts.row(eve))
    accounts.close(rows.user_row(gone))
    assert suspension.suspend(anna, BY)
    suspension.check(eve)
    assert sessions() == 1
    assert [suspension.suspend(each, BY) for each in (gone, "0" * 32)] == [False, False]
    assert [suspension.resume(each, BY) for each in (gone, "0" * 32)] == [False, False]


def test_who_has_deleted_the_account_is_signed_out_at_once_and_not_only_when_sweep_has_been_there() -> None:
    user = rows.user()
    accounts.close(rows.user_row(user))
    for whose in (user, "0" * 32):
        with pytest.raises(Problem) as caught:
            suspension.check(whose)
        assert caught.value.code == "unauthenticated"
        assert "WWW-Authenticate" in caught.value.headers
    with database.reading() as connection:
        assert connection.execute(sa.select(suspension.closed(user))).scalar()


def test_it_is_written_down_when_something_changed_and_by_whom() -> None:
    user = rows.user()
    for act in (suspension.suspend, suspension.suspend, suspension.resume, suspension.resume):
        assert act(user, BY)
    assert written() == [
        ("chief", "user.suspended", {"user_id": user}, "request-1"),
        ("chief", "user.resumed", {"user_id": user}, "request-1"),
    ]


def test_no_session_begins_or_goes_on_in_the_moment_of_a_suspension() -> None:
    user = rows.user("anna@example.com")
    prepare = (
        "from contextlib import suppress\n"
        "from functions.login import accounts, grants\n"
        "from functions.shared import audit, suspension\n"
        "from functions.shared.problems import Problem\n"
        f"row = accounts.row('{user}')"
    )
    act = (
        "import os\n"
        "if os.getpid() % 4 == 0:\n"
        f"    suspension.suspend('{user}', audit.COMMAND_LINE)\n"
        "else:\n"
        "    with suppress(Problem):\n"
        "        token = grants.issue(row)\n"
        "        for _ in range(5):\n"
        "            token = grants.refresh(token.refresh_token)\n"
    )
    race(8, prepare, act)
    suspension.suspend(user, audit.COMMAND_LINE)
    assert sessions() == 0


def test_the_command_shows_and_sets_what_an_account_may_have() -> None:
    user = rows.user("anna@example.com")
    assert asked("Anna@example.com", "--jobs", "3", "--minutes-a-day", "0")[0] == 0
    with database.reading() as connection:
        may = quotas.allowed(connection, user)
    assert (may["jobs"], may["minutes_a_day"]) == (3, 0)
    status, said, _ = asked("anna@example.com", "--jobs", "default", "--stored-bytes", "5000")
    assert status == 0
    assert [line for line in said.splitlines() if "for this account" in line] == said.splitlines()[2:]
    with database.reading() as connection:
        may = quotas.allowed(connection, user)
    assert (may["jobs"], may["stored_bytes"], may["minutes_a_day"]) == (defaults()["jobs"], 5000, 0)
    assert [(action, target) for _, action, target, _ in written()] == [
        ("quotas.set", {"user_id": user, "jobs": 3, "minutes_a_day": 0}),
        ("quotas.set", {"user_id": user, "jobs": None, "stored_bytes": 5000}),
    ]


def test_the_command_suspends_and_resumes() -> None:
    user = rows.user("anna@example.com")
    assert "suspended" in asked("anna@example.com", "--suspend")[1]
    refused(lambda: suspension.check(user))
    assert "suspended" not in asked("anna@example.com", "--resume")[1]
    suspension.check(user)


def test_the_command_suspends_the_last_operator_when_told_to() -> None:
    user = rows.user("anna@example.com")
    operators.grant("anna@example.com")
    status, said, error = asked("anna@example.com", "--suspend")
    assert (status, said, "There is no other operator" in error) == (1, "", True)
    suspension.check(user)
    assert asked("anna@example.com", "--suspend", "--even-last")[0] == 0
    refused(lambda: suspension.check(user))


@pytest.mark.parametrize(
    "arguments",
    [
        ["eve@example.com"],
        ["anna@example.com", "--jobs", "-1"],
        ["anna@example.com", "--jobs", "many"],
        ["anna@example.com", "--jobs", "٣"],
        ["anna@example.com", "--stored-bytes", str(2**63)],
        ["anna@example.com", "--suspend", "--resume"],
        [],
    ],
)
def test_the_command_changes_nothing_that_it_does_not_understand(arguments: list[str]) -> None:
    rows.user("anna@example.com")
    status, said, error = asked(*arguments)
    assert (status != 0, said, error != "", written()) == (True, "", True, [])


def test_a_line_for_each_quota() -> None:
    lines = managed.shown(rows.user("anna@example.com")).splitlines()
    assert [line.split()[0] for line in lines] == ["anna@example.com", *quotas.QUOTAS]


def refused(act: Any) -> None:
    with pytest.raises(Problem) as caught:
        act()
    assert (caught.value.status, caught.value.code) == (403, "account-suspended")


def sessions() -> int:
    with database.reading() as connection:
        return len(connection.execute(refresh_tokens.select()).all())


def defaults() -> dict[str, int]:
    with database.reading() as connection:
        return quotas.allowed(connection, "nobody")


def written() -> list[tuple[Any, ...]]:
    with database.reading() as connection:
        found = connection.execute(acts.select().order_by(acts.c.at))
        return [(row.actor, row.action, row.target, row.request_id) for row in found]


def asked(*arguments: str) -> tuple[int, str, str]:
    """What `make account` runs: its status, what it says, and what it complains of."""
    command = [sys.executable, "-m", "functions.login.managed", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr
