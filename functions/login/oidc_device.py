"""Sign-in by another device: a program without a browser shows a code, which its user enters elsewhere (RFC 8628).

As with a browser, nothing of it is kept here: the program has the provider's device code, which is worth nothing
without our secret, and asks with it until somebody has signed in.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from functions.login.oidc import SCOPE, account_of, client, named_provider, text_in
from functions.login.oidc_fetching import ProviderUnavailable, post
from functions.login.oidc_shapes import OidcDevice, OidcPending
from functions.login.oidc_tokens import checked, refused
from functions.shared import settings
from functions.shared.languages import Language
from functions.shared.problems import Problem

__all__ = ["begin", "finish"]

log = logging.getLogger(__name__)

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
# Section 3.2, for a provider that leaves it out.
INTERVAL_SECONDS = 5
# What a program shows to a person; no provider's are nearly as long.
MAX_SHOWN = 1000


def begin() -> OidcDevice:
    """A new sign-in. Raises: Problem (404) without a provider that offers this; Unavailable when it does not answer."""
    metadata = named_provider().metadata()
    if not metadata.device_authorization_endpoint:
        raise Problem("not-found", "The identity provider does not offer sign-in by another device.")
    identification, headers = client(metadata)
    answer = post(metadata.device_authorization_endpoint, {"scope": SCOPE, **identification}, headers)
    if answer.status != 200:
        log.error("the identity provider refuses to begin a sign-in by a device: %.100r", answer.body.get("error"))
        raise ProviderUnavailable(f"the device authorization endpoint answered {answer.status}")
    return _read(answer.body)


def finish(device_code: str, language: Language = "en") -> str | OidcPending:
    """The id of the user who has signed in with the code, or that nobody has yet; accounts are made as elsewhere.

    Raises: Problem (400, 403, 404, 409, 422); Unavailable when the provider does not answer.
    """
    chosen = named_provider()
    identification, headers = client(chosen.metadata())
    form = {"grant_type": GRANT, "device_code": device_code, **identification}
    answer = post(chosen.metadata().token_endpoint, form, headers)
    if answer.status != 200:
        return _pending(answer.status, answer.body.get("error"))
    access_token, id_token = text_in(answer.body, "access_token"), text_in(answer.body, "id_token")
    who = checked(chosen, settings.required("OIDC_CLIENT_ID"), id_token, access_token, None)
    return account_of(chosen, who, access_token, language)


def _pending(status: int, error: object) -> OidcPending:
    """Section 3.5. Raises: Problem (400) when nobody will sign in with this code; Unavailable."""
    if error in ("authorization_pending", "slow_down"):
        return OidcPending(error == "slow_down")
    if error == "access_denied":
        raise refused("you did not agree")
    if error in ("expired_token", "invalid_grant", "invalid_request"):
        raise refused("the code is not valid, or no longer")
    log.error("the identity provider refuses a device code: %.100r", error)
    raise ProviderUnavailable(f"the token endpoint answered {status}")


def _read(body: dict[str, Any]) -> OidcDevice:
    """What the provider answers, as we do. Raises: ProviderUnavailable."""
    try:
        said = {"verification_uri_complete": None, "interval": INTERVAL_SECONDS, **body}
        begun = msgspec.convert(said, OidcDevice)
    except msgspec.ValidationError as error:
        raise ProviderUnavailable(f"its device authorization cannot be used: {error}") from None
    shown = (begun.user_code, begun.verification_uri, begun.verification_uri_complete or "")
    # They go to a terminal.
    if not all(text.isascii() and text.isprintable() and len(text) < MAX_SHOWN for text in shown):
        raise ProviderUnavailable("its device authorization has codes or addresses that cannot be shown")
    return begun
