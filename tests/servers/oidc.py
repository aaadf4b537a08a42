"""An OpenID provider: npm's oidc-provider."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from knative.local.process import LOCALHOST
from tests.patience import PATIENCE
from tests.servers.programs import Missing, need
from tests.servers.server import Server

__all__ = ["HOME", "OidcProvider"]

HOME = Path(__file__).with_name("provider")


class OidcProvider(Server):
    """A provider with the clients `audiolift` and `other`, who have secrets, and whoever says to be somebody as users.

    A code of `audiolift` can lead to `home` only, which is an address with a slash at its end. That of `desktop` leads
    to any port of this machine. With `device`, it signs in people by other devices, too.
    """

    CLIENT, DESKTOP, SECRET = "audiolift", "desktop", "a secret: with + and / and % in it"

    def __init__(self, directory: Path, home: str = "http://localhost/", *, device: bool = False) -> None:
        super().__init__(directory)
        self.home, self._device = home, device
        self._people: dict[str, dict[str, Any]] = {}
        self.keys = [_key()]

    @property
    def url(self) -> str:
        """The issuer."""
        return f"http://{LOCALHOST}:{self.port}"

    def know(self, name: str, **claims: Any) -> str:
        """Have somebody, with these claims (email, email_verified). Returns: the name."""
        self._people[name] = claims
        (self.directory / "people.json").write_text(json.dumps(self._people))
        return name

    def rotate(self) -> None:
        """Sign with a new key from now on; the old one is gone."""
        self.stop()
        self.keys = [_key()]
        self.start()

    def sign_in(self, url: str, name: str) -> dict[str, str]:
        """What the provider sends the browser back with, when somebody signs in and agrees at `url`."""
        with httpx.Client(timeout=PATIENCE) as browser:
            answer = browser.get(url)
            while not (location := answer.headers.get("location", "")).startswith(self.home):
                if location:
                    answer = browser.get(httpx.URL(self.url).join(location))
                else:
                    answer = browser.post(_target(answer), data=_filled(answer, name))
        return dict(httpx.URL(location).params)

    def enter_code(self, url: str, name: str, *, agree: bool = True) -> None:
        """Have somebody sign in and agree at the address that a device shows, with its code in it; or refuse."""
        with httpx.Client(timeout=PATIENCE, follow_redirects=True) as browser:
            answer = browser.get(url)
            while "<form" in answer.text:
                fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', answer.text))
                if "confirm" in fields and not agree:
                    browser.post(_target(answer), data={**fields, "abort": "yes"})
                    return
                answer = browser.post(_target(answer), data={**fields, "login": name, "password": "any"})
        assert "Success" in answer.text, answer.text

    def _command(self) -> Sequence[str]:
        if not (HOME / "node_modules" / "oidc-provider").exists():
            raise Missing("oidc-provider is missing: npm ci --ignore-scripts, in tests/servers/provider")
        auth = {"redirect_uris": [self.home], "token_endpoint_auth_method": "client_secret_basic"}
        clients = [{"client_id": name, "client_secret": self.SECRET, **auth} for name in (self.CLIENT, "other")]
        grants = ["authorization_code", *(["urn:ietf:params:oauth:grant-type:device_code"] if self._device else [])]
        native = {"application_type": "native", "redirect_uris": ["http://127.0.0.1/"], "grant_types": grants}
        clients.append({**clients[0], "client_id": self.DESKTOP, **native})
        settings = {
            "port": self.port,
            "issuer": self.url,
            "keys": self.keys,
            "clients": clients,
            "device": self._device,
        }
        (self.directory / "settings.json").write_text(json.dumps(settings))
        self.know("nobody")
        return [need("node", "nodejs"), str(HOME / "server.mjs"), str(self.directory / "settings.json")]

    def _answers(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/.well-known/openid-configuration", timeout=PATIENCE).is_success
        return False


def _key() -> dict[str, Any]:
    key = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048), as_dict=True)
    return {**key, "kid": secrets.token_hex(8), "use": "sig", "alg": "RS256"}


def _target(answer: httpx.Response) -> str:
    found = re.search(r'<form[^>]* action="([^"]+)"', answer.text)
    assert found, answer.text
    return found[1]


def _filled(answer: httpx.Response, name: str) -> dict[str, str]:
    prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
    assert prompt, answer.text
    return {"prompt": prompt[1], "login": name, "password": "any"}
