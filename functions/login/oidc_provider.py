"""The identity provider that OIDC_ISSUER names: where its endpoints are, and which keys it signs with.

Both are asked for once in a while (OpenID Connect Discovery 1.0) and kept in this process. What is kept outlasts the
provider: while it does not answer, what it said last counts on, for a day.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any, Generic, TypeVar

import msgspec

from functions.login.oidc_fetching import ProviderUnavailable, get
from functions.login.oidc_settings import is_sound
from functions.shared import settings
from functions.shared.once import once

__all__ = ["Metadata", "Provider", "Remembered", "provider"]

log = logging.getLogger(__name__)

FRESH_SECONDS, STALE_SECONDS = 3600, 86_400
# Whoever sends tokens with keys that do not exist makes us ask no more often than this.
COOLDOWN_SECONDS = 30
Made = TypeVar("Made")


class Metadata(msgspec.Struct):
    """What we need of the provider's configuration (Discovery 1.0, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    # RFC 8628, section 4.
    device_authorization_endpoint: str = ""
    # What the section says for a provider that leaves it out.
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    # RFC 9207, section 3.
    authorization_response_iss_parameter_supported: bool = False


class Remembered(Generic[Made]):
    """What `fetch` gives, asked for again when it is old, and kept while `fetch` fails."""

    def __init__(self, fetch: Callable[[], Made]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._value: Made | None = None
        self._fetched_at = self._tried_at = float("-inf")

    def get(self) -> Made:
        """The value. Raises: ProviderUnavailable when there is none, or none that may still count."""
        with self._lock:
            if self._age() > FRESH_SECONDS:
                self._try()
            return self._usable()

    def anew(self) -> Made:
        """The value of now, should the last try be long enough ago. Raises: see get."""
        with self._lock:
            self._try()
            return self._usable()

    def _try(self) -> None:
        if monotonic() - self._tried_at < COOLDOWN_SECONDS and self._value is not None:
            return
        # A failure without any value is asked about again soon, but not by everybody who has waited for it here.
        if monotonic() - self._tried_at < 1:
            return
        try:
            self._value = self._fetch()
            self._fetched_at = monotonic()
        except ProviderUnavailable as error:
            log.warning("the identity provider: %s", error)
        self._tried_at = monotonic()

    def _usable(self) -> Made:
        if self._value is None or self._age() > STALE_SECONDS:
            raise ProviderUnavailable("the identity provider does not answer")
        return self._value

    def _age(self) -> float:
        return monotonic() - self._fetched_at


class Provider:
    """One provider, by its issuer identifier."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._metadata = Remembered(self._discover)
        self._keys = Remembered(self._read_keys)

    def metadata(self) -> Metadata:
        """Its configuration. Raises: ProviderUnavailable."""
        return self._metadata.get()

    def keys(self, kid: object) -> list[dict[str, Any]]:
        """Its public JWKs with this id; all of them when a token names none. Raises: ProviderUnavailable."""
        found = _named(self._keys.get(), kid)
        return found or _named(self._keys.anew(), kid)

    def _discover(self) -> Metadata:
        # Section 4.1: what stands after a slash is kept.
        said = get(f"{self.issuer.removesuffix('/')}/.well-known/openid-configuration")
        try:
            found = msgspec.convert(said, Metadata)
        except msgspec.ValidationError as error:
            raise ProviderUnavailable(f"its configuration cannot be used: {error}") from None
        # Section 4.3: otherwise one provider could speak for another.
        if found.issuer != self.issuer:
            raise ProviderUnavailable(f"it calls itself {found.issuer!r}, and not as OIDC_ISSUER says")
        endpoints = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri)
        if not all(map(is_sound, endpoints)):
            raise ProviderUnavailable("its configuration names an address that is not https")
        return found

    def _read_keys(self) -> list[dict[str, Any]]:
        keys = get(self.metadata().jwks_uri).get("keys")
        if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
            raise ProviderUnavailable("its keys are no JWK set")
        return keys


@once
def provider() -> Provider:
    """The provider of OIDC_ISSUER."""
    return Provider(settings.required("OIDC_ISSUER"))


def _named(keys: list[dict[str, Any]], kid: object) -> list[dict[str, Any]]:
    return [key for key in keys if kid is None or key.get("kid") == kid]
