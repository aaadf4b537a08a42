"""`audiolift login --with-oidc`: by a code that is entered elsewhere, or by the browser of this machine."""

from __future__ import annotations

import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from knative.client import by_provider, calls
from knative.client.client import Audiolift
from knative.client.credentials import KeySession
from knative.client.errors import Refused, SignInNeeded
from tests.e2e.alone import serving, told
from tests.patience import PATIENCE
from tests.servers import Missing, OidcProvider

NAME = "anna"


@contextmanager
def signing_in(directory: Path, *, device: bool) -> Iterator[tuple[OidcProvider, Audiolift]]:
    """A provider, and a client of the login function, which knows it."""
    provider = OidcProvider(directory / "oidc", device=device)
    try:
        provider.start()
    except Missing as reason:
        pytest.skip(str(reason))
    provider.know(NAME, email=f"{NAME}@example.com", email_verified=True)
    known = {"OIDC_ISSUER": provider.url, "OIDC_CLIENT_ID": provider.DESKTOP, "OIDC_CLIENT_SECRET": provider.SECRET}
    environment = {**told(f"sqlite:///{directory}/rows.db", directory), **known}
    try:
        with serving("login", environment) as (_, http):
            url = str(http.base_url)
            with Audiolift(KeySession(url, ""), patience=PATIENCE) as client:
                yield provider, client
    finally:
        provider.stop()


def email_of(client: Audiolift, access_token: str) -> str:
    headers = {"Authorization": f"Bearer {access_token}"}
    return str(httpx.get(f"{client.session.url}/v1/me", headers=headers, timeout=PATIENCE).json()["email"])


def test_by_any_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    waits: list[float] = []
    with signing_in(tmp_path, device=True) as (provider, client):
        agrees = [True]

        def sleep(seconds: float) -> None:
            """While it waits, for the first time nobody does anything, and for the second time somebody does."""
            waits.append(seconds)
            if len(waits) % 2 == 0:
                provider.enter_code(said[-1].rpartition(" ")[2], NAME, agree=agrees.pop())

        monkeypatch.setattr(by_provider, "sleep", sleep)
        token = by_provider.sign_in(client, said.append)
        assert email_of(client, token.access_token) == f"{NAME}@example.com"
        assert waits == [5, 5]
        assert said[0].startswith(f"Go to {provider.url}/device with any browser, and enter ")

        agrees.append(False)
        with pytest.raises(Refused, match="you did not agree"):
            by_provider.sign_in(client, said.append)
        with pytest.raises(Refused, match="the code is not valid"):
            client.do(calls.finish_by_device("somebody else's"))


def test_by_a_browser_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[threading.Thread] = []
    with signing_in(tmp_path, device=False) as (provider, client):

        def browse(url: str, **other: str) -> None:
            home = httpx.URL(url).params["redirect_uri"]
            # Another page of the browser, and one that does not know the state, come before.
            for path in ("favicon.ico", "?code=stolen&state=guessed"):
                httpx.get(home + path, timeout=PATIENCE)
            provider.home = home
            back = {**provider.sign_in(url, NAME), **other}
            httpx.get(home, params=back, timeout=PATIENCE)

        def open_browser(url: str, **other: str) -> None:
            opened.append(threading.Thread(target=browse, args=(url,), kwargs=other))
            opened[-1].start()

        monkeypatch.setattr(webbrowser, "open", open_browser)
        monkeypatch.setattr(by_provider, "BROWSER_SECONDS", PATIENCE)
        token = by_provider.sign_in(client, print)
        assert email_of(client, token.access_token) == f"{NAME}@example.com"

        monkeypatch.setattr(webbrowser, "open", lambda url: open_browser(url, code="stolen"))
        with pytest.raises(Refused, match="the code is not valid"):
            by_provider.sign_in(client, print)
        for thread in opened:
            thread.join()


def test_without_a_provider_there_is_no_such_sign_in(tmp_path: Path) -> None:
    with (
        serving("login", told(f"sqlite:///{tmp_path}/rows.db", tmp_path)) as (_, http),
        Audiolift(KeySession(str(http.base_url), ""), patience=0) as client,
        pytest.raises(SignInNeeded, match="No identity provider"),
    ):
        by_provider.sign_in(client, print)
