"""functions/login/oidc*.py with a real provider: sign-ins, outages, new keys, and whose accounts they lead to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from functions.login import accounts, oidc, oidc_identities, oidc_provider, oidc_settings
from functions.login.oidc_fetching import ProviderUnavailable
from functions.login.oidc_shapes import OidcCode, OidcStart
from functions.login.oidc_tokens import Person, checked
from functions.shared import database
from functions.shared.problems import Problem
from functions.shared.settings import SettingError
from functions.shared.tables import identities, users
from tests.servers import OidcProvider

VERIFIED = {"email": "anna@example.com", "email_verified": True}


@pytest.fixture
def provider(oidc: OidcProvider, monkeypatch: pytest.MonkeyPatch) -> OidcProvider:
    """A provider that our settings name, and that knows anna."""
    known_as(monkeypatch, oidc, oidc.CLIENT)
    monkeypatch.setenv("PUBLIC_URL", "http://localhost")
    oidc.know("anna", **VERIFIED)
    return oidc


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets time go on for what is remembered of the provider."""
    passed = [0.0]
    monkeypatch.setattr(oidc_provider, "monotonic", lambda: time.monotonic() + passed[0])

    def go_on(seconds: float) -> None:
        passed[0] += seconds

    return go_on


def known_as(patch: pytest.MonkeyPatch, provider: OidcProvider, client: str) -> None:
    names = {"OIDC_ISSUER": provider.url, "OIDC_CLIENT_ID": client, "OIDC_CLIENT_SECRET": provider.SECRET}
    for name, value in names.items():
        patch.setenv(name, value)
    oidc_provider.provider.cache_clear()


def come_back(provider: OidcProvider, started: OidcStart, name: str = "anna", **other: Any) -> OidcCode:
    """What the page sends after somebody has signed in; `other` in the place of something."""
    back = provider.sign_in(started.authorization_url, name)
    assert back["state"] == started.state
    given = {"code": back["code"], "nonce": started.nonce, "code_verifier": started.code_verifier, "iss": back["iss"]}
    return OidcCode(**{**given, **other})


def sign_in(provider: OidcProvider, name: str = "anna") -> str:
    return oidc.finish(come_back(provider, oidc.start(), name))


def refused(given: OidcCode, code: str = "sign-in-refused") -> None:
    with pytest.raises(Problem) as caught:
        oidc.finish(given)
    assert caught.value.code == code


def rows() -> tuple[int, int]:
    """How many users and identities there are."""
    with database.reading() as connection:
        return tuple(len(connection.execute(table.select()).all()) for table in (users, identities))  # type: ignore[return-value]


def test_the_first_sign_in_makes_the_account_and_the_second_finds_it(provider: OidcProvider, tables: None) -> None:
    first = sign_in(provider)
    assert accounts.read(first).email == VERIFIED["email"]
    assert sign_in(provider) == first
    assert rows() == (1, 1)


def test_a_new_address_at_the_provider_changes_nothing_here(provider: OidcProvider, tables: None) -> None:
    first = sign_in(provider)
    provider.know("anna", email="berta@example.com", email_verified=False)
    assert sign_in(provider) == first
    assert accounts.read(first).email == VERIFIED["email"]


@pytest.mark.parametrize("claims", [{"email": "anna@example.com"}, {**VERIFIED, "email_verified": "true"}, {}])
def test_without_a_verified_address_there_is_no_account(
    provider: OidcProvider, tables: None, claims: dict[str, Any]
) -> None:
    provider.know("anna", **claims)
    refused(come_back(provider, oidc.start()), "email-unverified")
    assert rows() == (0, 0)


@pytest.mark.parametrize("email", ["ännä@example.com", "a@b@c", "anna@example.com\r\nBcc: x@y.z", "x" * 300 + "@y.z"])
def test_an_address_that_cannot_be_one_makes_no_account(provider: OidcProvider, tables: None, email: str) -> None:
    provider.know("anna", email=email, email_verified=True)
    refused(come_back(provider, oidc.start()), "invalid-account")
    assert rows() == (0, 0)


def test_an_account_with_a_password_is_never_linked(provider: OidcProvider, tables: None) -> None:
    accounts.create("anna@example.com", "a long pass phrase")
    refused(come_back(provider, oidc.start()), "email-taken")
    assert rows() == (1, 0)


def test_nobody_signs_in_by_password_to_an_account_that_has_none(provider: OidcProvider, tables: None) -> None:
    sign_in(provider)
    for password in ("", " ", "anna", "null"):
        with pytest.raises(Problem) as caught:
            accounts.check_password(VERIFIED["email"], password)  # type: ignore[arg-type]
        assert caught.value.code == "invalid-credentials"


def test_the_same_first_sign_in_by_many_at_once_makes_one_account(tables: None) -> None:
    ids: list[str] = []
    person = Person("anna", "anna@example.com", True)
    work = [
        threading.Thread(target=lambda: ids.append(oidc_identities.open_account("https://i", person))) for _ in range(6)
    ]
    for each in work:
        each.start()
    for each in work:
        each.join()
    assert len(ids) == 6
    assert len(set(ids)) == 1
    assert rows() == (1, 1)


@pytest.mark.parametrize("other", ["anna ", "Anna", "ann", "anna\0"])
def test_subjects_that_look_alike_are_different_people(tables: None, other: str) -> None:
    first = oidc_identities.open_account("https://i", Person("anna", "a@example.com", True))
    assert oidc_identities.user_of("https://i", "anna") == first
    assert oidc_identities.user_of("https://i", other) is None
    assert oidc_identities.user_of("https://other", "anna") is None


def test_an_identity_that_is_linked_opens_the_account_until_it_is_unlinked(
    provider: OidcProvider, tables: None
) -> None:
    eve, bob = (accounts.create(f"{name}@example.com", "a long pass phrase").id for name in ("eve", "bob"))
    for _ in range(2):
        linked = oidc.link(eve, come_back(provider, oidc.start()))
        assert (linked.issuer, linked.subject) == (provider.url, "anna")
    assert oidc_identities.list_of(eve).items == [linked]
    assert (sign_in(provider), rows()) == (eve, (2, 1))
    with pytest.raises(Problem) as caught:
        oidc.link(bob, come_back(provider, oidc.start()))
    assert (caught.value.code, oidc_identities.list_of(bob).items) == ("identity-taken", [])
    for user, wrong in ((bob, linked.id), (eve, "0" * 64)):
        with pytest.raises(Problem) as caught:
            oidc_identities.unlink(user, wrong)
        assert caught.value.code == "not-found"
    oidc_identities.unlink(eve, linked.id)
    assert sign_in(provider) not in (eve, bob)


def test_what_is_refused_at_a_sign_in_links_nothing_either(provider: OidcProvider, tables: None) -> None:
    eve = accounts.create("eve@example.com", "a long pass phrase").id
    started = oidc.start()
    for other in ({"code_verifier": "x" * 64}, {"nonce": "another"}, {"iss": "https://other.example"}):
        with pytest.raises(Problem) as caught:
            oidc.link(eve, come_back(provider, started, **other))
        assert (caught.value.code, oidc_identities.list_of(eve).items) == ("sign-in-refused", [])


def test_every_start_is_of_its_own_and_leads_to_the_provider_with_all_that_binds_it(provider: OidcProvider) -> None:
    one, two = oidc.start(), oidc.start()
    assert not {one.state, one.nonce, one.code_verifier} & {two.state, two.nonce, two.code_verifier}
    assert 43 <= len(one.code_verifier) <= 128
    query = {name: value for name, [value] in parse_qs(urlsplit(one.authorization_url).query).items()}
    assert query["redirect_uri"] == "http://localhost/"
    assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
    assert (query["state"], query["nonce"]) == (one.state, one.nonce)
    assert one.code_verifier not in one.authorization_url


def test_a_code_is_good_once(provider: OidcProvider, tables: None) -> None:
    given = come_back(provider, oidc.start())
    assert oidc.finish(given)
    refused(given)


def test_a_code_without_the_verifier_of_its_start_is_refused(provider: OidcProvider, tables: None) -> None:
    for verifier in (oidc.start().code_verifier, "x", ""):
        refused(come_back(provider, oidc.start(), code_verifier=verifier))


def test_a_code_of_another_sign_in_is_refused_though_its_verifier_fits(provider: OidcProvider, tables: None) -> None:
    refused(come_back(provider, oidc.start(), nonce=oidc.start().nonce))


def test_a_code_of_another_provider_is_not_even_sent_to_ours(provider: OidcProvider, tables: None) -> None:
    refused(come_back(provider, oidc.start(), iss="https://evil.example.com"))
    given = come_back(provider, oidc.start())
    # It says that it always names itself.
    refused(OidcCode(given.code, given.nonce, given.code_verifier))
    assert oidc.finish(given)


def test_what_is_meant_for_another_client_is_refused(
    provider: OidcProvider, monkeypatch: pytest.MonkeyPatch, tables: None
) -> None:
    """A code of another client, and its ID token, which our provider has signed."""
    known_as(monkeypatch, provider, "other")
    started = oidc.start()
    given = come_back(provider, started)
    known_as(monkeypatch, provider, provider.CLIENT)
    refused(given)
    known_as(monkeypatch, provider, "other")
    metadata = oidc_provider.provider().metadata()
    started = oidc.start()
    answer = oidc._redeemed(metadata, come_back(provider, started))
    theirs = answer["id_token"], answer["access_token"], started.nonce
    assert checked(oidc_provider.provider(), "other", *theirs).subject == "anna"
    with pytest.raises(Problem, match="Audience"):
        checked(oidc_provider.provider(), provider.CLIENT, *theirs)


def test_a_wrong_secret_is_ours_to_put_right_and_nobody_signs_in(
    provider: OidcProvider, monkeypatch: pytest.MonkeyPatch, tables: None
) -> None:
    given = come_back(provider, oidc.start())
    monkeypatch.setenv("OIDC_CLIENT_SECRET", "wrong")
    with pytest.raises(ProviderUnavailable):
        oidc.finish(given)


def test_a_provider_that_is_gone_is_said_and_one_that_is_back_is_used(provider: OidcProvider, tables: None) -> None:
    first, given = sign_in(provider), come_back(provider, oidc.start())
    provider.kill()
    with pytest.raises(ProviderUnavailable):
        oidc.finish(given)
    # What is known of it outlasts it.
    assert oidc.start().authorization_url.startswith(provider.url)
    provider.start()
    assert sign_in(provider) == first


def test_a_provider_that_was_never_there_is_asked_again(
    provider: OidcProvider, clock: Callable[[float], None], tables: None
) -> None:
    provider.kill()
    with pytest.raises(ProviderUnavailable):
        oidc.start()
    provider.start()
    clock(2)
    assert sign_in(provider)


def test_a_provider_that_hangs_holds_nobody_for_long(provider: OidcProvider) -> None:
    with provider.frozen(), pytest.raises(ProviderUnavailable):
        oidc.start()


def test_new_keys_are_asked_for_when_a_token_names_one_but_not_all_the_time(
    provider: OidcProvider, clock: Callable[[float], None], tables: None
) -> None:
    first = sign_in(provider)
    provider.rotate()
    refused(come_back(provider, oidc.start()))
    clock(oidc_provider.COOLDOWN_SECONDS + 1)
    assert sign_in(provider) == first


def test_tokens_with_keys_that_do_not_exist_make_us_ask_once_in_a_while(clock: Callable[[float], None]) -> None:
    asked: list[int] = []
    keys = oidc_provider.Provider("https://id.example.com")
    keys._keys = oidc_provider.Remembered(lambda: asked.append(1) or [{"kid": "known"}])  # type: ignore[func-returns-value]
    for number in range(1000):
        assert keys.keys(f"../{number}") == []
    assert len(asked) == 1
    clock(oidc_provider.COOLDOWN_SECONDS + 1)
    for number in range(1000):
        assert keys.keys(number) == []
    assert len(asked) == 2


def test_keys_outlast_the_provider_for_a_day(
    provider: OidcProvider, clock: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    known = oidc_provider.provider()
    (kid,) = [key["kid"] for key in known.keys(None)]
    provider.kill()
    clock(oidc_provider.FRESH_SECONDS + 1)
    assert known.keys(kid)
    assert "does not answer" in caplog.text
    assert known.keys("unknown") == []
    clock(oidc_provider.STALE_SECONDS)
    with pytest.raises(ProviderUnavailable):
        known.keys(kid)


def test_without_a_provider_there_is_nothing_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OIDC_ISSUER", raising=False)
    for act in (oidc.start, lambda: oidc.finish(OidcCode("x", "x", "x"))):
        with pytest.raises(Problem) as caught:
            act()
        assert caught.value.status == 404


@pytest.mark.parametrize("url", ["http://id.example.com", "ftp://x", "x", "https://", "https://a b", "https://u:p@h"])
def test_a_provider_without_encryption_is_none(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("OIDC_ISSUER", url)
    monkeypatch.setenv("OIDC_CLIENT_ID", "x")
    with pytest.raises(SettingError):
        oidc_settings.check()


def test_a_provider_without_our_name_there_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDC_ISSUER", "https://id.example.com")
    monkeypatch.delenv("OIDC_CLIENT_ID", raising=False)
    with pytest.raises(SettingError, match="OIDC_CLIENT_ID"):
        oidc_settings.check()
    monkeypatch.setenv("OIDC_CLIENT_ID", "audiolift")
    oidc_settings.check()
