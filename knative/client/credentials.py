"""What signs a client in: an API key, or the tokens of a session, kept in a file that only its owner can read."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec
import platformdirs
from filelock import FileLock

from .errors import SignInNeeded
from .models import Token

__all__ = ["Credentials", "KeySession", "Session", "Store", "StoredSession"]

# A token that ends within this many seconds is renewed before it is sent: a long upload is checked at its beginning.
EARLY = 60
SIGN_IN = "Sign in first: audiolift login"


class Credentials(msgspec.Struct, frozen=True):
    """How to sign in at `url`: by `api_key`, or by the tokens; `ends` is when the access token does (Unix seconds)."""

    url: str
    api_key: str | None = None
    access_token: str | None = None
    refresh_token: str | None = None
    ends: float = 0.0


class Session(Protocol):
    """Who asks, and where: `url` without a slash at its end."""

    url: str

    def bearer(self, renew: Callable[[str], Token], refused: str | None = None) -> str:
        """What to send in `Authorization: Bearer …`, other than `refused`. Raises: AudioliftError."""


class KeySession:
    """By an API key."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url, self._key = url.rstrip("/"), api_key

    def bearer(self, renew: Callable[[str], Token], refused: str | None = None) -> str:
        """The key. Raises: SignInNeeded when it has been refused."""
        if refused == self._key:
            raise SignInNeeded(401, "unauthorized", "The API key is not valid any more. Make another one, and sign in.")
        return self._key


class Store:
    """The file with the credentials of each deployment; the one that was last signed in to comes first."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or platformdirs.user_config_path("audiolift") / "credentials.json"

    def lock(self) -> FileLock:
        """Held while tokens are renewed: a refresh token is good once, whichever process sends it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self.path.with_suffix(".lock"), mode=0o600)

    def find(self, url: str | None = None) -> Credentials:
        """Those for `url`, or the last ones. Raises: SignInNeeded when there are none."""
        for each in self._all():
            if url is None or each.url == url.rstrip("/"):
                return each
        raise SignInNeeded(401, "unauthorized", SIGN_IN)

    def last_url(self) -> str | None:
        """Where was signed in last, and not signed out."""
        return next((each.url for each in self._all()), None)

    def keep(self, credentials: Credentials) -> None:
        """Put `credentials` first, in place of others for the same URL."""
        self._write([credentials, *(each for each in self._all() if each.url != credentials.url)])

    def forget(self, url: str) -> None:
        """Drop those for `url`."""
        self._write([each for each in self._all() if each.url != url])

    def _all(self) -> list[Credentials]:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=list[Credentials])
        except (FileNotFoundError, msgspec.DecodeError):
            return []

    def _write(self, every: list[Credentials]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        written = self.path.with_suffix(".new")
        written.unlink(missing_ok=True)
        written.touch(mode=0o600)
        written.write_bytes(msgspec.json.format(msgspec.json.encode(every)))
        written.replace(self.path)


class StoredSession:
    """By what the store has for a deployment; renewed tokens go back into it."""

    def __init__(self, store: Store, url: str | None = None) -> None:
        """Raises: SignInNeeded when the store has nothing."""
        self._store, self.url = store, store.find(url).url

    def bearer(self, renew: Callable[[str], Token], refused: str | None = None) -> str:
        """The API key, or an access token that is good for a minute at least. Raises: SignInNeeded."""
        with self._store.lock():
            known = self._store.find(self.url)
            if known.api_key:
                return KeySession(self.url, known.api_key).bearer(renew, refused)
            if not known.access_token or known.access_token == refused or known.ends < time.time() + EARLY:
                known = self._renewed(known, renew)
            return known.access_token or ""

    def _renewed(self, known: Credentials, renew: Callable[[str], Token]) -> Credentials:
        renewed = signed_in(self.url, renew(known.refresh_token or ""))
        self._store.keep(renewed)
        return renewed


def signed_in(url: str, token: Token) -> Credentials:
    """The credentials that a token response makes."""
    return Credentials(url, None, token.access_token, token.refresh_token, time.time() + token.expires_in)
