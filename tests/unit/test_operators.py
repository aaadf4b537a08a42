"""functions/login/operators.py and functions/shared/roles.py: the role comes by command line, and ends at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from functions.login import operators
from functions.shared import audit as audit_log
from functions.shared import database, roles, suspension
from functions.shared.problems import Problem
from functions.shared.tables import audit, users
from functions.sweep import administration
from functions.sweep import retention as sweeping
from tests.unit import rows
from tests.unit.processes import ROOT, race

pytestmark = pytest.mark.usefixtures("tables")


def test_the_role_is_given_listed_and_taken_by_command_line() -> None:
    user = rows.user("anna@example.com")
    assert asked() == (0, "There are no operators.\n", "")
    assert asked("--grant", " Anna@Example.com ")[0] == 0
    roles.check_operator(user)
    assert asked() == (0, "anna@example.com\n", "")
    assert asked("--revoke", "anna@example.com", "--even-last")[0] == 0
    not_an_operator(user)
    assert [(act.actor, act.action, act.target) for act in acts()] == [
        ("command-line", "operator.granted", {"user_id": user}),
        ("command-line", "operator.revoked", {"user_id": user}),
    ]


@pytest.mark.parametrize("arguments", [("--grant", "nobody@example.com"), ("--revoke", "nobody@example.com")])
def test_who_is_not_there_gets_nothing_and_loses_nothing(arguments: tuple[str, str]) -> None:
    status, said, error = asked(*arguments)
    assert (status, said, len(error.splitlines())) == (1, "", 1)
    assert acts() == []


def test_an_operator_who_is_made_one_again_is_one_once() -> None:
    rows.user("anna@example.com")
    assert operators.grant("anna@example.com")
    assert operators.grant("anna@example.com")
    assert len(acts()) == 1
    assert operators.revoke("anna@example.com", even_last=True)
    assert not operators.revoke("anna@example.com", even_last=True)


def test_the_last_operator_is_not_taken_away_but_by_a_word_more() -> None:
    anna, eve = rows.user("anna@example.com"), rows.user("eve@example.com")
    operators.grant("anna@example.com")
    for act in (lambda: operators.revoke("anna@example.com"), lambda: suspension.suspend(anna, audit_log.COMMAND_LINE)):
        needed(act)
    operators.grant("eve@example.com")
    assert suspension.suspend(anna, audit_log.COMMAND_LINE)
    # Anna is an operator, and can do nothing.
    needed(lambda: operators.revoke("eve@example.com"))
    assert suspension.suspend(anna, audit_log.COMMAND_LINE)
    assert suspension.suspend(eve, audit_log.COMMAND_LINE, even_last=True)
    assert suspension.suspend(rows.user(), audit_log.COMMAND_LINE)


def test_nobody_suspends_themselves() -> None:
    anna = rows.user("anna@example.com")
    rows.user("eve@example.com")
    assert operators.grant("anna@example.com")
    assert operators.grant("eve@example.com")
    needed(lambda: administration.suspend(anna, audit_log.Actor(anna, "request-1")))
    assert rows.user_row(anna).suspended_at is None


def test_of_operators_who_suspend_each_other_one_is_left() -> None:
    ids = [rows.user(f"{number}@example.com") for number in range(4)]
    for number in range(4):
        operators.grant(f"{number}@example.com")
    prepare = (
        "from contextlib import suppress\n"
        "from functions.shared import audit, suspension\n"
        "from functions.shared.problems import Problem\n"
    )
    act = (
        f"for user in {ids}:\n    with suppress(Problem):\n        suspension.suspend(user, audit.Actor('somebody'))\n"
    )
    race(4, prepare, act)
    assert [rows.user_row(each).suspended_at for each in ids].count(None) == 1


def test_the_command_keeps_the_last_operator_until_told_to() -> None:
    rows.user("anna@example.com")
    operators.grant("anna@example.com")
    status, said, error = asked("--revoke", "anna@example.com")
    assert (status, said) == (1, "")
    assert "There is no other operator" in error
    assert operators.every() == ["anna@example.com"]
    assert asked("--revoke", "anna@example.com", "--even-last")[0] == 0
    assert operators.every() == []


def test_others_are_none() -> None:
    rows.user("anna@example.com")
    operators.grant("anna@example.com")
    not_an_operator(rows.user())
    not_an_operator("nobody")


def test_the_role_ends_with_the_account_and_what_was_done_stays_known() -> None:
    user = rows.user("anna@example.com")
    operators.grant("anna@example.com")
    with database.transaction() as connection:
        connection.execute(users.delete().where(users.c.id == user))
    not_an_operator(user)
    assert len(acts()) == 1


def test_what_was_done_is_forgotten_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rows.user("anna@example.com")
    operators.grant("anna@example.com")
    monkeypatch.setenv("AUDIT_SECONDS", "86400")
    rows.change(audit, audit.c.id.is_not(None), at=rows.ago(86_000))
    sweeping.forget()
    assert len(acts()) == 1
    rows.change(audit, audit.c.id.is_not(None), at=rows.ago(86_500))
    sweeping.forget()
    assert acts() == []


def test_a_database_that_is_away_is_told_of_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("DATABASE_URL", "mysql+pymysql://anna:hunter2@127.0.0.1:9/x")
        status, said, error = asked()
    assert (status, said, len(error.splitlines())) == (1, "", 1)
    assert "hunter2" not in error


def asked(*arguments: str) -> tuple[int, str, str]:
    """What `make operator` runs: its status, what it says, and what it complains of."""
    command = [sys.executable, "-m", "functions.login.operators", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def acts() -> list[Any]:
    with database.reading() as connection:
        return list(connection.execute(audit.select().order_by(audit.c.at)).all())


def not_an_operator(user: str) -> None:
    with pytest.raises(Problem) as caught:
        roles.check_operator(user)
    assert (caught.value.status, caught.value.code) == (403, "insufficient-scope")


def needed(act: Callable[[], Any]) -> None:
    with pytest.raises(Problem) as caught:
        act()
    assert (caught.value.status, caught.value.code) == (409, "operator-needed")
