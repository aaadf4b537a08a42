"""functions/shared/api_keys.py, keyring.py, functions/login/api_keys.py: what a key looks like, and what it opens."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.login import api_keys as made
from functions.login.key_shapes import MAX_KEYS, KeyScope, MadeApiKey, NewApiKey
from functions.shared import api_keys, database, keyring
from functions.shared.problems import Problem
from functions.shared.scopes import FOR_KEYS, Scope
from functions.shared.tables import api_keys as table
from functions.shared.tables import now, users
from functions.sweep import retention as sweeping
from tests.unit import rows
from tests.unit.processes import race

with_tables = pytest.mark.usefixtures("tables")


def test_a_key_is_found_by_the_pattern_and_passes_its_own_check() -> None:
    keys = {api_keys.make() for _ in range(200)}
    assert len(keys) == 200
    for key in keys:
        assert re.search(api_keys.PATTERN, f"token = {key};")
        api_keys.check_form(key)


def test_the_checksum_is_the_crc_32_that_a_scanner_would_count() -> None:
    # The check value of CRC-32/ISO-HDLC, as catalogues of CRCs have it.
    assert crc_32(b"123456789") == 0xCBF43926
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for body in ("0" * 32, "z" * 32, "audiolift" * 3 + "abcde"):
        number = crc_32(body.encode())
        digits = "".join(alphabet[number // 62**power % 62] for power in reversed(range(6)))
        api_keys.check_form(f"al_{body}{digits}")


def crc_32(data: bytes) -> int:
    """Bit by bit, by the polynomial 0x04C11DB7 (reflected)."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xEDB88320 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


@given(st.integers(3, 40), st.sampled_from("09AZaz-_ é\n\x00"))
def test_one_wrong_character_is_noticed(place: int, character: str) -> None:
    key = api_keys.make()
    if key[place] != character:
        refused(lambda: api_keys.check_form(key[:place] + character + key[place + 1 :]))


@pytest.mark.parametrize(
    "key",
    ["al_", "al_x", "al_" + "0" * 38, "al_" + "0" * 39, "al_" + "é" * 38, "al_" + "x" * 100_000, "AL_" + "0" * 38],
)
def test_what_cannot_be_a_key_is_refused_without_a_database(key: str) -> None:
    assert "invalid_token" in refused(lambda: api_keys.check_form(key)).headers["WWW-Authenticate"]


def test_a_line_feed_after_a_key_is_no_part_of_it() -> None:
    refused(lambda: api_keys.check_form(api_keys.make() + "\n"))


def test_the_scopes_that_a_key_may_be_made_with_are_those_for_keys() -> None:
    assert set(get_args(KeyScope)) == FOR_KEYS
    assert not FOR_KEYS & {Scope.ACCOUNT_WRITE, Scope.ADMIN}


@with_tables
def test_a_key_says_whose_it_is_and_what_it_may() -> None:
    user = rows.user()
    key = new(user, "jobs:read")
    caller = keyring.holder(key.key)
    assert (caller.user_id, caller.key_id) == (user, key.id)
    assert caller.scopes == {Scope.JOBS_READ}


@with_tables
def test_the_database_has_a_digest_and_the_beginning_and_no_list_shows_more() -> None:
    user = rows.user()
    key = new(user).key
    with database.reading() as connection:
        kept = str(connection.execute(table.select()).mappings().one())
    (listed,) = made.every(user).items
    assert key not in kept
    assert key[8:] not in kept + str(listed)
    assert listed.start == key[:7]


@with_tables
def test_a_key_that_was_never_made_is_refused() -> None:
    new(rows.user())
    refused(lambda: keyring.holder(api_keys.make()))


@with_tables
def test_a_revoked_key_is_refused_at_once_though_it_has_just_been_used() -> None:
    user = rows.user()
    key, other = new(user), new(user)
    keyring.holder(key.key)
    made.revoke(user, key.id)
    refused(lambda: keyring.holder(key.key))
    assert keyring.holder(other.key).key_id == other.id


@with_tables
def test_nobody_revokes_a_key_of_somebody_else() -> None:
    owner, other = rows.user(), rows.user()
    key = new(owner)
    with pytest.raises(Problem) as caught:
        made.revoke(other, key.id)
    assert caught.value.code == "not-found"
    assert keyring.holder(key.key).user_id == owner


@with_tables
def test_a_key_is_over_at_its_time_and_listed_a_while() -> None:
    user = rows.user()
    key = new(user, expires_at=now() + timedelta(hours=1))
    assert keyring.holder(key.key)
    rows.change(table, table.c.id == key.id, expires_at=rows.ago(0))
    assert "expired" in refused(lambda: keyring.holder(key.key)).detail
    sweeping.forget()
    assert [each.id for each in made.every(user).items] == [key.id]
    rows.change(table, table.c.id == key.id, expires_at=rows.ago(8 * 86_400))
    sweeping.forget()
    assert made.every(user).items == []


@with_tables
def test_a_key_ends_with_its_account() -> None:
    user = rows.user()
    key = new(user)
    with database.transaction() as connection:
        connection.execute(users.delete().where(users.c.id == user))
    refused(lambda: keyring.holder(key.key))


@with_tables
def test_a_row_with_more_than_a_key_may_have_gives_no_more() -> None:
    key = new(rows.user())
    rows.change(table, table.c.id == key.id, scopes="jobs:read account:write admin of-a-newer-release")
    assert keyring.holder(key.key).scopes == {Scope.JOBS_READ}


@with_tables
def test_its_last_use_is_known_to_the_minute_and_written_once_in_it() -> None:
    user = rows.user()
    key = new(user)
    assert last_used(key) is None
    keyring.holder(key.key)
    first = last_used(key)
    keyring.holder(key.key)
    assert first is not None
    assert last_used(key) == first
    rows.change(table, table.c.id == key.id, last_used_at=rows.ago(61))
    keyring.holder(key.key)
    assert last_used(key) >= first


@with_tables
def test_an_account_has_so_many_keys_and_another_one_its_own() -> None:
    user = rows.user()
    keys = [new(user) for _ in range(MAX_KEYS)]
    with pytest.raises(Problem) as caught:
        new(user)
    assert caught.value.code == "too-many-keys"
    new(rows.user())
    made.revoke(user, keys[0].id)
    new(user)


@with_tables
def test_who_makes_keys_at_once_gets_no_more_of_them() -> None:
    user = rows.user()
    for _ in range(MAX_KEYS - 2):
        new(user)
    prepare = (
        "from functions.login import api_keys\n"
        "from functions.login.key_shapes import NewApiKey\n"
        "from functions.shared.problems import Problem\n"
        "def make():\n"
        "    try:\n"
        f"        return api_keys.create('{user}', NewApiKey('x', ['jobs:read']))[0].id\n"
        "    except Problem as problem:\n"
        "        return problem.code"
    )
    said = race(8, prepare, "print(make())")
    assert said.count("too-many-keys") == 6
    assert len(made.every(user).items) == MAX_KEYS


@with_tables
def test_there_is_no_key_for_an_account_that_is_gone() -> None:
    refused(lambda: new("0" * 32))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"name": "x"},
        {"name": "", "scopes": ["jobs:read"]},
        {"name": "x" * 101, "scopes": ["jobs:read"]},
        {"name": "two\nlines", "scopes": ["jobs:read"]},
        {"name": "line\n", "scopes": ["jobs:read"]},
        {"name": "\x1b[31m", "scopes": ["jobs:read"]},
        {"name": "\u202egpj", "scopes": ["jobs:read"]},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["admin"]},
        {"name": "x", "scopes": ["jobs:read", "account:write"]},
        {"name": "x", "scopes": ["jobs:*"]},
        {"name": "x", "scopes": "jobs:read"},
        {"name": "x", "scopes": ["jobs:read"], "user_id": "0" * 32},
        {"name": "x", "scopes": ["jobs:read"], "key": "al_" + "0" * 38},
        {"name": "x", "scopes": ["jobs:read"], "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "x", "scopes": ["jobs:read"], "expires_at": "2040-01-01T00:00:00"},
        {"name": "x", "scopes": ["jobs:read"], "expires_at": "0001-01-01T00:00:00+14:00"},
        {"name": "x", "scopes": ["jobs:read"], "expires_at": "9999-12-31T23:59:59-14:00"},
        {"name": "x", "scopes": ["jobs:read"], "expires_at": "tomorrow"},
        {"name": "x", "scopes": ["jobs:read"], "expires_at": 2_000_000_000},
    ],
)
def test_a_key_that_cannot_be_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises((Problem, msgspec.ValidationError)):
        msgspec.convert(given, NewApiKey)


def test_a_time_in_another_zone_is_that_time() -> None:
    given = {"name": "x", "scopes": ["jobs:read"], "expires_at": "2040-01-01T00:00:00+02:00"}
    assert msgspec.convert(given, NewApiKey).expires_at == datetime(2039, 12, 31, 22, tzinfo=UTC)


def new(user: str, *scopes: Any, expires_at: datetime | None = None) -> MadeApiKey:
    return made.create(user, NewApiKey("nightly import", [*(scopes or get_args(KeyScope))], expires_at))[0]


def last_used(key: MadeApiKey) -> Any:
    with database.reading() as connection:
        return connection.execute(table.select().where(table.c.id == key.id)).one().last_used_at


def refused(action: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        action()
    assert caught.value.code == "unauthenticated"
    return caught.value
