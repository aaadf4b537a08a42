"""functions/login/accounts.py: who may sign in."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from functions.login import accounts
from functions.login.shapes import NewUser, User
from functions.shared import database
from functions.shared.problems import Problem
from functions.shared.tables import users
from functions.shared.takes import checked
from tests.unit.processes import race

pytestmark = pytest.mark.usefixtures("tables")

PASSWORD = "correct horse battery staple"


def create(email: Any, password: Any) -> User:
    """What becomes of a request with these members."""
    new = checked({"email": email, "password": password}, NewUser, "invalid-account")
    return accounts.create(new.email, new.password)


def test_who_registers_can_sign_in() -> None:
    account = create("anna@example.com", PASSWORD)
    assert accounts.check_password("anna@example.com", PASSWORD).id == account.id
    assert accounts.read(account.id).email == account.email


def test_an_account_shows_neither_password_nor_hash() -> None:
    assert set(create("anna@example.com", PASSWORD).__struct_fields__) == {"id", "email", "created_at"}


def test_passwords_are_kept_as_argon2id_with_the_parameters_that_owasp_asks_for() -> None:
    create("anna@example.com", PASSWORD)
    with database.reading() as connection:
        kept = connection.execute(sa.select(users.c.password_hash)).scalar_one()
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_case_and_space_around_an_address_do_not_matter() -> None:
    account = create(" Anna@Example.COM ", PASSWORD)
    assert account.email == "anna@example.com"
    assert accounts.check_password("ANNA@example.com ", PASSWORD).id == account.id
    with pytest.raises(Problem) as caught:
        create("ANNA@EXAMPLE.com", PASSWORD)
    assert caught.value.code == "email-taken"


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("anna@example.com", "wrong"),
        ("anna@example.com", ""),
        ("anna@example.com", PASSWORD + " "),
        ("anna@example.com", PASSWORD.upper()),
        ("berta@example.com", PASSWORD),
        ("", ""),
        ("' OR 1=1 --", PASSWORD),
        ("anna@example.com\x00", PASSWORD),
        ("anna@example.com", "x" * 1_000_000),
    ],
)
def test_a_wrong_address_and_a_wrong_password_look_the_same(email: str, password: str) -> None:
    create("anna@example.com", PASSWORD)
    with pytest.raises(Problem) as caught:
        accounts.check_password(email, password)
    assert (caught.value.code, caught.value.detail) == ("invalid-credentials", "Check both and try again.")


def test_what_follows_the_longest_password_counts_too() -> None:
    create("anna@example.com", "x" * 256)
    accounts.check_password("anna@example.com", "x" * 256)
    with pytest.raises(Problem):
        accounts.check_password("anna@example.com", "x" * 257)


@pytest.mark.parametrize("password", ["nut bowl", "x" * 256, "pass wörd 你好 🎬", "  spaces  "])
def test_a_password_of_8_to_256_characters_will_do(password: str) -> None:
    account = create("anna@example.com", password)
    assert accounts.check_password("anna@example.com", password).id == account.id


@pytest.mark.parametrize("password", ["", "1234567", "x" * 257, None, 12345678, ["12345678"], {"a": 1}, True])
def test_every_other_password_is_refused(password: Any) -> None:
    with pytest.raises(Problem) as caught:
        create("anna@example.com", password)
    assert caught.value.code == "invalid-account"


@pytest.mark.parametrize(
    "email", ["a@b", "o'brien+x@mail.example.co.uk", "!#$%&'*+-/?^_`{|}~=@example.org", "x" * 64 + "@example.com"]
)
def test_an_address_that_a_browser_takes_is_taken(email: str) -> None:
    assert create(email, PASSWORD).email == email


@pytest.mark.parametrize(
    "email",
    [
        "",
        "anna",
        "@example.com",
        "anna@",
        "anna@@example.com",
        "a@b@c",
        "anna berta@example.com",
        "anna,berta@example.com",
        "anna;berta@example.com",
        "<anna@example.com>",
        "Anna <anna@example.com>",
        "anna@example.com\r\nBcc: eve@example.com",
        "anna@example.com\nx",
        "anna\x00@example.com",
        "anna@example .com",
        "anna@-example.com",
        "anna@example..com",
        "anna@exämple.com",
        "änna@example.com",
        "anna@e\u212aample.com",
        "\ud800@example.com",
        "=?utf-8?q?eve=40example.com?=@example.com",
        "=?utf-8?q?=0D=0Ax?=@example.com",
        "x" * 65 + "@example.com",
        "x@" + ".".join(["y" * 63] * 5),
        None,
        5,
        ["anna@example.com"],
        {"email": "anna@example.com"},
    ],
)
def test_what_is_not_one_plain_address_is_refused(email: Any) -> None:
    with pytest.raises(Problem) as caught:
        create(email, PASSWORD)
    assert caught.value.code == "invalid-account"


def test_of_four_who_register_one_address_at_once_one_gets_it() -> None:
    prepare = (
        "from functions.login import accounts\n"
        "from functions.shared.problems import Problem\n"
        "def register():\n"
        "    try:\n"
        f"        return accounts.create('anna@example.com', '{PASSWORD}').email\n"
        "    except Problem as problem:\n"
        "        return problem.code"
    )
    said = race(4, prepare, "print(register())")
    assert sorted(said) == ["anna@example.com"] + ["email-taken"] * 3


def test_an_account_that_is_gone_is_not_shown() -> None:
    with pytest.raises(Problem) as caught:
        accounts.read("0" * 32)
    assert caught.value.code == "unauthenticated"
