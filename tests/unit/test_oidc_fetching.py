"""functions/login/oidc_fetching.py and oidc_provider.py: a provider that is not what it should be."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from functions.login import oidc_fetching
from functions.login.oidc_fetching import ProviderUnavailable
from functions.login.oidc_provider import Provider
from tests.servers.listening import Listening, Quiet


class Odd(Listening):
    """Answers every request with what the test has set, and counts them."""

    answer: tuple[int, dict[str, str], bytes] = (200, {}, b"{}")
    asked: list[str] | None = None


class Answering(Quiet):
    server: Odd

    def do_GET(self) -> None:
        self.server.asked = [*(self.server.asked or []), self.path]
        status, headers, body = self.server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def odd() -> Iterator[Odd]:
    with Odd(Answering) as server:
        yield server


BODIES = {
    "no JSON": b"<html>",
    "nothing": b"",
    "a list": b"[]",
    "a text": b'"x"',
    "without a bottom": b'{"a":' * 20_000,
    "not UTF-8": b'{"a": "\xff"}',
    "too much": b'{"a": "%s"}' % (b"x" * oidc_fetching.MAX_BYTES),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_what_is_no_json_object_of_its_size_is_no_answer(odd: Odd, body: bytes) -> None:
    odd.answer = (200, {}, body)
    with pytest.raises(ProviderUnavailable):
        oidc_fetching.get(odd.url)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_provider_that_sends_us_elsewhere_is_not_followed(odd: Odd, status: int) -> None:
    odd.answer = (status, {"Location": f"{odd.url}/elsewhere"}, b"{}")
    with pytest.raises(ProviderUnavailable):
        oidc_fetching.get(odd.url)
    assert odd.asked == ["/"]


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"])
def test_a_provider_that_takes_its_time_is_given_up_however_often_it_says_something(
    monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(oidc_fetching, "SECONDS", 1.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip, args=(server, said), daemon=True).start()
        begun = time.monotonic()
        with pytest.raises(ProviderUnavailable):
            oidc_fetching.get(f"http://127.0.0.1:{server.getsockname()[1]}")
        assert time.monotonic() - begun < 30


def drip(server: socket.socket, said: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.sendall(said)
        # For longer than the test lets it.
        for _ in range(600):
            try:
                connection.sendall(b"x")
            except OSError:
                return
            time.sleep(0.1)


@pytest.mark.parametrize(
    "url", ["http://id.example.com/", "file:///etc/passwd", "ftp://127.0.0.1/", "//127.0.0.1/", ""]
)
def test_addresses_that_are_not_encrypted_are_not_asked(url: str) -> None:
    with pytest.raises(ProviderUnavailable, match="not https"):
        oidc_fetching.get(url)


def configuration(odd: Odd, **changes: Any) -> None:
    sound = {"issuer": odd.url, **{name: f"{odd.url}/{name}" for name in ("authorization_endpoint", "token_endpoint")}}
    found = {**sound, "jwks_uri": f"{odd.url}/jwks_uri", **changes}
    odd.answer = (200, {}, json.dumps({name: value for name, value in found.items() if value is not ...}).encode())


def test_a_sound_configuration_is_taken(odd: Odd) -> None:
    configuration(odd)
    assert Provider(odd.url).metadata().token_endpoint == f"{odd.url}/token_endpoint"
    assert odd.asked == ["/.well-known/openid-configuration"]


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://other.example.com"},
        {"issuer": ...},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://id.example.com/"},
        {"token_endpoint": "http://id.example.com/"},
        {"token_endpoint": "https://user:password@id.example.com/"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": 5},
        {"jwks_uri": ...},
    ],
    ids=str,
)
def test_a_configuration_that_leads_astray_is_not_used(odd: Odd, changes: dict[str, Any]) -> None:
    configuration(odd, **changes)
    with pytest.raises(ProviderUnavailable):
        Provider(odd.url).metadata()


@pytest.mark.parametrize("keys", [..., None, {}, "x", [5], ["x"]], ids=str)
def test_keys_that_are_none_are_not_used(odd: Odd, keys: object) -> None:
    configuration(odd, keys=keys)
    with pytest.raises(ProviderUnavailable):
        Provider(odd.url).keys("x")
