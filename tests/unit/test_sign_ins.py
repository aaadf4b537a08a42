"""Sign-ins from new places and by new programs: who is told, how often, and what is kept about it."""

from __future__ import annotations

import pytest

from functions.login import keys, programs
from functions.shared import database, kinds
from functions.shared.tables import known_sign_ins as table
from functions.shared.tables import notice_preferences, users
from functions.sweep import retention
from tests.asgi import Answered
from tests.unit import rows
from tests.unit.login import PASSWORD, posted, register
from tests.unit.smtp import Server

pytestmark = pytest.mark.usefixtures("tables", "secrets")

ANNA = "anna@example.com"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)


@pytest.fixture(autouse=True)
def behind_a_gateway(broker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anna has an account. Whoever asks came through a proxy that is believed."""
    monkeypatch.setenv("VERIFY_EMAIL", "off")
    monkeypatch.setenv("TRUSTED_PROXIES", "127.0.0.0/8")
    assert register(ANNA).status == 201


def sign_in(agent: str = FIREFOX, address: str = "198.51.100.7", password: str = PASSWORD) -> Answered:
    form = {"grant_type": "password", "username": ANNA, "password": password}
    return posted("/v1/token", form, User_Agent=agent, X_Forwarded_For=f"{address}, 127.0.0.1")


def told(server: Server) -> list[str]:
    return [text for subject, text in server.mails(ANNA) if subject == "A new sign-in to your account"]


def test_the_first_sign_in_and_those_like_it_are_nothing_new(server: Server) -> None:
    for address in ("198.51.100.7", "198.51.2.3"):
        assert sign_in(address=address).status == 200
        assert sign_in(FIREFOX.replace("140", "141"), address).status == 200
    assert told(server) == []


def test_another_program_and_another_place_are_told_once_each(server: Server) -> None:
    sign_in()
    for _ in range(2):
        sign_in(CHROME)
        sign_in(address="203.0.113.9")
    first, second = told(server)
    assert "Chrome (Windows), from 198.51.100.7 (20" in first
    assert "Firefox (Linux), from 203.0.113.9 (20" in second


def test_a_wrong_password_is_no_sign_in(server: Server) -> None:
    sign_in()
    assert sign_in(CHROME, password="guess guess guess").status == 401
    assert (told(server), len(known())) == ([], 1)


def test_who_does_not_want_it_is_not_told_and_a_mail_server_that_is_down_keeps_nobody_out(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in()
    with database.transaction() as connection:
        user_id = connection.execute(users.select()).one().id
        values = {"user_id": user_id, "unwanted": [kinds.SIGNED_IN], "services": {}, "language": "en"}
        connection.execute(notice_preferences.insert().values(**values))
    assert sign_in(CHROME).status == 200
    assert told(server) == []
    rows.change(notice_preferences, notice_preferences.c.user_id == user_id, unwanted=[], language="de")
    assert sign_in("").status == 200
    subject, text = server.mails(ANNA)[-1]
    assert subject == "Eine neue Anmeldung bei deinem Konto"
    assert "ein Programm, das sich nicht nennt, von 198.51.100.7" in text


def test_neither_address_nor_program_is_kept_and_what_is_not_for_long(server: Server) -> None:
    sign_in()
    sign_in("curl/8.1", "2001:db8:1:2::3")
    sign_in("curl/9.0", "2001:db8:ffff::1")
    assert len(told(server)) == 1
    assert not {word for word in ("198.51", "2001:db8", "Firefox", "curl") if word in str(known())}
    rows.change(table, table.c.user_id.is_not(None), seen_at=rows.ago(91 * 86_400))
    retention.forget()
    assert known() == []


def test_after_the_keys_were_changed_the_first_one_is_nothing_new(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in()
    for name, value in keys.make().items():
        monkeypatch.setenv(name.upper().replace("-", "_"), value)
    sign_in()
    assert told(server) == []
    sign_in(CHROME)
    assert len(told(server)) == 1


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox (Linux)"),
        (CHROME, "Chrome (Windows)"),
        (f"{CHROME} Edg/141.0", "Edge (Windows)"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1",
            "Safari (iOS)",
        ),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/141.0 Mobile Safari/537.36", "Chrome (Android)"),
        ("python-httpx/0.28.1", "python-httpx"),
        ("audiolift-client", "audiolift-client"),
        ("", ""),
        ("<script>alert(1)</script>", ""),
        ("x" * 500, "x" * 40),
    ],
)
def test_a_program_is_named_without_its_version(agent: str, name: str) -> None:
    assert programs.named(agent) == name


def known() -> list[object]:
    with database.reading() as connection:
        return list(connection.execute(table.select()).all())
