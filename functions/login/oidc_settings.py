"""What must be true of the OIDC settings, without the libraries that use them."""

from __future__ import annotations

from urllib.parse import urlsplit

from functions.shared import settings
from functions.shared.settings import SettingError

__all__ = ["check", "is_sound"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def is_sound(url: str) -> bool:
    """Whether an address of the provider may be used: https with a host, or http on this very machine."""
    try:
        parts = urlsplit(url)
        host, encrypted = parts.hostname, parts.scheme == "https"
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url and parts.username is None and not parts.fragment
    return plain and bool(host) and (encrypted or (parts.scheme == "http" and host in _LOOPBACK))


def check() -> None:
    """Raises: SettingError when a provider is named in a way that cannot work, or without our name there."""
    issuer = settings.text("OIDC_ISSUER")
    if issuer and (not is_sound(issuer) or "?" in issuer):
        raise SettingError("OIDC_ISSUER must be an https address, without a query")
    if issuer:
        settings.required("OIDC_CLIENT_ID")
