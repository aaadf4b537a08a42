"""Signing in by an identity provider: a browser, the page, and npm's oidc-provider."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.screen import SLOW_MS, open_account, problem, sign_in, sign_up, workspace
from tests.patience import PATIENCE
from tests.servers import OidcProvider
from tests.system import PASSWORD, Audiolift

Begin = Callable[..., Page]


@pytest.fixture
def provider(by_provider: tuple[Audiolift, OidcProvider]) -> OidcProvider:
    """The provider."""
    return by_provider[1]


@pytest.fixture
def open_tab(browser: Browser, by_provider: tuple[Audiolift, OidcProvider]) -> Iterator[Begin]:
    """Opens audiolift in a profile of its own, or in one that is given."""
    made: list[BrowserContext] = []

    def opened(context: BrowserContext | None = None, path: str = "/") -> Page:
        if context is None:
            made.append(browser.new_context(base_url=by_provider[0].url))
            made[-1].set_default_timeout(SLOW_MS)
        tab = (context or made[-1]).new_page()
        tab.goto(path)
        return tab

    yield opened
    for each in made:
        each.close()


def somebody(provider: OidcProvider, **claims: object) -> str:
    """Somebody whom the provider knows. Returns: the name."""
    name = uuid.uuid4().hex
    return provider.know(name, **{"email": f"{name}@example.com", "email_verified": True, **claims})


def go(tab: Page, provider: OidcProvider, name: str, by: str = "Sign in with 127.0.0.1") -> None:
    """From audiolift to the provider, and through its pages."""
    tab.get_by_role("button", name=by).click(timeout=SLOW_MS)
    tab.wait_for_url(f"{provider.url}/interaction/**", timeout=SLOW_MS)
    tab.get_by_placeholder("Enter any login").fill(name)
    tab.get_by_placeholder("and password").fill("any")
    tab.get_by_role("button", name="Sign-in").click()
    tab.get_by_role("button", name="Continue").click()


def test_who_is_known_to_the_provider_is_signed_in(open_tab: Begin, provider: OidcProvider) -> None:
    tab, name = open_tab(), somebody(provider)
    go(tab, provider, name)
    expect(workspace(tab)).to_be_visible(timeout=SLOW_MS)
    expect(tab.get_by_role("banner")).to_contain_text(f"{name}@example.com")
    assert re.fullmatch(r"http://[^/]+/", tab.url), "the code is left in the address"
    assert tab.evaluate("sessionStorage.length") == 0
    tab.reload()
    expect(workspace(tab)).to_be_visible(timeout=SLOW_MS)


def test_the_second_sign_in_leads_to_the_same_account(open_tab: Begin, provider: OidcProvider) -> None:
    name, ids = somebody(provider), []
    for _ in range(2):
        tab = open_tab()
        with tab.expect_response("**/v1/me", timeout=SLOW_MS) as me:
            go(tab, provider, name)
        ids.append(me.value.json()["id"])
    assert ids[0] == ids[1]


def test_an_address_that_is_not_verified_makes_no_account(open_tab: Begin, provider: OidcProvider) -> None:
    tab = open_tab()
    go(tab, provider, somebody(provider, email_verified=False))
    expect(problem(tab)).to_contain_text("does not vouch for your email address", timeout=SLOW_MS)
    expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()


def test_an_account_that_has_a_password_is_left_alone(open_tab: Begin, provider: OidcProvider) -> None:
    email = sign_up(open_tab())
    tab = open_tab()
    go(tab, provider, somebody(provider, email=email))
    expect(problem(tab)).to_contain_text("There already is an account", timeout=SLOW_MS)
    sign_in(tab, email)
    expect(workspace(tab)).to_be_visible(timeout=SLOW_MS)


def test_a_code_of_somebody_else_signs_nobody_in(
    open_tab: Begin, provider: OidcProvider, by_provider: tuple[Audiolift, OidcProvider]
) -> None:
    """Session fixation: the attacker's own sign-in, up to the last step, which a link has the victim take."""
    started = httpx.post(f"{by_provider[0].url}/v1/oidc/start", timeout=PATIENCE).json()
    back = provider.sign_in(started["authorization_url"], somebody(provider))
    link = str(httpx.URL("/", params=back))
    tab = open_tab(path=link)
    expect(problem(tab)).to_contain_text("was not begun in this tab", timeout=SLOW_MS)
    assert tab.evaluate("sessionStorage.length") == 0
    victim = open_tab()
    go(victim, provider, name := somebody(provider))
    expect(workspace(victim)).to_be_visible(timeout=SLOW_MS)
    victim.goto(link)
    expect(problem(victim)).to_contain_text("was not begun in this tab", timeout=SLOW_MS)
    expect(victim.get_by_role("banner")).to_contain_text(name)


def test_who_changes_their_mind_can_sign_in_otherwise(open_tab: Begin, provider: OidcProvider) -> None:
    tab = open_tab()
    tab.get_by_role("button", name="Sign in with 127.0.0.1").click(timeout=SLOW_MS)
    tab.wait_for_url(f"{provider.url}/interaction/**", timeout=SLOW_MS)
    tab.get_by_role("link", name="Cancel").click()
    expect(problem(tab)).to_contain_text("You were not signed in.", timeout=SLOW_MS)
    sign_up(tab)


def test_an_identity_is_linked_with_the_password_opens_the_account_and_is_unlinked(
    open_tab: Begin, provider: OidcProvider
) -> None:
    tab, name = open_tab(), somebody(provider)
    email = sign_up(tab)
    open_account(tab)
    form, password = tab.get_by_role("form", name="Other ways to sign in"), tab.locator("#identities-password")
    go(tab, provider, name, "Link an identity of 127.0.0.1")
    expect(password).to_be_focused(timeout=SLOW_MS)
    assert tab.url.endswith("/account")
    for given in ("not the password", PASSWORD):
        password.fill(given)
        form.get_by_role("button", name="Link it").click()
        if given != PASSWORD:
            expect(password).to_have_attribute("aria-invalid", "true", timeout=SLOW_MS)
    expect(form.get_by_role("listitem")).to_have_count(1, timeout=SLOW_MS)

    other = open_tab()
    go(other, provider, name)
    expect(other.get_by_role("banner")).to_contain_text(email, timeout=SLOW_MS)
    form.get_by_role("button", name="Unlink").click()
    expect(password).to_have_attribute("aria-invalid", "true")
    password.fill(PASSWORD)
    form.get_by_role("button", name="Unlink").click()
    expect(form.get_by_role("listitem")).to_have_count(0, timeout=SLOW_MS)


def test_without_a_provider_none_is_offered(open_page: Callable[..., Page]) -> None:
    page = open_page()
    with page.expect_response("**/v1/oidc") as answer:
        page.reload()
    assert answer.value.json() == {"issuer": None}
    expect(page.get_by_role("button", name="Sign in with")).to_be_hidden()
