"""Sign-in by an identity provider: the authorization code flow with PKCE, state and nonce (OpenID Connect Core 1.0).

Nothing of a sign-in is kept here. The browser tab that starts one keeps its state, nonce and code verifier, and brings
them back with the code: a code that somebody else obtained, or pushed onto a page, fits none of them. The code is
redeemed by this function, which alone knows the client's secret and sees the provider's tokens.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import secrets
from typing import Any
from urllib.parse import quote_plus, urlencode

from msgspec import UNSET

from functions.login import oidc_identities
from functions.login.oidc_fetching import Headers, ProviderUnavailable, get, post
from functions.login.oidc_provider import Metadata, Provider, provider
from functions.login.oidc_shapes import Identity, OidcCode, OidcStart
from functions.login.oidc_tokens import Person, checked, person, refused
from functions.shared import settings
from functions.shared.languages import Language
from functions.shared.problems import Problem

__all__ = ["SCOPE", "account_of", "client", "finish", "link", "named_provider", "start", "text_in"]

log = logging.getLogger(__name__)

SCOPE = "openid email"


def start(loopback_port: str | None = None) -> OidcStart:
    """A new sign-in by the page, or by a program that listens at a port of its user's own machine (RFC 8252).

    Raises: Problem (404) without a provider; Unavailable when it does not answer.
    """
    endpoint, verifier = named_provider().metadata().authorization_endpoint, secrets.token_urlsafe(48)
    state, nonce = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    query = {"response_type": "code", "client_id": settings.required("OIDC_CLIENT_ID"), "scope": SCOPE}
    query |= {"redirect_uri": _redirect_uri(loopback_port), "state": state, "nonce": nonce}
    query |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    return OidcStart(f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}", state, nonce, verifier)


def finish(given: OidcCode, language: Language = "en") -> str:
    """The id of the user whose sign-in a code is of; the first sign-in makes the account, for mails in this language.

    Raises: Problem (400, 403, 404, 409, 422); Unavailable when the provider does not answer.
    """
    return account_of(*_identified(given), language)


def account_of(chosen: Provider, who: Person, access_token: str, language: Language) -> str:
    """The id of the user that somebody is who has signed in; of a new one when it is the first time. Raises: as above.

    `access_token` is the provider's.
    """
    known = oidc_identities.user_of(chosen.issuer, who.subject)
    if known:
        return known
    return oidc_identities.open_account(chosen.issuer, _with_email(chosen.metadata(), who, access_token), language)


def link(user_id: str, given: OidcCode) -> Identity:
    """Have the identity whose sign-in a code is of open the account of this user, whatever addresses the two have.

    Raises: Problem (400, 404, 409); Unavailable when the provider does not answer.
    """
    chosen, who, _ = _identified(given)
    return oidc_identities.link(user_id, chosen.issuer, who.subject)


def _identified(given: OidcCode) -> tuple[Provider, Person, str]:
    """The provider, who has signed in there, and the access token that it gave."""
    chosen = named_provider()
    _check_sender(chosen, given)
    answer = _redeemed(chosen.metadata(), given)
    access_token, id_token = text_in(answer, "access_token"), text_in(answer, "id_token")
    who = checked(chosen, settings.required("OIDC_CLIENT_ID"), id_token, access_token, given.nonce)
    return chosen, who, access_token


def named_provider() -> Provider:
    """The provider that is set up here. Raises: Problem (404)."""
    if not settings.text("OIDC_ISSUER"):
        raise Problem("not-found", "No identity provider is set up here. Sign in with email address and password.")
    return provider()


def _redirect_uri(loopback_port: str | None) -> str:
    """The page, as the operator has set it, or the user's own machine: nobody else can be named.

    A literal address, as RFC 8252, section 7.3, wants it: a name may lead elsewhere.
    """
    if loopback_port is not None:
        return f"http://127.0.0.1:{loopback_port}/"
    return f"{settings.text('PUBLIC_URL').rstrip('/')}/"


def _check_sender(chosen: Provider, given: OidcCode) -> None:
    """That the code is of the provider that we sent the browser to (RFC 9207, section 2.4). Raises: Problem (400)."""
    named = given.iss or ("" if chosen.metadata().authorization_response_iss_parameter_supported else chosen.issuer)
    if named != chosen.issuer:
        raise refused("the answer is of another provider")


def _redeemed(metadata: Metadata, given: OidcCode) -> dict[str, Any]:
    """The provider's answer to a code (RFC 6749, section 4.1.3). It takes each code once."""
    place = _redirect_uri(None if given.loopback_port is UNSET else given.loopback_port)
    form = {"grant_type": "authorization_code", "code": given.code, "redirect_uri": place}
    identification, headers = client(metadata)
    answer = post(metadata.token_endpoint, {**form, **identification, "code_verifier": given.code_verifier}, headers)
    if answer.status == 200:
        return answer.body
    if answer.body.get("error") in ("invalid_grant", "invalid_request"):
        raise refused("the code is not valid, or no longer")
    # Ours to put right, above all invalid_client.
    log.error("the identity provider refuses to redeem a code: %.100r", answer.body.get("error"))
    raise ProviderUnavailable(f"the token endpoint answered {answer.status}")


def client(metadata: Metadata) -> tuple[dict[str, str], Headers]:
    """How we say who we are (RFC 6749, section 2.3.1): members of the form, and headers."""
    name, secret = settings.required("OIDC_CLIENT_ID"), settings.text("OIDC_CLIENT_SECRET")
    if not secret:
        return {"client_id": name}, ()
    if "client_secret_basic" not in metadata.token_endpoint_auth_methods_supported:
        return {"client_id": name, "client_secret": secret}, ()
    pair = base64.b64encode(f"{quote_plus(name)}:{quote_plus(secret)}".encode()).decode()
    return {}, [("Authorization", f"Basic {pair}")]


def _with_email(metadata: Metadata, who: Person, access_token: str) -> Person:
    """The same person, with what the UserInfo endpoint says of the address, should the ID token not have it."""
    if who.email or not metadata.userinfo_endpoint:
        return who
    try:
        told = person(get(metadata.userinfo_endpoint, [("Authorization", f"Bearer {access_token}")]))
    except ValueError as error:
        raise refused(f"its answer about you is not valid: {error}") from None
    # Section 5.3.2: an answer about somebody else is not to be used.
    if told.subject != who.subject:
        raise refused("its answer about you is about somebody else")
    return told


def text_in(answer: dict[str, Any], name: str) -> str:
    """A text that the provider's answer must have. Raises: Problem (400)."""
    value = answer.get(name)
    # What goes into a header must not end it.
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise refused(f"there is no `{name}` in its answer")
    return value
